// A machine with a data directory from elsewhere: a snapshot of a file system, taken at one moment, in the place of files that a running
// program writes to.
import { realpathSync, statSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { isBelow } from "../../closure/tree.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText } from "../../formats/escape.ts";
import type { Machine, MachineFiles, Unreadable, WalkOptions } from "../../machine/machine.ts";
import { TreeFiles } from "../../machine/tree-files.ts";
import { contentBelow, LaidOverFiles, placeBelow } from "./laid-over.ts";

export interface DataSnapshot {
  /** The data directory, as the program names it. */
  path: ByteString;
  /** A directory of this host. */
  directory: string;
}

/** Closing it leaves the machine below open. E_USAGE where DIR is no directory. */
export function withSnapshots(machine: Machine, snapshots: readonly DataSnapshot[]): Machine {
  let seen: Machine = { ...machine, close: async () => {} };
  for (const snapshot of snapshots) seen = withSnapshot(seen, snapshot);
  return seen;
}

function withSnapshot(machine: Machine, { path: at, directory }: DataSnapshot): Machine {
  const root = realDirectory(directory);
  const upper = new TreeFiles(root);
  return {
    ...machine,
    files: new SnapshotFiles(machine.files, upper, at),
    placeOf: (path) =>
      isBelow(path, at) ? encodeText(root) + path.slice(at.length) : placeBelow(machine, path),
    ...contentBelow(machine, (path) => isBelow(path, at)),
    close: async () => {
      await upper.close();
      await machine.close();
    },
  };
}

function realDirectory(directory: string): string {
  try {
    const root = realpathSync(directory);
    if (statSync(root).isDirectory()) return root;
  } catch {} // told below
  throw new TranshipError("E_USAGE", `--data snapshot:${directory} is no directory of this host`, {
    hint: "mount the snapshot, and name the directory in it that stands for the data directory",
  });
}

class SnapshotFiles extends LaidOverFiles {
  readonly #at: ByteString;

  constructor(lower: MachineFiles, upper: MachineFiles, at: ByteString) {
    super(lower, upper);
    this.#at = at;
  }

  protected above(path: ByteString): ByteString | undefined {
    return isBelow(path, this.#at) ? path.slice(this.#at.length) || "/" : undefined;
  }

  #outer<T extends { path: ByteString }>(one: T): T {
    return { ...one, path: one.path === "/" ? this.#at : this.#at + one.path };
  }

  protected async lstat(path: ByteString): Promise<Entry | undefined> {
    const inner = this.above(path);
    if (inner === undefined) return await this.lower.stat(path);
    const entry = await this.upper.stat(inner);
    return entry === undefined ? undefined : { ...entry, path };
  }

  async list(path: ByteString): Promise<Entry[] | undefined> {
    const inner = this.above(path);
    if (inner === undefined) return await this.lower.list(path);
    return (await this.upper.list(inner))?.map((entry) => this.#outer(entry));
  }

  async *walk(path: ByteString, options: WalkOptions = {}): AsyncGenerator<Entry | Unreadable, void, void> {
    const { exclude = [] } = options;
    const inner = this.above(path);
    if (inner === undefined) {
      yield* this.lower.walk(path, { ...options, exclude: [...exclude, this.#at] });
      if (!isBelow(this.#at, path)) return;
    }
    for await (const one of this.upper.walk(inner ?? "/")) {
      const outer = this.#outer(one);
      if (!exclude.some((prefix) => isBelow(outer.path, prefix))) yield outer;
    }
  }
}
