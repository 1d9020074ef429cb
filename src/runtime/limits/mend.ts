// A control group that somebody removed under a running instance: its processes were moved out first, so nothing limits them any more.
// It is made anew with the limits of the record, and they are moved back.
import { readFileSync, readlinkSync, writeFileSync } from "node:fs";
import type { Log } from "../../base/log.ts";
import { cgroupMode } from "../../host/cgroup.ts";
import { cgroupLimits, setCgroupLimits } from "../../host/cgroup-limits.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { note } from "../events/note.ts";
import { processesOf } from "../processes.ts";
import type { InstanceRecord } from "../record.ts";
import { instanceGroup, makeGroup } from "./groups.ts";
import { type Limits, weightOfShares } from "./limits.ts";

/** Whether something had to be mended. `pid`: of its PID 1. Costs a small file where all is well. */
export function mendGroups(root: StateRoot, record: InstanceRecord, pid: number, log: Log): boolean {
  const wanted = controllersOf(record.limits);
  if (wanted.length === 0) return false;
  const lost = lostGroups(textOf(pid, "cgroup"), record.id, wanted);
  const places = cgroupMode().hierarchies.filter((one) =>
    one.controllers.some((name) => lost.includes(name)),
  );
  if (places.length === 0 || isExiting(pid)) return false;
  step("mend control groups");
  log.warn(`the control groups of ${record.name} were gone: they are made anew, with its limits`);
  for (const { path } of places) makeGroup(path, `${path}/${instanceGroup(record.id)}`);
  setCgroupLimits(instanceGroup(record.id), record.limits, {
    only: cgroupLimits.filter((name) => record.limits[name] !== null && record.limits[name] !== undefined),
    weight: weightOfShares,
  });
  for (const inside of processesInside(record.id, pid))
    for (const { path } of places) move(`${path}/${instanceGroup(record.id)}`, inside);
  note(root, record, "repair", { limit: lost.join(",") });
  return true;
}

function controllersOf(limits: Limits): string[] {
  const { memory, memoryReservation, cpus, cpuShares, cpusetCpus, cpusetMems, pids } = limits;
  const table = [
    ["memory", [memory, memoryReservation]],
    ["cpu", [cpus, cpuShares]],
    ["cpuset", [cpusetCpus, cpusetMems]],
    ["pids", [pids]],
  ] as const;
  return table.flatMap(([name, values]) =>
    values.some((one) => one !== null && one !== undefined) ? [name] : [],
  );
}

/** Controllers whose group in /proc/PID/cgroup is not the instance's. Pure. */
export function lostGroups(text: string, id: string, wanted: readonly string[]): string[] {
  const lines = text.split("\n").flatMap((line) => {
    const [, names, path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    return names === undefined ? [] : [{ names: names.split(","), path }];
  });
  const unified = lines.find((line) => line.names[0] === "");
  return wanted.filter((name) => {
    const line = lines.find((one) => one.names.includes(name)) ?? unified;
    return line !== undefined && !line.path.endsWith(`/${instanceGroup(id)}`);
  });
}

const exitingFlag = 4; // PF_EXITING

/** Hierarchies of version 1 show one that exits in their root, from its first moment on: asked after they were. */
function isExiting(pid: number): boolean {
  const stat = textOf(pid, "stat");
  const flags = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[6];
  return flags === undefined || (Number(flags) & exitingFlag) !== 0;
}

function textOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return ""; // it has ended
  }
}

function processesInside(id: string, main: number): number[] {
  const namespace = pidNamespace(main);
  if (namespace === undefined) return [];
  return [main, ...processesOf(id)].filter((pid) => pidNamespace(pid) === namespace);
}

function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined; // it has ended
  }
}

function move(group: string, pid: number): void {
  try {
    writeFileSync(`${group}/cgroup.procs`, String(pid));
  } catch {} // it has ended
}
