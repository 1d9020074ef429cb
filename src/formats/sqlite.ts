// Reads the rows of one table of an SQLite database, and nothing else: no SQL, no indexes, no writing.
// Source of the format: "Database File Format" of SQLite's documentation.
//
// Theory. A table is a tree of pages: inner pages (type 5) name their children, leaves (type 13) hold rows, and what of a row
// does not fit lies in a chain of overflow pages. Pages that a write-ahead log holds replace those of the file.
// Each page is read once: what a damaged or hostile database leads to twice is told, so that work is bounded by its size.
import { toByteString } from "./fields.ts";
import type { RandomAccess } from "./random-access.ts";
import { readWal, type WalPages } from "./sqlite-wal.ts";

const magic = "SQLite format 3\0";
const innerPage = 5;
const leafPage = 13;
const maxDepth = 24;
const schemaRoot = 1;

export type SqliteValue = number | string | Uint8Array | null;
export type SqliteRow = { id: number; values: SqliteValue[] } | { problem: string };

export function isSqlite(head: Uint8Array): boolean {
  return head.length >= 100 && toByteString(head.subarray(0, 16)) === magic;
}

export interface SqliteFiles {
  main: RandomAccess;
  /** FILE-wal, where there is one: what was written last may be there alone. */
  log?: RandomAccess | undefined;
}

export interface SqliteLimits {
  /** Bytes of one row; larger ones are told as problems. */
  maxRow: number;
}

/** Every row of the table, or why it cannot be had. A table that is not there is a problem. */
export async function* readSqliteTable(
  files: SqliteFiles,
  table: string,
  limits: SqliteLimits,
): AsyncGenerator<SqliteRow> {
  const head = await files.main.read(0, 100);
  const size = pageSizeOf(head);
  if (typeof size === "string") return yield { problem: size };
  const wal = files.log === undefined ? undefined : await readWal(files.log, size);
  for (const problem of wal?.problems ?? []) yield { problem };
  const first = wal?.pages.get(1) === undefined ? head : await wal.read(1);
  const encoding = viewOf(first).getUint32(56);
  if (encoding > 1) return yield { problem: `texts in encoding ${encoding}, not in UTF-8` };
  const reserved = first[20] ?? 0;
  const pages = new Pages(files.main, wal, { size, usable: size - reserved, maxRow: limits.maxRow });
  if (size - reserved < 480) return yield { problem: `${reserved} bytes reserved in each page` };
  let root: number | undefined;
  for await (const row of pages.rows(schemaRoot)) {
    if ("problem" in row) yield row;
    else if (row.values[0] === "table" && row.values[1] === table && typeof row.values[3] === "number")
      root = row.values[3];
  }
  if (root === undefined) yield { problem: `there is no table ${table}` };
  else yield* pages.rows(root);
}

