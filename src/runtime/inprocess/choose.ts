// Which engine is to run an instance where the choice was left to us.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { nativePath } from "../../host/native.ts";
import { onPath } from "../../host/on-path.ts";
import { rootlessNeeds } from "../../host/rootless/needs.ts";
import type { EngineName } from "../record.ts";

export interface ChosenEngine {
  engine: EngineName;
  /** Why it is that one. */
  reason: string;
}

/** The namespace engine wherever it can work: it is the one that isolates. */
export function chooseEngine(): ChosenEngine {
  const lacks = (process.getuid?.() === 0 ? rootLacks() : userLacks()) ?? refused();
  return lacks === undefined
    ? { engine: "namespace", reason: "this host allows namespaces" }
    : { engine: "inprocess", reason: lacks };
}

function userLacks(): string | undefined {
  const [first] = rootlessNeeds().filter((need) => need.state === "fail");
  return first === undefined
    ? undefined
    : `an ordinary user gets no namespaces here: ${first.name}: ${first.found}`;
}

/** What the settings of a host do not tell: filters and security modules. */
function refused(): string | undefined {
  const { status, stderr, error } = spawnSync(nativePath("enter"), ["probe"], { encoding: "utf8" });
  if (status === 0) return undefined;
  return `this host refuses them: ${error?.message ?? stderr.trim()}`;
}

const sysAdmin = 21n;

function rootLacks(): string | undefined {
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
  if (((BigInt(`0x${effective}`) >> sysAdmin) & 1n) === 0n)
    return "this root may not make namespaces: it has no CAP_SYS_ADMIN";
  if ((onPath("crun") ?? onPath("runc")) === undefined) return "there is neither crun nor runc";
  if (!/\boverlay$/m.test(readFileSync("/proc/filesystems", "latin1"))) return "this kernel has no overlayfs";
  return undefined;
}
