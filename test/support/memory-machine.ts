// A made-up machine for tests: a tree given as an object of paths.
import { TranshipError } from "../../src/base/errors.ts";
import type { ByteString, Entry, EntryKind } from "../../src/formats/entry.ts";
import type {
  FileStream,
  Machine,
  MachineFiles,
  Resolution,
  Unreadable,
  WalkOptions,
} from "../../src/machine/machine.ts";

export interface MadeUpFile {
  kind?: EntryKind;
  text?: string;
  bytes?: Uint8Array;
  target?: string;
  mode?: number;
  uid?: number;
  mtime?: bigint;
  /** Claimed size on disk, without the content. */
  blocks?: number;
  /** As errno(3): reading it fails. */
  error?: string;
  xattrs?: [string, string][];
}

export type MadeUpTree = Record<string, MadeUpFile | string>;

/** A string is a file's text; "-> TARGET" a symbolic link. */
export function memoryMachine(
  tree: MadeUpTree,
  options: { live?: boolean; kind?: "local" | "rootfs" } = {},
): Machine {
  const files = new MemoryFiles(tree);
  return {
    address: "rootfs:/made-up",
    kind: options.kind ?? "rootfs",
    root: "/made-up",
    files,
    live: options.live ?? false,
    notes: [],
    close: async () => {},
  };
}

class MemoryFiles implements MachineFiles {
  readonly #nodes = new Map<ByteString, MadeUpFile>([["/", { kind: "directory" }]]);

  constructor(tree: MadeUpTree) {
    for (const [path, value] of Object.entries(tree)) {
      for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1)) {
        if (!this.#nodes.has(path.slice(0, at))) this.#nodes.set(path.slice(0, at), { kind: "directory" });
      }
      this.#nodes.set(path, nodeOf(value));
    }
  }

  async stat(path: ByteString, options: { follow?: boolean } = {}): Promise<Entry | undefined> {
    const found = options.follow === true ? this.#canonical(path) : this.#parentResolved(path);
    return found === undefined ? undefined : this.#entry(found, path);
  }

  async list(path: ByteString): Promise<Entry[] | undefined> {
    const directory = this.#canonical(path);
    if (directory === undefined || this.#nodes.get(directory)?.kind !== "directory") return undefined;
    const prefix = directory === "/" ? "/" : `${directory}/`;
    const names = [...this.#nodes.keys()].filter(
      (each) => each !== "/" && each.startsWith(prefix) && !each.slice(prefix.length).includes("/"),
    );
    return names.sort().flatMap((each) => {
      const entry = this.#entry(each, `${path.replace(/\/$/, "")}/${each.slice(prefix.length)}`);
      return entry === undefined ? [] : [entry];
    });
  }

  async *walk(path: ByteString, options: WalkOptions = {}): AsyncIterable<Entry | Unreadable> {
    for (const each of [...this.#nodes.keys()].sort()) {
      if (path !== "/" && each !== path && !each.startsWith(`${path}/`)) continue;
      if (options.exclude?.some((prefix) => each === prefix || each.startsWith(`${prefix}/`)) === true)
        continue;
      const error = this.#nodes.get(each)?.error;
      const entry = this.#entry(each, each);
      if (error !== undefined) yield { path: each, error };
      else if (entry !== undefined) yield entry;
    }
  }

  async resolve(path: ByteString): Promise<Resolution> {
    const canonical = this.#canonical(path);
    return { links: [], entry: canonical === undefined ? undefined : this.#entry(canonical, canonical) };
  }

  async read(path: ByteString): Promise<Uint8Array | undefined> {
    return this.readRange(path, 0, Number.MAX_SAFE_INTEGER);
  }

  async readRange(path: ByteString, offset: number, length: number): Promise<Uint8Array | undefined> {
    const canonical = this.#canonical(path);
    const node = canonical === undefined ? undefined : this.#nodes.get(canonical);
    if (node === undefined) return undefined;
    if (node.error !== undefined) throw new TranshipError("E_IO", `cannot read ${path}: ${node.error}`);
    if (node.kind === "directory") throw new TranshipError("E_IO", `cannot read ${path}: EISDIR`);
    return contentOf(node).subarray(offset, offset + length);
  }

  async stream(_path: ByteString): Promise<FileStream | undefined> {
    return undefined;
  }

  #parentResolved(path: ByteString): ByteString | undefined {
    if (path === "/") return path;
    const cut = path.lastIndexOf("/");
    const parent = this.#canonical(path.slice(0, cut) || "/");
    const own = parent === undefined ? undefined : `${parent === "/" ? "" : parent}/${path.slice(cut + 1)}`;
    return own !== undefined && this.#nodes.has(own) ? own : undefined;
  }

  #canonical(path: ByteString, depth = 0): ByteString | undefined {
    if (depth > 40) return undefined;
    const own = this.#parentResolvedAt(path, depth);
    const node = own === undefined ? undefined : this.#nodes.get(own);
    if (own === undefined || node?.kind !== "symlink") return own;
    const target = node.target ?? "";
    const whole = target.startsWith("/") ? target : `${own.slice(0, own.lastIndexOf("/"))}/${target}`;
    return this.#canonical(clean(whole), depth + 1);
  }

  #parentResolvedAt(path: ByteString, depth: number): ByteString | undefined {
    if (path === "/") return path;
    const cut = path.lastIndexOf("/");
    const parent = this.#canonical(path.slice(0, cut) || "/", depth + 1);
    const own = parent === undefined ? undefined : `${parent === "/" ? "" : parent}/${path.slice(cut + 1)}`;
    return own !== undefined && this.#nodes.has(own) ? own : undefined;
  }

  #entry(node: ByteString, path: ByteString): Entry | undefined {
    const found = this.#nodes.get(node);
    if (found === undefined) return undefined;
    const kind = found.kind ?? "file";
    const size = kind === "file" ? contentOf(found).length : 0;
    return {
      path,
      kind,
      mode: found.mode ?? (kind === "directory" ? 0o755 : 0o644),
      uid: found.uid ?? 0,
      gid: 0,
      nlink: 1,
      dev: 1n,
      ino: 1n,
      size,
      blocks: found.blocks ?? Math.ceil(size / 512),
      mtime: found.mtime ?? 0n,
      ctime: 0n,
      rdevMajor: 1,
      rdevMinor: 3,
      target: found.target ?? "",
      xattrs: found.xattrs ?? [],
      extents: undefined,
    };
  }
}

function nodeOf(value: MadeUpFile | string): MadeUpFile {
  if (typeof value !== "string") return value;
  if (value.startsWith("-> ")) return { kind: "symlink", target: value.slice(3) };
  return { kind: "file", text: value };
}

function contentOf(node: MadeUpFile): Uint8Array {
  return node.bytes ?? Buffer.from(node.text ?? "", "latin1");
}

function clean(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** The first 64 bytes of an ELF file; enough for its architecture. */
export function elfHeader(machine: number, bits: 32 | 64 = 64): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, 1, 1]);
  const view = new DataView(bytes.buffer);
  view.setUint16(16, 2, true);
  view.setUint16(18, machine, true);
  view.setUint32(20, 1, true);
  view.setUint16(bits === 64 ? 52 : 40, bits === 64 ? 64 : 52, true);
  view.setUint16(bits === 64 ? 54 : 42, bits === 64 ? 56 : 32, true);
  return bytes;
}
