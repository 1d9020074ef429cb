// A tree of files as path resolution needs it: lstat answers are cached, links are followed here, inside the tree.
// The same code resolves on a machine and inside a package, so that both find the same file for the same name.
import { isTranshipError } from "../base/errors.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import type { MachineFiles } from "../machine/machine.ts";

/** What resolution asks of a tree. Paths are canonical: no component but the last is a symbolic link. */
export interface TreeSource {
  lstat(path: ByteString): Promise<Entry | undefined>;
  list(path: ByteString): Promise<Entry[] | undefined>;
  readRange(path: ByteString, offset: number, length: number): Promise<Uint8Array | undefined>;
}

export interface Resolved {
  /** Symbolic links met on the way, in order. */
  links: readonly Entry[];
  entry: Entry | undefined;
  /** Canonical path of the entry; where there is none, the path at which resolution ended. */
  at: ByteString;
}

const maxLinks = 40;

export class Tree {
  readonly source: TreeSource;
  readonly #entries = new Map<ByteString, Entry | undefined | Promise<Entry | undefined>>();
  readonly #lists = new Map<ByteString, Promise<Entry[] | undefined>>();
  readonly #resolved = new Map<ByteString, Resolved>();

  readonly #atHand: boolean;

  /** atHand: entries cost nothing to ask for, and are not kept a second time. */
  constructor(source: TreeSource, { atHand = false }: { atHand?: boolean } = {}) {
    this.source = source;
    this.#atHand = atHand;
  }

  lstat(path: ByteString): Promise<Entry | undefined> {
    if (this.#atHand) return this.source.lstat(path);
    const known = this.#entries.get(path);
    if (known !== undefined || this.#entries.has(path)) return Promise.resolve(known);
    const asked = this.source.lstat(path).then((entry) => {
      this.#entries.set(path, entry);
      return entry;
    });
    this.#entries.set(path, asked);
    return asked;
  }

  /** Tells what a walk has already seen. */
  know(entry: Entry): void {
    if (!this.#atHand && !this.#entries.has(entry.path)) this.#entries.set(entry.path, entry);
  }

  /** Entries of a directory by its canonical path; undefined where it is none. */
  list(path: ByteString): Promise<Entry[] | undefined> {
    let list = this.#lists.get(path);
    if (list === undefined) {
      list = this.source.list(path).then((entries) => {
        for (const entry of entries ?? []) this.know(entry);
        return entries;
      });
      this.#lists.set(path, list);
    }
    return list;
  }

  /** Follows every link, the last component included. */
  async resolve(path: ByteString, depth = 0): Promise<Resolved> {
    const known = this.#resolved.get(path);
    if (known !== undefined) return known;
    const resolved = await this.#resolve(path, depth);
    // Directories are asked for again by all that is in them.
    const again = !this.#atHand || resolved.entry?.kind === "directory";
    if (depth === 0 && again) this.#resolved.set(path, resolved);
    return resolved;
  }

  async #resolve(path: ByteString, depth: number): Promise<Resolved> {
    const cut = path.lastIndexOf("/");
    const name = path.slice(cut + 1);
    if (cut <= 0 && (name === "" || name === "." || name === "..")) {
      return { links: [], entry: await this.lstat("/"), at: "/" };
    }
    const parent = await this.resolve(cut <= 0 ? "/" : path.slice(0, cut), depth);
    if (name === "" || name === ".") return parent;
    if (parent.entry?.kind !== "directory") return { ...parent, entry: undefined, at: join(parent.at, name) };
    if (name === "..") {
      const up = dirname(parent.at);
      return { links: parent.links, entry: await this.lstat(up), at: up };
    }
    const at = join(parent.at, name);
    const entry = await this.lstat(at);
    if (entry?.kind !== "symlink") return { links: parent.links, entry, at };
    const links = [...parent.links, entry];
    if (depth >= maxLinks || entry.target === "") return { links, entry: undefined, at };
    const target = entry.target.startsWith("/") ? entry.target : join(parent.at, entry.target);
    const rest = await this.resolve(target, depth + 1);
    return { ...rest, links: [...links, ...rest.links] };
  }

  /** Up to `maxBytes` of a file by any of its names; undefined where there is none or it cannot be read. */
  async read(path: ByteString, maxBytes: number): Promise<Uint8Array | undefined> {
    const { entry } = await this.resolve(path);
    if (entry?.kind !== "file") return undefined;
    return this.source.readRange(entry.path, 0, Math.min(entry.size, maxBytes)).catch(() => undefined);
  }

  /** As read(), as a byte string. */
  async text(path: ByteString, maxBytes = 1 << 20): Promise<ByteString | undefined> {
    const bytes = await this.read(path, maxBytes);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString("latin1");
  }
}

export function join(directory: ByteString, name: ByteString): ByteString {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

export function dirname(path: ByteString): ByteString {
  const cut = path.lastIndexOf("/");
  return cut <= 0 ? "/" : path.slice(0, cut);
}

export function basename(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Whether `path` is `directory` or below it. */
export function isBelow(path: ByteString, directory: ByteString): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}

export function machineTree(files: MachineFiles): Tree {
  return new Tree({
    lstat: (path) => files.stat(path, { follow: false }).catch(unreadableIsAbsent),
    list: (path) => files.list(path).catch(unreadableIsAbsent),
    readRange: (path, offset, length) => files.readRange(path, offset, length),
  });
}

/** What may not be read cannot be packed: whoever asked for it by name gets it reported as missing. */
function unreadableIsAbsent(cause: unknown): undefined {
  if (isTranshipError(cause, "E_IO")) return undefined;
  throw cause;
}
