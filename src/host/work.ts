// Work directories: temporary places of one command, which the next command empties where the owner died.
// The name tells the owner too: a directory is never without one, not even in the moment before its file is written.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { deadTemporary, ioError, isTemporary, makeDirectory, readText, writeFileAtomic } from "./files.ts";
import { processAlive, processStartTime, sweepLock } from "./lock.ts";
import { randomHex } from "./random.ts";
import type { StateRoot } from "./state-root.ts";
import { step } from "./steps.ts";

export interface WorkDirectory {
  readonly path: string;
  remove(): void;
}

/** Makes a directory below root.work that names this process as its owner. E_NO_SPACE leaves none. */
export function makeWorkDirectory(root: StateRoot, purpose: string): WorkDirectory {
  const start = processStartTime(process.pid) ?? "";
  const path = join(root.work, `${purpose}-${randomHex(6)}-${process.pid}-${start}`);
  step(`make the ${purpose} work directory`);
  makeDirectory(path);
  try {
    step(`own the ${purpose} work directory`);
    writeFileAtomic(join(path, "owner"), `${process.pid} ${start}\n`, { volatile: true });
  } catch (error) {
    removeTree(path);
    throw error;
  }
  return {
    path,
    remove: () => {
      step(`remove the ${purpose} work directory`);
      removeTree(path);
    },
  };
}

/** Removes the work, the locks and the half-written files of commands that no longer run. Returns whose work was removed. */
export function repairWork(root: StateRoot, log: Log): string[] {
  const remove = (path: string): boolean => {
    try {
      removeTree(path);
    } catch (error) {
      // Another command may be at it, or what was killed still ends: the next command tries again.
      log.debug(`cannot remove ${path} yet: ${(error as Error).message}`);
      return false;
    }
    log.debug(`removed the work of a command that ended early: ${path}`);
    return true;
  };
  for (const directory of [root.path, root.store, root.locks, root.journal]) {
    for (const name of namesIn(directory).filter(deadTemporary)) remove(join(directory, name));
  }
  // What another command is about to make a lock of has no holder in it yet.
  for (const name of namesIn(root.locks)) if (!isTemporary(name)) sweepLock(join(root.locks, name));
  return namesIn(root.work)
    .map((name) => join(root.work, name))
    .filter((path) => !isWorkedOn(path))
    .filter(remove);
}

/** Whether the owner of a work directory still runs. */
export function isWorkedOn(path: string): boolean {
  const owner = ownerOf(path);
  return owner !== undefined && processAlive(owner.pid, owner.start);
}

/** What cannot be listed is not ours to repair; the command itself will say so where it matters. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function ownerOf(path: string): { pid: number; start: string } | undefined {
  const words =
    /-(\d+)-(\d+)$/.exec(path)?.slice(1) ?? (readText(join(path, "owner")) ?? "").trim().split(" ");
  const [pid, start] = words;
  return pid === undefined || start === undefined ? undefined : { pid: Number(pid), start };
}

function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  } catch (cause) {
    throw ioError(`cannot remove ${path}`, cause);
  }
}
