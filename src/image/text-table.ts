// Texts by key, outside of the collector's memory: hundreds of thousands of short strings cost it several times their length, and it looks
// at each of them again and again.
import type { ByteString } from "../formats/entry.ts";

const chunkSize = 1 << 20;
const lengthSize = 4;

/** A map whose values are texts; a text is made anew each time that it is asked for. */
export class TextTable {
  /** Where the length of a text stands: its chunk times chunkSize, and the place in it. */
  readonly #places = new Map<ByteString, number>();
  readonly #chunks: Buffer[] = [];
  #used = chunkSize;

  /** In the order in which they came first. */
  keys(): IterableIterator<ByteString> {
    return this.#places.keys();
  }

  /** The place of an older text of the same key is not used again. */
  set(key: ByteString, text: string): void {
    const length = Buffer.byteLength(text);
    const size = lengthSize + length;
    if (this.#used + size > chunkSize) {
      this.#chunks.push(Buffer.allocUnsafeSlow(Math.max(size, chunkSize)));
      this.#used = 0;
    }
    const last = this.#chunks.length - 1;
    const chunk = this.#chunks[last];
    chunk?.writeUInt32LE(length, this.#used);
    chunk?.write(text, this.#used + lengthSize);
    this.#places.set(key, last * chunkSize + this.#used);
    this.#used += size;
  }

  get(key: ByteString): string | undefined {
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    const chunk = this.#chunks[Math.floor(place / chunkSize)];
    const at = (place % chunkSize) + lengthSize;
    return chunk?.toString("utf8", at, at + chunk.readUInt32LE(at - lengthSize));
  }
}
