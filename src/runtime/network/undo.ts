// How each kind of host change is undone. Undoing what is no longer there is success.
import { readFileSync, writeFileSync } from "node:fs";
import { removeCgroup } from "../../host/cgroup.ts";
import { bridgeDownArguments } from "../../host/enter-network.ts";
import type { Undo } from "../../host/journal.ts";
import { nativePath } from "../../host/native.ts";
import { run, runChecked } from "../../host/process.ts";

function devices(): string[] {
  return readFileSync("/proc/self/net/dev", "latin1")
    .split("\n")
    .slice(2)
    .map((line) => line.split(":")[0]?.trim() ?? "");
}

/** `ownBridge`: the bridge of this state root; forwarding stays on while another root has one. */
export function undoExecutors(ownBridge: string): Undo {
  return {
    async sysctl({ path, before }) {
      const others = devices().some((name) => name !== ownBridge && /^(tranship0|tr[0-9a-f]{8})$/.test(name));
      if (!others) writeFileSync(path, before);
    },
    async bridge({ name }) {
      if (devices().includes(name)) await runChecked(nativePath("enter"), bridgeDownArguments(name));
    },
    async "nft-table"({ family, name }) {
      const found = await run("nft", ["list", "table", family, name]);
      if (found.status === 0) await runChecked("nft", ["delete", "table", family, name]);
    },
    async cgroup({ name }) {
      await removeCgroup(name);
    },
  };
}
