// Policies for the in-process engine, as tests need them.
import type { ClockRule } from "../../src/redirect/clock.ts";
import type { Policy } from "../../src/redirect/policy.ts";
import type { FileRule, RuleTable } from "../../src/redirect/rules.ts";

export interface Wanted {
  files?: RuleTable;
  clock?: ClockRule;
  node?: string;
  uname?: Policy["uname"];
  network?: Policy["network"];
}

/** A policy of nothing but what is wanted. */
export function enginePolicy({ files = [], clock, node = "", uname = {}, network = [] }: Wanted): Policy {
  return {
    ...{ files, clock, uname, network, links: [], excludes: [], vsyscall: "auto", loopback: "kernel" },
    identity: {
      hostname: node === "" ? null : node,
      ...{ domain: null, macAddress: null, machineId: null, hostId: null, dmi: [] },
    },
  };
}

/** hide and host lead nowhere. */
export function aRule(rule: Pick<FileRule, "from" | "to" | "mode" | "match">, declared: number): FileRule {
  const leads = rule.mode !== "hide" && rule.mode !== "host";
  return { ...rule, to: leads ? rule.to : "", root: 0, declared };
}
