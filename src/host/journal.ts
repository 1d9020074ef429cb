// The journal of host changes: what Tranship changes on this host is written down before it is done, with its undo.
// A change belongs to an owner (an instance id, or "host"); when the owner is gone its changes are undone.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isTranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { makeDirectory, readJson, writeFileAtomic } from "./files.ts";
import { stampAfter } from "./stamp.ts";

/** Each kind has one executor of its undo, below; a missing one does not compile. */
export type HostChange =
  | { kind: "sysctl"; path: string; before: string }
  | { kind: "bridge"; name: string }
  | { kind: "nft-table"; family: "ip" | "ip6"; name: string }
  | { kind: "cgroup"; name: string };

export interface JournalEntry {
  owner: string;
  time: string;
  change: HostChange;
}

/** How each kind is undone; every one is idempotent: undoing what is no longer there is success. */
export type Undo = { [K in HostChange["kind"]]: (change: Extract<HostChange, { kind: K }>) => Promise<void> };

export class Journal {
  readonly #directory: string;
  readonly #log: Log;
  #next = 0;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
    makeDirectory(directory);
  }

  /** Writes the change down; call before making it. Returns the entry's name, for forget(). */
  record(owner: string, change: HostChange): string {
    const name = `${stampAfter(readdirSync(this.#directory))}-${process.pid}-${this.#next++}.json`;
    const entry: JournalEntry = { owner, time: new Date().toISOString(), change };
    writeFileAtomic(join(this.#directory, name), `${JSON.stringify(entry)}\n`);
    return name;
  }

  forget(name: string): void {
    rmSync(join(this.#directory, name), { force: true });
  }

  /** Oldest first. Files that are no entries are reported and left alone. */
  entries(): { name: string; entry: JournalEntry }[] {
    const found: { name: string; entry: JournalEntry }[] = [];
    for (const name of readdirSync(this.#directory).sort()) {
      if (!name.endsWith(".json")) continue;
      const entry = this.#read(name);
      // Another command may have undone it since the directory was read.
      if (entry === undefined) continue;
      if (typeof entry?.owner === "string" && typeof entry.change?.kind === "string")
        found.push({ name, entry });
      else this.#log.warn(`journal: ${name} is not an entry and was left alone`);
    }
    return found;
  }

  /** undefined where there is no such file, null where it is no JSON. */
  #read(name: string): JournalEntry | null | undefined {
    try {
      return readJson(join(this.#directory, name)) as JournalEntry | null | undefined;
    } catch (error) {
      if (isTranshipError(error, "E_STATE_CORRUPT")) return null;
      throw error;
    }
  }

  /**
   * Undoes, newest first, what belongs to owners for which `gone` is true. Returns how many were undone. What cannot be undone now is
   * told and stays written down: it must not keep the others in force.
   */
  async undo(gone: (owner: string) => boolean, undo: Undo): Promise<number> {
    let count = 0;
    for (const { name, entry } of this.entries().reverse()) {
      if (!gone(entry.owner)) continue;
      const act = undo[entry.change.kind] as ((change: HostChange) => Promise<void>) | undefined;
      if (act === undefined) {
        this.#log.warn(`journal: ${name} has the unknown kind ${entry.change.kind} and was left alone`);
        continue;
      }
      try {
        await act(entry.change);
      } catch (error) {
        this.#log.warn(
          `journal: ${name} (${entry.change.kind}) cannot be undone yet: ${(error as Error).message}`,
        );
        continue;
      }
      this.forget(name);
      count++;
    }
    return count;
  }
}
