// Work directories: temporary places of one command, which the next command empties where the owner died.
import { randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { makeDirectory, readText, writeFileAtomic } from "./files.ts";
import { processAlive, processStartTime } from "./lock.ts";
import type { StateRoot } from "./state-root.ts";

export interface WorkDirectory {
  readonly path: string;
  remove(): void;
}

/** Makes a directory below root.work that names this process as its owner. */
export function makeWorkDirectory(root: StateRoot, purpose: string): WorkDirectory {
  const path = join(root.work, `${purpose}-${randomBytes(6).toString("hex")}`);
  makeDirectory(path);
  writeFileAtomic(join(path, "owner"), `${process.pid} ${processStartTime(process.pid) ?? ""}\n`, {
    volatile: true,
  });
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Removes the work of commands that no longer run. Returns what was removed. */
export function repairWork(root: StateRoot, log: Log): string[] {
  const removed: string[] = [];
  for (const name of readdirSync(root.work)) {
    const path = join(root.work, name);
    const [pid = "0", startTime = ""] = (readText(join(path, "owner")) ?? "").trim().split(" ");
    if (processAlive(Number(pid), startTime)) continue;
    rmSync(path, { recursive: true, force: true });
    removed.push(path);
    log.debug(`removed the work of a command that ended early: ${name}`);
  }
  return removed;
}
