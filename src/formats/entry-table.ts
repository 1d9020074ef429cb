// Entries of many paths, kept as columns: a machine has hundreds of thousands, and an object of each would take five times the memory.
import type { ByteString, Entry, EntryKind } from "./entry.ts";
import { kindOfMode, modeOfKind } from "./entry.ts";
import { PathNumbers } from "./path-numbers.ts";

/** What few entries have. */
type Rare = Pick<Entry, "rdevMajor" | "rdevMinor" | "target" | "xattrs" | "extents">;

const plain: Rare = { rdevMajor: 0, rdevMinor: 0, target: "", xattrs: [], extents: undefined };

const rowsTogether = 8192;
/** Most tables are small. */
const firstRows = 64;

/** What every entry has, of some thousand rows. */
class Columns {
  /** mode with type, uid, gid, nlink. */
  #words: Uint32Array;
  /** size, blocks. */
  #sizes: Float64Array;
  /** dev, ino, mtime, ctime. */
  #longs: BigInt64Array;

  constructor(rows: number) {
    this.#words = new Uint32Array(4 * rows);
    this.#sizes = new Float64Array(2 * rows);
    this.#longs = new BigInt64Array(4 * rows);
  }

  set(row: number, entry: Entry): void {
    while (row * 2 >= this.#sizes.length) this.#grow();
    const [words, sizes, longs, at] = [this.#words, this.#sizes, this.#longs, row * 4];
    words[at] = modeOfKind(entry.kind) | entry.mode;
    words[at + 1] = entry.uid;
    words[at + 2] = entry.gid;
    words[at + 3] = entry.nlink;
    sizes[row * 2] = entry.size;
    sizes[row * 2 + 1] = entry.blocks;
    longs[at] = entry.dev;
    longs[at + 1] = entry.ino;
    longs[at + 2] = entry.mtime;
    longs[at + 3] = entry.ctime;
  }

  mode(row: number): number {
    return this.#words[row * 4] ?? 0;
  }

  get(row: number): Omit<Entry, "path" | keyof Rare> {
    const [words, longs, at] = [this.#words, this.#longs, row * 4];
    const mode = words[at] ?? 0;
    return {
      kind: kindOfMode(mode) ?? "file",
      mode: mode & 0o7777,
      uid: words[at + 1] ?? 0,
      gid: words[at + 2] ?? 0,
      nlink: words[at + 3] ?? 0,
      dev: BigInt.asUintN(64, longs[at] ?? 0n),
      ino: BigInt.asUintN(64, longs[at + 1] ?? 0n),
      size: this.#sizes[row * 2] ?? 0,
      blocks: this.#sizes[row * 2 + 1] ?? 0,
      mtime: longs[at + 2] ?? 0n,
      ctime: longs[at + 3] ?? 0n,
    };
  }

  #grow(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    const sizes = new Float64Array(this.#sizes.length * 2);
    sizes.set(this.#sizes);
    this.#sizes = sizes;
    const longs = new BigInt64Array(this.#longs.length * 2);
    longs.set(this.#longs);
    this.#longs = longs;
  }
}

/** As a Map by path, in the order in which paths came; what it gives is a copy: nothing but set() changes the table. */
export class EntryTable implements ReadonlyMap<ByteString, Entry> {
  readonly #rows = new PathNumbers();
  /** A text alone is the target of a link that has nothing else. */
  readonly #rare = new Map<number, Rare | ByteString>();
  readonly #columns: Columns[] = [];

  get size(): number {
    return this.#rows.size;
  }

  set(path: ByteString, entry: Entry): this {
    const row = this.#rows.add(path);
    this.#columnsOf(row).set(row % rowsTogether, entry);
    const { rdevMajor, rdevMinor, target, xattrs, extents } = entry;
    const isPlain = rdevMajor === 0 && rdevMinor === 0 && xattrs.length === 0 && extents === undefined;
    if (isPlain && target === "") this.#rare.delete(row);
    else if (isPlain) this.#rare.set(row, target);
    else this.#rare.set(row, { rdevMajor, rdevMinor, target, xattrs, extents });
    return this;
  }

  has(path: ByteString): boolean {
    return this.#rows.get(path) !== undefined;
  }

  get(path: ByteString): Entry | undefined {
    const row = this.#rows.get(path);
    return row === undefined ? undefined : this.#entry(path, row);
  }

  kindOf(path: ByteString): EntryKind | undefined {
    const row = this.#rows.get(path);
    return row === undefined ? undefined : kindOfMode(this.#columnsOf(row).mode(row % rowsTogether));
  }

  #entry(path: ByteString, row: number): Entry {
    const rare = this.#rare.get(row) ?? plain;
    const { rdevMajor, rdevMinor, target, xattrs, extents } =
      typeof rare === "string" ? { ...plain, target: rare } : rare;
    const common = this.#columnsOf(row).get(row % rowsTogether);
    return { path, ...common, rdevMajor, rdevMinor, target, xattrs, extents };
  }

  /** A column that grew as one would be there twice while it grows, and half empty after it. */
  #columnsOf(row: number): Columns {
    const at = Math.floor(row / rowsTogether);
    let columns = this.#columns[at];
    if (columns === undefined) {
      columns = new Columns(at === 0 ? firstRows : rowsTogether);
      this.#columns[at] = columns;
    }
    return columns;
  }

  keys(): MapIterator<ByteString> {
    return this.#rows.paths();
  }

  *values(): Generator<Entry, undefined> {
    let row = 0;
    for (const path of this.#rows.paths()) yield this.#entry(path, row++);
  }

  *entries(): Generator<[ByteString, Entry], undefined> {
    let row = 0;
    for (const path of this.#rows.paths()) yield [path, this.#entry(path, row++)];
  }

  [Symbol.iterator](): Generator<[ByteString, Entry], undefined> {
    return this.entries();
  }

  forEach(call: (entry: Entry, path: ByteString, map: ReadonlyMap<ByteString, Entry>) => void): void {
    for (const [path, entry] of this.entries()) call(entry, path, this);
  }
}
