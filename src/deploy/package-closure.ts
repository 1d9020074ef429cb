// Whether a package is closed: every library and interpreter that its programs need is inside. Works on its unpacked layers: in memory is of
// each path only in which layer it is on top, and the names of links and of what may be a program or a library.
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { join } from "../closure/tree.ts";
import { type ClosureFinding, verifyPaths } from "../closure/verify.ts";
import { type ByteString, type Entry, kindOfMode } from "../formats/entry.ts";
import { encodeText } from "../formats/escape.ts";
import { errnoOf } from "../host/files.ts";
import type { StateRoot } from "../host/state-root.ts";
import { type LayerEvent, readLayer } from "../image/layer-reader.ts";
import { PathTable } from "../image/path-table.ts";
import type { ImageStore } from "../image/store.ts";
import { ensureLayer } from "../image/unpack.ts";

/** Layers need not hold their own root. */
const rootEntry: Entry = {
  path: "/", kind: "directory", mode: 0o755, size: 0, uid: 0, gid: 0, nlink: 1, dev: 0n, ino: 0n, blocks: 0, mtime: 0n, ctime: 0n,
  rdevMajor: 0, rdevMinor: 0, target: "", xattrs: [], extents: undefined,
}; // biome-ignore format: a table

export async function packageClosure(
  root: StateRoot,
  store: ImageStore,
  reference: string,
): Promise<ClosureFinding[]> {
  const tree = new LayerTree();
  for (const layer of store.image(reference).layers) {
    tree.begin(await ensureLayer(root, store, layer.diffId));
    for await (const events of readLayer({ store, layer })) for (const event of events) tree.add(event);
  }
  return await verifyPaths(tree, tree.candidates(), { atHand: true });
}

class LayerTree {
  /** Directories of the layers, as byte strings, the lowest first. */
  readonly #layers: ByteString[] = [];
  /** Numbers are twice the layer's, counted from 1, and one more for directories. */
  readonly #paths = new PathTable((number) => number % 2 === 1);
  readonly #candidates = new Set<ByteString>();

  begin(directory: string): void {
    this.#paths.beginLayer(this.#layers.length * 2 + 1);
    this.#layers.push(encodeText(directory));
  }

  add(event: LayerEvent): void {
    if (event.type === "whiteout") this.#paths.remove(event.path);
    else if (event.type === "opaque") this.#paths.clear(event.path);
    else if (event.type === "entry") {
      const { entry, hardlinkTo } = event;
      this.#paths.set(entry.path, this.#layers.length * 2 + (entry.kind === "directory" ? 1 : 0));
      if (hardlinkTo !== undefined || mayMatter(entry)) this.#candidates.add(entry.path);
    }
  }

  /** Paths that may lack something, sorted. */
  candidates(): ByteString[] {
    return [...this.#candidates].filter((path) => this.#paths.get(path) !== undefined).sort();
  }

  async lstat(path: ByteString): Promise<Entry | undefined> {
    const number = this.#paths.get(path);
    if (number === undefined) return undefined;
    if (path === "/" || number === 0) return { ...rootEntry, path };
    return entryAt(this.#onDisk(number, path), path);
  }

  async list(path: ByteString): Promise<Entry[] | undefined> {
    const names = new Set<ByteString>();
    for (const layer of this.#layers) for (const name of namesIn(layer + path)) names.add(name);
    const entries = await Promise.all([...names].map((name) => this.lstat(join(path, name))));
    return entries.filter((entry) => entry !== undefined);
  }

  async readRange(path: ByteString, offset: number, length: number): Promise<Uint8Array | undefined> {
    const number = this.#paths.get(path) ?? 0;
    if (number === 0 || number % 2 === 1) return undefined;
    const name = this.#onDisk(number, path);
    return entryAt(name, path)?.kind === "file" ? readPart(name, { offset, length }) : undefined;
  }

  /** path is canonical inside its layer: the layer's own writer made it, no link is on the way. */
  #onDisk(number: number, path: ByteString): Buffer {
    return Buffer.from((this.#layers[(number >> 1) - 1] ?? "") + path, "latin1");
  }
}

/** Links, and what by its mode or name is a program or a library. */
function mayMatter({ kind, mode, path }: Entry): boolean {
  if (kind !== "file") return kind === "symlink";
  return (mode & 0o111) !== 0 || /\.(so|node|jnilib)(\.|$)/.test(path.slice(path.lastIndexOf("/") + 1));
}

function entryAt(name: Buffer, path: ByteString): Entry | undefined {
  const stat = lstatSync(name, { throwIfNoEntry: false });
  const kind = stat === undefined ? undefined : kindOfMode(stat.mode);
  if (stat === undefined || kind === undefined) return undefined;
  const target = kind === "symlink" ? readlinkSync(name, { encoding: "latin1" }) : "";
  return { ...rootEntry, path, kind, mode: stat.mode & 0o7777, size: stat.size, target };
}

function namesIn(directory: ByteString): ByteString[] {
  try {
    return readdirSync(Buffer.from(directory, "latin1"), { encoding: "latin1" });
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT" || errnoOf(cause) === "ENOTDIR") return [];
    throw cause;
  }
}

function readPart(name: Buffer, range: { offset: number; length: number }): Uint8Array {
  const fd = openSync(name, "r");
  try {
    const bytes = Buffer.alloc(range.length);
    return bytes.subarray(0, readSync(fd, bytes, 0, range.length, range.offset));
  } finally {
    closeSync(fd);
  }
}
