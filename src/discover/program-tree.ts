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
  const main = topmost(seed, byPid, input.listening);
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

/** Of several programs those that no other one started: a supervisor that opens the sockets of what it starts is the program. */
export function outermost(
  trees: ReadonlyMap<number, number[]>,
  processes: readonly ProcessFact[],
): [main: number, members: number[]][] {
  const parents = new Map(processes.map((one) => [one.pid, one.ppid]));
  const isStarted = (main: number): boolean => {
    const seen = new Set([main]);
    for (let at = parents.get(main); at !== undefined && !seen.has(at); at = parents.get(at)) {
      if (trees.has(at)) return true;
      seen.add(at);
    }
    return false;
  };
  return [...trees].filter(([main]) => !isStarted(main));
}

function topmost(
  seed: number,
  byPid: ReadonlyMap<number, ProcessFact>,
  listening: TreeInput["listening"],
): number {
  let at = byPid.get(seed);
  const seen = new Set<number>();
  while (at !== undefined && !seen.has(at.pid)) {
    seen.add(at.pid);
    const parent = byPid.get(at.ppid);
    if (parent === undefined || parent.pid === 1) return at.pid;
    if (!sameProgram(parent, at) && !isTitledWorker(parent, at, listening)) return at.pid;
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

/** Puma, Unicorn, Gunicorn: a worker has a title in the place of its command line, and its master's listening socket. */
function isTitledWorker(parent: ProcessFact, child: ProcessFact, listening: TreeInput["listening"]): boolean {
  if (child.executable === "" || parent.executable !== child.executable) return false;
  const [command = ""] = child.arguments;
  if (interpreter.test(`/${command.slice(command.lastIndexOf("/") + 1)}`)) return false;
  return [...listening.values()].some(
    (holders) => holders.includes(parent.pid) && holders.includes(child.pid),
  );
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
    const isAlike = (member: ProcessFact | undefined): boolean =>
      member !== undefined && sameProgram(member, one);
    if (holders.some((pid) => members.has(pid) && isAlike(byPid.get(pid)))) return true;
  }
  return false;
}
