// Berkeley DB's hash tables, as far as rpm uses them (Packages of RHEL 5 to 8 and their like): one key, one value, no logs.
// Source of the format: Berkeley DB's dbinc/db_page.h.
//
// Theory. A metadata page tells page size, byte order (by its magic) and where the pages of each bucket lie: buckets
// were added in doublings, and `spares` holds for each doubling what to add to a bucket's number. A bucket is a chain of
// pages with pairs of key and value; a large value lies in a chain of overflow pages of its own. Each page is read once:
// what a damaged or hostile chain leads to twice is told, so that work is bounded by the size of the file.
import type { RandomAccess } from "./random-access.ts";
import { maxBlob, type RpmBlob } from "./rpm-blob.ts";

const hashMagic = 0x00061561;
const hashMeta = 8;
const hashPages: ReadonlySet<number> = new Set([2, 13]);
const overflowPage = 7;
const pageHead = 26;
const inlineItem = 1;
const offPageItem = 3;

export function isBdbHash(head: Uint8Array): boolean {
  return head.length >= 72 && byteOrder(head) !== undefined;
}

/** Whether little-endian; undefined where it is no hash table. */
function byteOrder(head: Uint8Array): boolean | undefined {
  const view = viewOf(head);
  if (view.getUint32(12, true) === hashMagic) return true;
  return view.getUint32(12, false) === hashMagic ? false : undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface Meta {
  little: boolean;
  pageSize: number;
  lastPage: number;
  maxBucket: number;
  elements: number;
  spares: number[];
}

/** Every header of the database, or why it cannot be had. */
export async function* readBdbHash(file: RandomAccess): AsyncGenerator<RpmBlob> {
  const meta = metaOf(await file.read(0, 512), file.size);
  if (typeof meta === "string") return yield { problem: meta };
  const table = new HashTable(file, meta);
  for (let bucket = 0; bucket <= meta.maxBucket; bucket++) yield* table.bucket(bucket);
  if (table.pairs !== meta.elements) {
    yield {
      problem: `the table counts ${meta.elements} records, ${table.pairs} were found: packages may be missing`,
    };
  }
}

function metaOf(head: Uint8Array, size: number): Meta | string {
  const little = head.length === 512 ? byteOrder(head) : undefined;
  if (little === undefined) return "the beginning of the file is none of a hash table of Berkeley DB";
  const u32 = (at: number): number => viewOf(head).getUint32(at, little);
  const pageSize = u32(20);
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0)
    return `pages of ${pageSize} bytes`;
  if (head[25] !== hashMeta) return `a first page of type ${head[25]}`;
  if (head[24] !== 0) return "the database is encrypted";
  // A file without the flag for checksums has them nowhere.
  if (((head[26] ?? 0) & 1) !== 0) return "a database with checksums, which rpm never makes";
  const lastPage = u32(32);
  const maxBucket = u32(72);
  if ((lastPage + 1) * pageSize > size)
    return `${lastPage + 1} pages of ${pageSize} bytes in a file of ${size}`;
  if (maxBucket > lastPage) return `${maxBucket + 1} buckets in ${lastPage + 1} pages`;
  const spares = Array.from({ length: 32 }, (_, i) => u32(96 + i * 4));
  return { little, pageSize, lastPage, maxBucket, elements: u32(88), spares };
}

interface Page {
  number: number;
  bytes: Uint8Array;
  view: DataView;
  next: number;
  entries: number;
  /** Of an overflow page: bytes of data. */
  used: number;
  type: number;
}

class HashTable {
  /** Pairs of key and value found. */
  pairs = 0;
  readonly #file: RandomAccess;
  readonly #meta: Meta;
  readonly #seen: Uint8Array;

  constructor(file: RandomAccess, meta: Meta) {
    this.#file = file;
    this.#meta = meta;
    this.#seen = new Uint8Array(meta.lastPage + 1);
  }

