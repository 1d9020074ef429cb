// The processes of an instance: who is PID 1, who else is left.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { cgroupProcesses, freezeCgroup } from "../host/cgroup.ts";
import { readText } from "../host/files.ts";
import { processAlive, processStartTime } from "../host/lock.ts";
import type { InstancePaths } from "./instance-paths.ts";
import { instanceGroup } from "./limits/groups.ts";

export interface LiveProcess {
  pid: number;
  startTime: string;
}

/** PID 1 of the instance, by the OCI runtime's own record; undefined where it does not run. */
export function mainProcess(paths: InstancePaths, id: string): LiveProcess | undefined {
  for (const [file, pidKey, startKey] of [
    ["status", "pid", "process-start-time"],
    ["state.json", "init_process_pid", "init_process_start"],
  ] as const) {
    let state: Record<string, unknown>;
    try {
      state = JSON.parse(readFileSync(`${paths.oci}/${id}/${file}`, "utf8")) as Record<string, unknown>;
    } catch {
      continue; // not this runtime, or being written
    }
    const pid = Number(state[pidKey]);
    const startTime = String(state[startKey]);
    if (Number.isInteger(pid) && pid > 0 && processAlive(pid, startTime)) return { pid, startTime };
  }
  return undefined;
}

/** "exe", "root", "ns/mnt" of /proc/PID. */
function linkOf(pid: string, name: string): string {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    return ""; // gone, of the kernel, or somebody else's
  }
}

/** The init of such an instance, as native/supervise wrote down before it became it; undefined where it does not run. */
export function engineMain({ main }: Pick<InstancePaths, "main">): LiveProcess | undefined {
  const [, pid = "", startTime = ""] = /^(\d+) (\d+)\n$/.exec(readText(main) ?? "") ?? [];
  return pid !== "" && processAlive(Number(pid), startTime) ? { pid: Number(pid), startTime } : undefined;
}

/** The parent of a process; undefined where it is gone. */
export function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
  } catch {
    return undefined;
  }
}

/** What the mount tables of an instance's processes name as the source of its root. */
export function overlaySource(id: string): string {
  return `tranship:${id}`;
}

/**
 * Everything that runs inside or holds the namespaces of an instance: members of its cgroup, and every process whose mount
 * table shows its overlay (the OCI runtime and enter too), or which executes the engine in its directory.
 */
export function processesOf(id: string): number[] {
  const found = new Set<number>(cgroupProcesses(instanceGroup(id)));
  // The second: of an instance that an earlier version has started.
  const marks = [` ${overlaySource(id)} `, `/${id}/upper`];
  const shows = mountTables((text) => marks.some((mark) => text.includes(mark)));
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || found.has(Number(name))) continue;
    if (shows(name) || linkOf(name, "exe").endsWith(`/${id}/engine`)) found.add(Number(name));
  }
  found.delete(process.pid);
  return [...found];
}

function mountTable(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, "latin1");
  } catch {
    return ""; // gone, of the kernel, or dead and not waited for
  }
}

/** Whether the mount table of a process is such a one. Those of one namespace with one root see the same table: it is read once for all of them. */
function mountTables(isSuch: (text: string) => boolean): (pid: string) => boolean {
  const known = new Map<string, boolean>();
  return (pid) => {
    const [namespace, root] = [linkOf(pid, "ns/mnt"), linkOf(pid, "root")];
    const key = `${namespace} ${root}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const such = isSuch(mountTable(pid));
    if (namespace !== "" && root !== "") known.set(key, such);
    return such;
  };
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Kills all that is left of an instance and waits until it is gone. Returns how many were killed. */
export async function killAll(id: string): Promise<number> {
  const killed = new Set<number>();
  for (let round = 0; round < 500; round++) {
    const left = processesOf(id).filter((pid) => processStartTime(pid) !== undefined);
    if (left.length === 0) break;
    // What is frozen does not die.
    if (round === 0) freezeCgroup(instanceGroup(id), false);
    for (const pid of left) {
      killed.add(pid);
      signalProcess(pid, "SIGKILL");
    }
    await pause(Math.min(2 + round, 20));
  }
  return killed.size;
}

/** False where there is no such process any more. */
export function signalProcess(pid: number, signal: NodeJS.Signals | number): boolean {
  // 0 and below name whole groups, our own among them; 1 is never a process of ours.
  if (!(pid > 1)) return false;
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Waits until the process is gone; false after `timeout` milliseconds. */
export async function waitGone(target: LiveProcess, timeout: number): Promise<boolean> {
  const deadline = performance.now() + timeout;
  for (let wait = 2; ; wait = Math.min(wait * 1.5, 50)) {
    if (!processAlive(target.pid, target.startTime)) return true;
    if (performance.now() >= deadline) return false;
    await pause(wait);
  }
}

export { pause };
