// The processes that live for instances, and what they take of memory and of the processor.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // gone
  }
}

function parents(): Map<number, number> {
  const found = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const parent = /^PPid:\s+(\d+)/m.exec(read(`/proc/${name}/status`))?.[1];
    if (parent !== undefined) found.set(Number(name), Number(parent));
  }
  return found;
}

/** The roots, and all that descend from them. */
function below(roots: ReadonlySet<number>, all: ReadonlyMap<number, number>): number[] {
  return [...all.keys()].filter((pid) => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = all.get(at))
      if (roots.has(at)) return true;
    return false;
  });
}

function networkOf(pid: number | "self"): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return ""; // gone
  }
}

/** All in the network namespace of this bench but the bench itself, and the daemon of a peer, with what descends from them. */
export function processesOf(daemon: number | undefined): number[] {
  const all = parents();
  const ours = new Set<number>();
  for (let at: number | undefined = process.pid; at !== undefined; at = all.get(at)) ours.add(at);
  const own = networkOf("self");
  const isRoot = (pid: number): boolean => pid === daemon || (!ours.has(pid) && networkOf(pid) === own);
  return below(new Set([...all.keys()].filter(isRoot)), all).filter((pid) => !ours.has(pid));
}

/** `root`, and all that descends from it. */
export function treeOf(root: number): number[] {
  return below(new Set([root]), parents());
}

/** KiB: pages that several processes have in common count in parts. */
export function proportionalSize(pids: readonly number[]): number {
  const sizes = pids.map((pid) => /^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1]);
  return sizes.reduce((sum, one) => sum + Number(one ?? 0), 0);
}

/** In how many pid namespaces it has a number. */
export function depthOf(pid: number | "self"): number {
  const numbers = /^NSpid:\s+(.*)$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? "";
  return numbers.split(/\s+/).length;
}

const ticksPerSecond = 100;

/** Processor time in seconds of the process, what descends from it, and their children that were waited for. */
export function processorTime(root: number): number {
  return treeOf(root)
    .map((pid) => {
      const fields = read(`/proc/${pid}/stat`)
        .replace(/^.*\) /s, "")
        .split(" ");
      return fields.slice(11, 15).reduce((sum, one) => sum + Number(one), 0) / ticksPerSecond;
    })
    .reduce((sum, one) => sum + one, 0);
}