  async *bucket(number: number): AsyncGenerator<RpmBlob> {
    const spare = this.#meta.spares[number === 0 ? 0 : 32 - Math.clz32(number)] ?? 0;
    let at = number + spare;
    while (at !== 0) {
      const page = await this.#page(at);
      if (typeof page === "string") return yield { problem: `bucket ${number}: ${page}` };
      if (page.type === 0 && page.entries === 0) return; // a bucket that was made and never used
      if (!hashPages.has(page.type))
        return yield { problem: `bucket ${number}: page ${at} has type ${page.type}` };
      yield* this.#pairs(page);
      at = page.next;
    }
  }

  async #page(number: number): Promise<Page | string> {
    const { pageSize, lastPage, little } = this.#meta;
    if (number > lastPage) return `page ${number} of ${lastPage + 1}`;
    if (this.#seen[number] === 1) return `page ${number} is in two chains`;
    this.#seen[number] = 1;
    const bytes = await this.#file.read(number * pageSize, pageSize);
    if (bytes.length !== pageSize) return `the file ends in page ${number}`;
    const view = viewOf(bytes);
    const type = bytes[25] ?? 0;
    if (type !== 0 && view.getUint32(8, little) !== number) return `page ${number} has another number inside`;
    return {
      number,
      bytes,
      view,
      type,
      next: view.getUint32(16, little),
      entries: view.getUint16(20, little),
      used: view.getUint16(22, little),
    };
  }

  async *#pairs(page: Page): AsyncGenerator<RpmBlob> {
    const items = itemsOf(page, this.#meta.little);
    if (typeof items === "string") return yield { problem: `page ${page.number}: ${items}` };
    for (let i = 0; i + 1 < items.length; i += 2) {
      this.pairs++;
      const key = await this.#value(items[i] ?? page.bytes);
      const value = await this.#value(items[i + 1] ?? page.bytes);
      if (typeof key === "string") yield { problem: `page ${page.number}: a key: ${key}` };
      else if (key.length !== 4) yield { problem: `page ${page.number}: a key of ${key.length} bytes` };
      else {
        const number = viewOf(key).getUint32(0, this.#meta.little);
        // Record 0 holds the highest number in use.
        if (number === 0) continue;
        if (typeof value === "string") yield { problem: `package ${number}: ${value}` };
        else yield { key: number, bytes: value };
      }
    }
  }

  async #value(item: Uint8Array): Promise<Uint8Array | string> {
    if (item[0] === inlineItem) return item.subarray(1);
    if (item[0] !== offPageItem || item.length !== 12)
      return `an item of type ${item[0]} and ${item.length} bytes`;
    const view = viewOf(item);
    const length = view.getUint32(8, this.#meta.little);
    if (length > maxBlob) return `a value of ${length} bytes`;
    return await this.#overflow(view.getUint32(4, this.#meta.little), length);
  }

  async #overflow(first: number, length: number): Promise<Uint8Array | string> {
    const parts: Uint8Array[] = [];
    let have = 0;
    for (let at = first; at !== 0; ) {
      const page = await this.#page(at);
      if (typeof page === "string") return page;
      if (page.type !== overflowPage) return `page ${at} has type ${page.type}, not that of a large value`;
      if (page.used > page.bytes.length - pageHead) return `page ${at} holds ${page.used} bytes`;
      parts.push(page.bytes.slice(pageHead, pageHead + page.used));
      have += page.used;
      if (have > length) break;
      at = page.next;
    }
    if (have !== length) return `a value of ${length} bytes, of which ${have} were found`;
    const whole = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

/** Items lie from the end of the page downwards; their places stand behind the head of the page. */
function itemsOf(page: Page, little: boolean): Uint8Array[] | string {
  const { entries, view, bytes } = page;
  if (entries % 2 !== 0 || pageHead + entries * 2 > bytes.length) return `${entries} entries`;
  const items: Uint8Array[] = [];
  let end = bytes.length;
  for (let i = 0; i < entries; i++) {
    const start = view.getUint16(pageHead + i * 2, little);
    if (start < pageHead + entries * 2 || start >= end) return `entry ${i} at ${start}`;
    items.push(bytes.subarray(start, end));
    end = start;
  }
  return items;
}
