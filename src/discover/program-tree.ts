// Which processes are one running program: a master and its workers, what a service's control group holds, siblings that share a
// listening socket after their parent has gone.
import type { ProcessFact } from "./inventory.ts";

/** One program is many processes; more is something else than an application. */
const maxMembers = 4096;

export interface ProgramTree {
  /** The topmost process: the one that a service manager would watch. */
  main: number;
  /** All of them, main first, then by number. */
  members: number[];
}

export interface TreeInput {
  processes: readonly ProcessFact[];
  /** Inode of a listening socket -> processes that hold it. */
  listening: ReadonlyMap<string, readonly number[]>;
  /** Our own processes: they and what they started are no part of what is captured, unless one of them is what was asked for. */
  own: ReadonlySet<number>;
}

/** `seed` must be among the processes. */
export function programTree(seed: number, input: TreeInput): ProgramTree {
  const byPid = new Map(input.processes.map((one) => [one.pid, one]));
  const children = new Map<number, ProcessFact[]>();
  for (const one of input.processes) children.set(one.ppid, [...(children.get(one.ppid) ?? []), one]);
  const main = topmost(seed, byPid);
  const members = new Set<number>();
  const take = (pid: number): void => {
    if (
      (pid !== main && input.own.has(pid)) ||
      members.has(pid) ||
      members.size >= maxMembers ||
      !byPid.has(pid)
    )
      return;
    members.add(pid);
    for (const child of children.get(pid) ?? []) take(child.pid);
  };
  take(main);
  const first = byPid.get(main);
  for (const one of input.processes) {
    const sameService = first !== undefined && first.service !== "" && one.service === first.service;
    if (sameService || sharesSocket(one, members, byPid, input.listening)) take(one.pid);
  }
  members.delete(main);
  return { main, members: [main, ...[...members].sort((a, b) => a - b)] };
}

function topmost(seed: number, byPid: ReadonlyMap<number, ProcessFact>): number {
  let at = byPid.get(seed);
  const seen = new Set<number>();
  while (at !== undefined && !seen.has(at.pid)) {
    seen.add(at.pid);
    const parent = byPid.get(at.ppid);
    if (parent === undefined || parent.pid === 1 || !sameProgram(parent, at)) return at.pid;
    at = parent;
  }
  return seed;
}

const interpreter =
  /\/(sh|bash|dash|ksh\w*|zsh|busybox|env|perl[\d.]*|python[\d.]*|ruby[\d.]*|node|php[\d.]*|java)$/;

/** A worker runs what its master runs. Of interpreters only the same script is the same program. */
function sameProgram(parent: ProcessFact, child: ProcessFact): boolean {
  if (child.service !== "" && parent.service === child.service) return true;
  if (child.executable === "" || parent.executable !== child.executable) return false;
  return !interpreter.test(child.executable) || same(parent.arguments, child.arguments);
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, index) => word === b[index]);
}

/** Workers whose master has gone: the same program at the same listening socket, in the care of PID 1. */
function sharesSocket(
  one: ProcessFact,
  members: ReadonlySet<number>,
  byPid: ReadonlyMap<number, ProcessFact>,
  listening: ReadonlyMap<string, readonly number[]>,
): boolean {
  if (members.has(one.pid) || one.executable === "") return false;
  for (const holders of listening.values()) {
    if (!holders.includes(one.pid)) continue;
    if (holders.some((pid) => members.has(pid) && byPid.get(pid)?.executable === one.executable)) return true;
  }
  return false;
}
