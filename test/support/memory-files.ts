// A machine of a few files, for tests of rules.

import { Tree } from "../../src/closure/tree.ts";
import type { ByteString, Entry } from "../../src/formats/entry.ts";
import type { MachineFiles } from "../../src/machine/machine.ts";

export interface MemoryFile {
  content?: string | Uint8Array;
  link?: string;
  directory?: boolean;
  mode?: number;
}

/** "x" is a file's content; parents come by themselves. */
export function memoryFiles(files: Record<ByteString, string | Uint8Array | MemoryFile>): MachineFiles {
  const entries = new Map<ByteString, Entry>();
  const contents = new Map<ByteString, Uint8Array>();
  const put = (path: ByteString, kind: Entry["kind"], mode: number, target = "", size = 0): void => {
    entries.set(path, {
      path, kind, mode, uid: 0, gid: 0, nlink: 1, dev: 1n, ino: BigInt(entries.size + 1), size, blocks: 0, mtime: 0n,
      ctime: 0n, rdevMajor: 0, rdevMinor: 0, target, xattrs: [], extents: undefined,
    }); // biome-ignore format: a record
    const parent = path.slice(0, path.lastIndexOf("/")) || "/";
    if (path !== "/" && !entries.has(parent)) put(parent, "directory", 0o755);
  };
  put("/", "directory", 0o755);
  for (const [path, given] of Object.entries(files)) {
    const file = typeof given === "string" || given instanceof Uint8Array ? { content: given } : given;
    if (file.link !== undefined) put(path, "symlink", 0o777, file.link);
    else if (file.directory === true) put(path, "directory", file.mode ?? 0o755);
    else {
      const bytes =
        typeof file.content === "string"
          ? Buffer.from(file.content, "latin1")
          : (file.content ?? new Uint8Array());
      contents.set(path, bytes);
      put(path, "file", file.mode ?? 0o644, "", bytes.length);
    }
  }
  return new MemoryFiles(entries, contents);
}

class MemoryFiles implements MachineFiles {
  readonly #entries: ReadonlyMap<ByteString, Entry>;
  readonly #contents: ReadonlyMap<ByteString, Uint8Array>;
  readonly #tree: Tree;

  constructor(entries: ReadonlyMap<ByteString, Entry>, contents: ReadonlyMap<ByteString, Uint8Array>) {
    this.#entries = entries;
    this.#contents = contents;
    this.#tree = new Tree({
      lstat: async (path) => entries.get(path),
      list: async (path) => this.#children(path),
      readRange: async (path, offset, length) => contents.get(path)?.subarray(offset, offset + length),
    });
  }

  #children(path: ByteString): Entry[] | undefined {
    if (this.#entries.get(path)?.kind !== "directory") return undefined;
    const prefix = path === "/" ? "/" : `${path}/`;
    const below = [...this.#entries.values()].filter(
      (one) => one.path !== "/" && one.path.startsWith(prefix),
    );
    return below.filter((one) => !one.path.slice(prefix.length).includes("/")).sort(byPath);
  }

  async stat(path: ByteString, options: { follow?: boolean } = {}): Promise<Entry | undefined> {
    return options.follow === false ? this.#entries.get(path) : (await this.#tree.resolve(path)).entry;
  }

  async list(path: ByteString): Promise<Entry[] | undefined> {
    const { entry } = await this.#tree.resolve(path);
    return entry === undefined ? undefined : this.#children(entry.path);
  }

  async *walk(path: ByteString): AsyncIterable<Entry> {
    const prefix = path === "/" ? "/" : `${path}/`;
    yield* [...this.#entries.values()]
      .filter((one) => one.path === path || one.path.startsWith(prefix))
      .sort(byPath);
  }

  async resolve(path: ByteString): Promise<{ links: Entry[]; entry: Entry | undefined }> {
    const { links, entry } = await this.#tree.resolve(path);
    return { links: [...links], entry };
  }

  async read(path: ByteString): Promise<Uint8Array | undefined> {
    const { entry } = await this.#tree.resolve(path);
    return entry === undefined ? undefined : this.#contents.get(entry.path);
  }

  async readRange(path: ByteString, offset: number, length: number): Promise<Uint8Array | undefined> {
    return (await this.read(path))?.subarray(offset, offset + length);
  }

  stream(): Promise<never> {
    throw new Error("not part of these tests");
  }
}

function byPath(a: Entry, b: Entry): number {
  return a.path < b.path ? -1 : 1;
}
