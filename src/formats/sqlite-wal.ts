// The write-ahead log of an SQLite database (FILE-wal): pages that were committed and not yet copied into the database.
// Source of the format: "WAL-mode File Format" of SQLite's documentation.
//
// Frames count up to the last one that ends a transaction and whose salts and running checksum fit. What stands behind is
// the rest of an older log or of a transaction that was never finished: SQLite ignores it as well.
import type { RandomAccess } from "./random-access.ts";

export interface WalPages {
  /** Number of a page -> where its content stands in the log. */
  pages: ReadonlyMap<number, number>;
  /** Pages of the database after the last transaction; 0 where the log holds none. */
  count: number;
  problems: string[];
  /** A page that is in `pages`. */
  read(page: number): Promise<Uint8Array>;
}

const headSize = 32;
const frameHead = 24;
/** A log is copied back when it has some 1,000 pages: one as large as this is none. */
const maxLog = 1 << 30;

export async function readWal(log: RandomAccess, pageSize: number): Promise<WalPages> {
  const pages = new Map<number, number>();
  const found: WalPages = {
    pages,
    count: 0,
    problems: [],
    read: (page) => log.read(pages.get(page) ?? 0, pageSize),
  };
  const head = log.size === 0 ? new Uint8Array() : await log.read(0, headSize);
  if (head.length < headSize) return found; // an empty log, or one that was never begun
  const view = viewOf(head);
  const magic = view.getUint32(0);
  if ((magic & 0xfffffffe) >>> 0 !== 0x377f0682 || view.getUint32(8) !== pageSize) {
    found.problems.push(
      "the write-ahead log is not one of this database: what was written last may be missing",
    );
    return found;
  }
  if (log.size > maxLog) {
    found.problems.push(`the write-ahead log has ${log.size} bytes and is not read`);
    return found;
  }
  const sums = new Sums((magic & 1) === 1 ? "big" : "little");
  sums.add(head.subarray(0, 24));
  if (!sums.fits(view, 24)) return found; // begun and not finished: no transaction in it
  const waiting = new Map<number, number>();
  for (let at = headSize; at + frameHead + pageSize <= log.size; at += frameHead + pageSize) {
    const frame = await log.read(at, frameHead + pageSize);
    if (frame.length !== frameHead + pageSize) break;
    const fields = viewOf(frame);
    if (fields.getUint32(8) !== view.getUint32(16) || fields.getUint32(12) !== view.getUint32(20)) break;
    sums.add(frame.subarray(0, 8));
    sums.add(frame.subarray(frameHead));
    if (!sums.fits(fields, 16)) break;
    waiting.set(fields.getUint32(0), at + frameHead);
    const committed = fields.getUint32(4);
    if (committed === 0) continue;
    found.count = committed;
    for (const [page, place] of waiting) pages.set(page, place);
    waiting.clear();
  }
  return found;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The running checksum over pairs of words. */
class Sums {
  #first = 0;
  #second = 0;
  readonly #little: boolean;

  constructor(order: "little" | "big") {
    this.#little = order === "little";
  }

  add(bytes: Uint8Array): void {
    const view = viewOf(bytes);
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      this.#first = (this.#first + view.getUint32(at, this.#little) + this.#second) >>> 0;
      this.#second = (this.#second + view.getUint32(at + 4, this.#little) + this.#first) >>> 0;
    }
  }

  fits(view: DataView, at: number): boolean {
    return view.getUint32(at) === this.#first && view.getUint32(at + 4) === this.#second;
  }
}