function pageSizeOf(head: Uint8Array): number | string {
  if (!isSqlite(head)) return "the beginning of the file is none of an SQLite database";
  const written = viewOf(head).getUint16(16);
  const size = written === 1 ? 65_536 : written;
  return size < 512 || (size & (size - 1)) !== 0 ? `pages of ${size} bytes` : size;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface Geometry {
  size: number;
  usable: number;
  maxRow: number;
}

class Pages {
  readonly #file: RandomAccess;
  readonly #wal: WalPages | undefined;
  readonly #geometry: Geometry;
  readonly #count: number;
  readonly #seen: Uint8Array;

  constructor(file: RandomAccess, wal: WalPages | undefined, geometry: Geometry) {
    this.#file = file;
    this.#wal = wal;
    this.#geometry = geometry;
    this.#count = Math.max(Math.floor(file.size / geometry.size), wal?.count ?? 0);
    this.#seen = new Uint8Array(this.#count + 1);
  }

  async *rows(root: number, depth = 0): AsyncGenerator<SqliteRow> {
    if (depth > maxDepth) return yield { problem: `page ${root} is ${depth} levels deep` };
    const page = await this.#page(root);
    if (typeof page === "string") return yield { problem: page };
    const head = root === 1 ? 100 : 0;
    const type = page[head];
    if (type !== innerPage && type !== leafPage)
      return yield { problem: `page ${root} of type ${type} in a table` };
    const view = viewOf(page);
    const cells = view.getUint16(head + 3);
    const array = head + (type === innerPage ? 12 : 8);
    if (array + cells * 2 > this.#geometry.usable)
      return yield { problem: `page ${root} says ${cells} cells` };
    for (let i = 0; i < cells; i++) {
      const at = view.getUint16(array + i * 2);
      if (at < array || at + 4 > this.#geometry.usable) yield { problem: `page ${root}: cell ${i} at ${at}` };
      else if (type === innerPage) yield* this.rows(view.getUint32(at), depth + 1);
      else yield await this.#row(page, at, `page ${root}: cell ${i}`);
    }
    if (type === innerPage) yield* this.rows(view.getUint32(head + 8), depth + 1);
  }

  async #page(number: number): Promise<Uint8Array | string> {
    if (number < 1 || number > this.#count) return `page ${number} of ${this.#count}`;
    if (this.#seen[number] === 1) return `page ${number} is in two places`;
    this.#seen[number] = 1;
    const { size } = this.#geometry;
    const bytes = this.#wal?.pages.has(number)
      ? await this.#wal.read(number)
      : await this.#file.read((number - 1) * size, size);
    return bytes.length === size ? bytes : `the file ends in page ${number}`;
  }

  async #row(page: Uint8Array, at: number, where: string): Promise<SqliteRow> {
    const cell = new Varints(page.subarray(0, this.#geometry.usable), at);
    const length = cell.next();
    const id = cell.next();
    if (cell.broken) return { problem: `${where} breaks off` };
    if (length > this.#geometry.maxRow) return { problem: `${where} is a row of ${length} bytes` };
    const payload = await this.#payload(page, cell.at, length);
    if (typeof payload === "string") return { problem: `${where}: ${payload}` };
    const values = valuesOf(payload);
    return typeof values === "string" ? { problem: `${where}: ${values}` } : { id, values };
  }

  async #payload(page: Uint8Array, at: number, length: number): Promise<Uint8Array | string> {
    const { usable } = this.#geometry;
    const local = localBytes(length, usable);
    const end = at + local + (local < length ? 4 : 0);
    if (end > usable) return "a row that does not end in its page";
    if (local === length) return page.subarray(at, end);
    const whole = new Uint8Array(length);
    whole.set(page.subarray(at, at + local));
    let next = viewOf(page).getUint32(at + local);
    for (let have = local; have < length; ) {
      const more = await this.#page(next);
      if (typeof more === "string") return more;
      const part = more.subarray(4, 4 + Math.min(usable - 4, length - have));
      whole.set(part, have);
      have += part.length;
      next = viewOf(more).getUint32(0);
    }
    return whole;
  }
}

/** How much of a row lies in the leaf itself. */
function localBytes(length: number, usable: number): number {
  if (length <= usable - 35) return length;
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const wish = least + ((length - least) % (usable - 4));
  return wish <= usable - 35 ? wish : least;
}

function valuesOf(payload: Uint8Array): SqliteValue[] | string {
  const head = new Varints(payload, 0);
  const end = head.next();
  if (head.broken || end > payload.length) return "the head of a row is larger than the row";
  const values: SqliteValue[] = [];
  let at = end;
  while (head.at < end) {
    const type = head.next();
    const size = sizeOf(type);
    if (head.broken || head.at > end || at + size > payload.length) return "a value reaches beyond its row";
    values.push(decode(payload, at, type));
    at += size;
  }
  return values;
}

function sizeOf(type: number): number {
  if (type >= 12) return Math.floor((type - 12) / 2);
  return [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0][type] ?? 0;
}

function decode(payload: Uint8Array, at: number, type: number): SqliteValue {
  const bytes = payload.subarray(at, at + sizeOf(type));
  if (type >= 12) return type % 2 === 0 ? bytes : toByteString(bytes);
  if (type === 0 || type > 9) return null;
  if (type >= 8) return type - 8;
  if (type === 7) return viewOf(bytes).getFloat64(0);
  let value = (bytes[0] ?? 0) >= 128 ? -1 : 0;
  for (const byte of bytes) value = value * 256 + byte;
  return value;
}

/** Reads SQLite's integers of 1 to 9 bytes; above 2^53 they lose precision, which makes them too large for anything here. */
class Varints {
  at: number;
  broken = false;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  next(): number {
    let value = 0;
    for (let i = 0; i < 9; i++) {
      const byte = this.#bytes[this.at];
      if (byte === undefined) {
        this.broken = true;
        return 0;
      }
      this.at++;
      if (i === 8) return value * 256 + byte;
      value = value * 128 + (byte & 127);
      if (byte < 128) return value;
    }
    return value;
  }
}
