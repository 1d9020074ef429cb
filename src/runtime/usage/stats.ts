// What instances use: two looks at the kernel's accounts, some time apart.
import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { cgroupMode } from "../../host/cgroup.ts";
import { type CgroupUsage, cgroupUsage } from "../../host/cgroup-usage.ts";
import type { Instance } from "../find.ts";
import { instanceGroup } from "../limits/groups.ts";
import { mainProcess } from "../processes.ts";

export interface Sample extends CgroupUsage {
  /** Milliseconds of a clock that does not jump. */
  at: number;
  running: boolean;
  /** Bytes over all devices but the loopback. */
  received: number;
  sent: number;
}

export interface Stats {
  id: string;
  name: string;
  running: boolean;
  /** 100 = one processor. */
  cpuPercent: number;
  memory: number;
  /** Of the instance, or of the host where it has none. */
  memoryLimit: number;
  memoryPercent: number;
  received: number;
  sent: number;
  read: number;
  written: number;
  pids: number;
}

export function sample({ paths, record }: Instance): Sample {
  const main = mainProcess(paths, record.id);
  return {
    ...cgroupUsage(instanceGroup(record.id), cgroupMode()),
    at: performance.now(),
    running: main !== undefined,
    ...(main === undefined ? { received: 0, sent: 0 } : networkOf(main.pid)),
  };
}

/** `before` undefined: since the instance began, which says nothing of processors. */
export function statsOf({ record }: Instance, before: Sample | undefined, now: Sample): Stats {
  const spent = before?.cpu === undefined || now.cpu === undefined ? 0 : now.cpu - before.cpu;
  const passed = before === undefined ? 0 : (now.at - before.at) * 1e6;
  const limit = now.memoryLimit ?? totalmem();
  const memory = now.memory ?? 0;
  return {
    id: record.id,
    name: record.name,
    running: now.running,
    cpuPercent: passed > 0 ? Math.min(Math.max((spent / passed) * 100, 0), availableParallelism() * 100) : 0,
    memory,
    memoryLimit: now.running ? limit : 0,
    memoryPercent: limit > 0 ? (memory / limit) * 100 : 0,
    received: now.received,
    sent: now.sent,
    read: now.read ?? 0,
    written: now.written ?? 0,
    pids: now.pids ?? 0,
  };
}

function networkOf(pid: number): { received: number; sent: number } {
  let text = "";
  try {
    text = readFileSync(`/proc/${pid}/net/dev`, "latin1");
  } catch {} // it has just ended
  let received = 0;
  let sent = 0;
  for (const line of text.split("\n")) {
    const match = /^\s*([^:\s]+):\s*(.*)$/.exec(line);
    if (match === null || match[1] === "lo") continue;
    const fields = (match[2] ?? "").trim().split(/\s+/).map(Number);
    received += fields[0] ?? 0;
    sent += fields[8] ?? 0;
  }
  return { received, sent };
}
