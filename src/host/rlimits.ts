// What this process may give on to its children: limits of processes, and how likely the kernel takes one when memory ends.
import { readFileSync } from "node:fs";

/** Of /proc/self/limits, by the name of the resource. */
const lines: Readonly<Record<string, string>> = {
  RLIMIT_AS: "Max address space",
  RLIMIT_CORE: "Max core file size",
  RLIMIT_CPU: "Max cpu time",
  RLIMIT_DATA: "Max data size",
  RLIMIT_FSIZE: "Max file size",
  RLIMIT_LOCKS: "Max file locks",
  RLIMIT_MEMLOCK: "Max locked memory",
  RLIMIT_MSGQUEUE: "Max msgqueue size",
  RLIMIT_NICE: "Max nice priority",
  RLIMIT_NOFILE: "Max open files",
  RLIMIT_NPROC: "Max processes",
  RLIMIT_RSS: "Max resident set",
  RLIMIT_RTPRIO: "Max realtime priority",
  RLIMIT_RTTIME: "Max realtime timeout",
  RLIMIT_SIGPENDING: "Max pending signals",
  RLIMIT_STACK: "Max stack size",
};

/** Of the first column. */
const nameWidth = 25;

/** The hard limit of this process; null: none. A process without CAP_SYS_RESOURCE can only lower it. */
export function hardLimit(resource: string): number | null {
  const text = readFileSync("/proc/self/limits", "latin1");
  const line = text.split("\n").find((one) => one.startsWith(`${lines[resource] ?? "-"} `));
  // "SOFT HARD UNITS", and some have no units.
  const hard = line?.slice(nameWidth).trim().split(/\s+/)[1] ?? "";
  return /^\d+$/.test(hard) ? Number(hard) : null;
}

const sysResource = 24;

/** Whether it may raise hard limits and lower the score of the out-of-memory killer. */
export function mayRaiseLimits(): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> BigInt(sysResource)) & 1n) === 1n;
}

export function oomScoreAdjustment(): number {
  return Number(readFileSync("/proc/self/oom_score_adj", "latin1"));
}
