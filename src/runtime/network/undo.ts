// How each kind of host change is undone. Undoing what is no longer there is success.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { removeCgroup } from "../../host/cgroup.ts";
import { bridgeDownArguments } from "../../host/enter-network.ts";
import type { Undo } from "../../host/journal.ts";
import { nativePath } from "../../host/native.ts";
import { run, runChecked } from "../../host/process.ts";
import { isBridge } from "./devices.ts";

export function hostDevices(): string[] {
  return devicesSeenBy("self");
}

/** In the network namespace of a process. */
export function devicesSeenBy(pid: number | "self"): string[] {
  return readFileSync(`/proc/${pid}/net/dev`, "latin1")
    .split("\n")
    .slice(2)
    .map((line) => line.split(":")[0]?.trim() ?? "")
    .filter((name) => name !== "");
}

/** `own`: the bridges of this state root; forwarding stays on while another root has one. */
export function undoExecutors(own: ReadonlySet<string>): Undo {
  return {
    async sysctl({ path, before }) {
      const others = hostDevices().some((name) => isBridge(name) && !own.has(name));
      // A device may have gone with its settings.
      if (!others && existsSync(path)) writeFileSync(path, before);
    },
    async bridge({ name }) {
      if (hostDevices().includes(name)) await runChecked(nativePath("enter"), bridgeDownArguments(name));
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
