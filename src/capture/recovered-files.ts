// A machine seen through a directory of recovered files: where a path is among them, they are what is there.

import { Tree } from "../closure/tree.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { encodeText } from "../formats/escape.ts";
import type {
  FileStream,
  Machine,
  MachineFiles,
  Resolution,
  Unreadable,
  WalkOptions,
} from "../machine/machine.ts";
import { hostRoot, isUnreadable } from "../machine/machine.ts";
import { TreeFiles } from "../machine/tree-files.ts";

/** `directory` holds the files under their own paths. Closing it leaves the machine below open. */
export function withRecovered(machine: Machine, directory: string, paths: readonly ByteString[]): Machine {
  if (paths.length === 0) return { ...machine, close: async () => {} };
  const upper = new TreeFiles(directory);
  const files = new RecoveredFiles(machine.files, upper, new Set(paths));
  return {
    ...machine,
    files,
    placeOf: (path) =>
      files.holds(path)
        ? encodeText(directory) + path
        : (machine.placeOf?.(path) ?? plainPlace(machine, path)),
    close: () => upper.close(),
  };
}

export function plainPlace(machine: Machine, path: ByteString): ByteString {
  return (machine.root === "/" ? "" : encodeText(hostRoot(machine))) + path;
}

class RecoveredFiles implements MachineFiles {
  readonly #lower: MachineFiles;
  readonly #upper: MachineFiles;
  readonly #paths: ReadonlySet<ByteString>;
  /** Directories above recovered files: they may have gone with them. */
  readonly #above = new Set<ByteString>();

  constructor(lower: MachineFiles, upper: MachineFiles, paths: ReadonlySet<ByteString>) {
    this.#lower = lower;
    this.#upper = upper;
    this.#paths = paths;
    for (const path of paths)
      for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1))
        this.#above.add(path.slice(0, at));
  }

  holds(path: ByteString): boolean {
    return this.#paths.has(path);
  }

  async #lstat(path: ByteString): Promise<Entry | undefined> {
    if (this.#paths.has(path)) return await this.#upper.stat(path);
    const there = await this.#lower.stat(path);
    return there === undefined && this.#above.has(path) ? await this.#upper.stat(path) : there;
  }

  async stat(path: ByteString, options: { follow?: boolean } = {}): Promise<Entry | undefined> {
    if (options.follow === true) {
      const { entry } = await this.resolve(path);
      return entry === undefined ? undefined : { ...entry, path };
    }
    return await this.#lstat(path);
  }

  /** Where the machine has no such path, or it leads to a recovered one, links are followed here. */
  async resolve(path: ByteString): Promise<Resolution> {
    const plain = await this.#lower.resolve(path);
    if (plain.entry !== undefined && !this.#paths.has(plain.entry.path)) return plain;
    const tree = new Tree({
      lstat: (at) => this.#lstat(at),
      list: (at) => this.list(at),
      readRange: (at, offset, length) => this.readRange(at, offset, length),
    });
    const { links, entry } = await tree.resolve(path);
    return { links: [...links], entry };
  }

  async list(path: ByteString): Promise<Entry[] | undefined> {
    const there = await this.#lower.list(path);
    const added = this.#above.has(path) || path === "/" ? ((await this.#upper.list(path)) ?? []) : [];
    if (added.length === 0) return there;
    const names = new Map((there ?? []).map((entry) => [entry.path, entry]));
    for (const entry of added)
      if (this.#paths.has(entry.path) || !names.has(entry.path)) names.set(entry.path, entry);
    return [...names.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** What has no name on the machine comes last. */
  async *walk(path: ByteString, options: WalkOptions = {}): AsyncGenerator<Entry | Unreadable, void, void> {
    const met = new Set<ByteString>();
    for await (const one of this.#lower.walk(path, options)) {
      if (!isUnreadable(one) && this.#paths.has(one.path)) {
        met.add(one.path);
        yield (await this.#upper.stat(one.path)) ?? one;
      } else yield one;
    }
    const left = (at: ByteString): boolean =>
      !met.has(at) && isBelow(at, path) && !(options.exclude ?? []).some((prefix) => isBelow(at, prefix));
    for (const at of [...this.#paths].filter(left).sort()) {
      const entry = await this.#upper.stat(at);
      if (entry !== undefined) yield entry;
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
    return await (this.#paths.has(path) ? this.#upper : this.#lower).stream(path);
  }

  /** Who has the content of what a path names, links followed, and under which path. */
  async #holder(path: ByteString): Promise<[MachineFiles, ByteString]> {
    if (this.#paths.has(path)) return [this.#upper, path];
    const { entry } = await this.resolve(path);
    return entry !== undefined && this.#paths.has(entry.path)
      ? [this.#upper, entry.path]
      : [this.#lower, path];
  }
}

function isBelow(path: ByteString, directory: ByteString): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}
