// Entries of the paths that are kept, by who has them already: a second table of a whole machine would be a third of a capture's memory.
import type { ByteString, Entry } from "../../formats/entry.ts";

/** A view: what is added to `kept` later is in it. */
export class KeptEntries implements ReadonlyMap<ByteString, Entry> {
  readonly #kept: ReadonlyMap<ByteString, unknown>;
  readonly #entryOf: (path: ByteString) => Entry | undefined;

  /** entryOf: knows every kept path. */
  constructor(kept: ReadonlyMap<ByteString, unknown>, entryOf: (path: ByteString) => Entry | undefined) {
    this.#kept = kept;
    this.#entryOf = entryOf;
  }

  get size(): number {
    return this.#kept.size;
  }

  has(path: ByteString): boolean {
    return this.#kept.has(path);
  }

  get(path: ByteString): Entry | undefined {
    return this.#kept.has(path) ? this.#entryOf(path) : undefined;
  }

  keys(): MapIterator<ByteString> {
    return this.#kept.keys();
  }

  *values(): Generator<Entry, undefined> {
    for (const [, entry] of this.entries()) yield entry;
  }

  *entries(): Generator<[ByteString, Entry], undefined> {
    for (const path of this.#kept.keys()) {
      const entry = this.#entryOf(path);
      if (entry !== undefined) yield [path, entry];
    }
  }

  [Symbol.iterator](): Generator<[ByteString, Entry], undefined> {
    return this.entries();
  }

  forEach(call: (entry: Entry, path: ByteString, map: ReadonlyMap<ByteString, Entry>) => void): void {
    for (const [path, entry] of this.entries()) call(entry, path, this);
  }
}
