// Which engine is to run an instance where the choice was left to us.
import { readFileSync } from "node:fs";
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
  const lacks = process.getuid?.() === 0 ? rootLacks() : userLacks();
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

const sysAdmin = 21n;

function rootLacks(): string | undefined {
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
  if (((BigInt(`0x${effective}`) >> sysAdmin) & 1n) === 0n)
    return "this root may not make namespaces: it has no CAP_SYS_ADMIN";
  if ((onPath("crun") ?? onPath("runc")) === undefined) return "there is neither crun nor runc";
  if (!/\boverlay$/m.test(readFileSync("/proc/filesystems", "latin1"))) return "this kernel has no overlayfs";
  return undefined;
}
