// Locks between processes. A lock is a file that names its holder; a holder that died no longer holds it. On a full disk it is a symbolic
// link with that text, which needs no room there: what gives space back (`stop`, `rm`) takes a lock too.
import { readFileSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { isTranshipError, TranshipError } from "../base/errors.ts";
import { createExclusive, errnoOf, readText } from "./files.ts";

export interface Lock {
  release(): void;
}

interface Holder {
  pid: number;
  /** Field 22 of /proc/PID/stat: tells a process from a later one with the same pid. */
  startTime: string;
  what: string;
}

let ownStartTime: string | undefined;

/** Start time of a process in clock ticks since boot; undefined where there is no such process. */
export function processStartTime(pid: number): string | undefined {
  if (pid !== process.pid) return readStartTime(pid);
  ownStartTime ??= readStartTime(pid);
  return ownStartTime;
}

function readStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie no longer runs: what it held is free.
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export function processAlive(pid: number, startTime: string): boolean {
  const seen = processStartTime(pid);
  return seen !== undefined && seen === startTime;
}

/**
 * Takes the lock file `path`, waiting up to `wait` milliseconds (default 10 s) for a live holder.
 * The lock of a dead process is taken over at once. E_STATE_BUSY names the holder.
 */
export async function acquireLock(path: string, what: string, wait = 10_000): Promise<Lock> {
  const mine: Holder = { pid: process.pid, startTime: processStartTime(process.pid) ?? "", what };
  const text = JSON.stringify(mine);
  // The clock may be set meanwhile.
  const deadline = performance.now() + wait;
  for (let pause = 5; ; pause = Math.min(pause * 2, 200)) {
    // No lock outlives its process, so none has to reach the disk.
    if (create(path, text)) return { release: () => release(path, text) };
    const seen = readLock(path);
    if (seen !== undefined && !holderAlive(seen) && takeOver(path, seen)) continue;
    if (performance.now() > deadline) {
      throw new TranshipError("E_STATE_BUSY", `${path} is held by ${describe(seen)}`, {
        hint: "wait for that command to end, or stop it",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function create(path: string, text: string): boolean {
  try {
    return createExclusive(path, text, 0o600, true);
  } catch (error) {
    if (!isTranshipError(error, "E_NO_SPACE")) throw error;
    return createLink(path, text, error);
  }
}

function createLink(path: string, text: string, full: TranshipError): boolean {
  try {
    symlinkSync(text, path);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST") return false;
    throw full;
  }
}

/** undefined where it is gone. */
export function readLock(path: string): string | undefined {
  // Such a link leads nowhere.
  const text = readText(path);
  if (text !== undefined) return text;
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function holderAlive(text: string): boolean {
  try {
    const holder = JSON.parse(text) as Holder;
    return processAlive(holder.pid, holder.startTime);
  } catch {
    return false; // a lock is created with its content: this is none
  }
}

/**
 * Two waiters may see the same dead holder: only one may remove it, so the removal is guarded by a lock file of its own. The guard of a
 * process that died is taken over in the same way, under a guard one level up: to remove it unguarded would let two into the section.
 * Returns whether this call removed the lock.
 */
function takeOver(path: string, seen: string): boolean {
  const guard = `${path}.takeover`;
  const mine: Holder = {
    pid: process.pid,
    startTime: processStartTime(process.pid) ?? "",
    what: "take over",
  };
  if (!create(guard, JSON.stringify(mine))) {
    const other = readLock(guard);
    if (other !== undefined && !holderAlive(other)) takeOver(guard, other);
    return false;
  }
  try {
    if (readLock(path) !== seen) return false;
    rmSync(path, { force: true });
    return true;
  } finally {
    rmSync(guard, { force: true });
  }
}

/** Removes a lock whose holder died; true where it did. */
export function sweepLock(path: string): boolean {
  const seen = readLock(path);
  if (seen === undefined || holderAlive(seen)) return false;
  takeOver(path, seen);
  return true;
}

function release(path: string, text: string): void {
  if (readLock(path) === text) rmSync(path, { force: true });
}

function describe(text: string | undefined): string {
  try {
    const holder = JSON.parse(text ?? "") as Holder;
    return `process ${holder.pid} (${holder.what})`;
  } catch {
    return "another process";
  }
}
