// A machine with a data directory from elsewhere: a snapshot of a file system, taken at one moment, in the place of files that a running
// program writes to.
import { realpathSync, statSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import { Tree } from "../closure/tree.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { encodeText } from "../formats/escape.ts";
import {
  type FileStream,
  isUnreadable,
  type Machine,
  type MachineFiles,
  type Resolution,
  type Unreadable,
  type WalkOptions,
} from "../machine/machine.ts";
import { TreeFiles } from "../machine/tree-files.ts";
import { plainPlace } from "./recovered-files.ts";

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
      isBelow(path, at)
        ? encodeText(root) + path.slice(at.length)
        : (machine.placeOf?.(path) ?? plainPlace(machine, path)),
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

class SnapshotFiles implements MachineFiles {
  readonly #lower: MachineFiles;
  readonly #upper: MachineFiles;
  readonly #at: ByteString;

  constructor(lower: MachineFiles, upper: MachineFiles, at: ByteString) {
    this.#lower = lower;
    this.#upper = upper;
    this.#at = at;
  }

  #inner(path: ByteString): ByteString | undefined {
    return isBelow(path, this.#at) ? path.slice(this.#at.length) || "/" : undefined;
  }

  #outer<T extends { path: ByteString }>(one: T): T {
    return { ...one, path: one.path === "/" ? this.#at : this.#at + one.path };
  }

  async #lstat(path: ByteString): Promise<Entry | undefined> {
    const inner = this.#inner(path);
    if (inner === undefined) return await this.#lower.stat(path);
    const entry = await this.#upper.stat(inner);
    return entry === undefined ? undefined : { ...entry, path };
  }

  async stat(path: ByteString, options: { follow?: boolean } = {}): Promise<Entry | undefined> {
    if (options.follow !== true) return await this.#lstat(path);
    const { entry } = await this.resolve(path);
    return entry === undefined ? undefined : { ...entry, path };
  }

  /** Where links meet the snapshot they are followed here: those inside of it are the program's. */
  async resolve(path: ByteString): Promise<Resolution> {
    const plain = await this.#lower.resolve(path);
    const met = [...plain.links, ...(plain.entry === undefined ? [] : [plain.entry])];
    if (
      !isBelow(path, this.#at) &&
      plain.entry !== undefined &&
      !met.some((one) => isBelow(one.path, this.#at))
    )
      return plain;
    const tree = new Tree({
      lstat: (at) => this.#lstat(at),
      list: (at) => this.list(at),
      readRange: (at, offset, length) => this.readRange(at, offset, length),
    });
    const { links, entry } = await tree.resolve(path);
    return { links: [...links], entry };
  }

  async list(path: ByteString): Promise<Entry[] | undefined> {
    const inner = this.#inner(path);
    if (inner === undefined) return await this.#lower.list(path);
    return (await this.#upper.list(inner))?.map((entry) => this.#outer(entry));
  }

  async *walk(path: ByteString, options: WalkOptions = {}): AsyncGenerator<Entry | Unreadable, void, void> {
    const { exclude = [] } = options;
    const inner = this.#inner(path);
    if (inner === undefined) {
      yield* this.#lower.walk(path, { ...options, exclude: [...exclude, this.#at] });
      if (!isBelow(this.#at, path)) return;
    }
    for await (const one of this.#upper.walk(inner ?? "/")) {
      const outer = isUnreadable(one) ? { ...one, path: this.#at + one.path } : this.#outer(one);
      if (!exclude.some((prefix) => isBelow(outer.path, prefix))) yield outer;
    }
  }

  async read(path: ByteString, options?: { maxBytes?: number }): Promise<Uint8Array | undefined> {
    const [files, at] = await this.#holder(path);
    return await files.read(at, options);
  }

  async readRange(path: ByteString, offset: number, length: number): Promise<Uint8Array | undefined> {
    const [files, at] = await this.#holder(path);
    return await files.readRange(at, offset, length);
  }

  async stream(path: ByteString): Promise<FileStream | undefined> {
    const inner = this.#inner(path);
    if (inner === undefined) return await this.#lower.stream(path);
    const stream = await this.#upper.stream(inner);
    return stream === undefined ? undefined : { ...stream, entry: { ...stream.entry, path } };
  }

  async #holder(path: ByteString): Promise<[MachineFiles, ByteString]> {
    const { entry } = await this.resolve(path);
    const inner = entry === undefined ? this.#inner(path) : this.#inner(entry.path);
    return inner === undefined ? [this.#lower, path] : [this.#upper, inner];
  }
}

function isBelow(path: ByteString, directory: ByteString): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}
