// Instances that run, as they were read when something of them changed last: they are looked at four times a second, and seldom change.
import { statSync } from "node:fs";
import { processAlive } from "../../../host/lock.ts";
import type { StateRoot } from "../../../host/state-root.ts";
import { inspectInstance, type ListedInstance } from "../../../runtime/find.ts";

interface Kept {
  found: ListedInstance;
  stamp: string;
}

export class RunningInstances {
  readonly #root: StateRoot;
  readonly #kept = new Map<string, Kept>();

  constructor(root: StateRoot) {
    this.#root = root;
  }

  /** As `inspectInstance()`; of one that runs nothing is read again as long as its PID 1 lives and its files are the same. */
  inspect(name: string): ListedInstance {
    const kept = this.#kept.get(name);
    if (kept !== undefined && isSame(kept)) return kept.found;
    this.#kept.delete(name);
    const first = inspectInstance(this.#root, name);
    if (first.status.state !== "running") return first;
    // What changes while it is read has another stamp afterwards.
    const stamp = stampOf(first);
    const found = inspectInstance(this.#root, name);
    if (found.status.state === "running" && found.record.id === first.record.id)
      this.#kept.set(name, { found, stamp });
    return found;
  }

  /** It is removed, and may never be asked for again. */
  forget(name: string): void {
    this.#kept.delete(name);
  }
}

function isSame({ found, stamp }: Kept): boolean {
  const { pid = 0, startTime = "" } = found.status;
  return processAlive(pid, startTime) && stampOf(found) === stamp;
}

/** Another one where a file was replaced: each is written anew as a whole. */
function stampOf({ paths }: ListedInstance): string {
  return [paths.record, paths.launch, paths.ended]
    .map((file) => {
      const seen = statSync(file, { bigint: true, throwIfNoEntry: false });
      return seen === undefined ? "" : `${seen.ino} ${seen.mtimeNs}`;
    })
    .join();
}
