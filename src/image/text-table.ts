// Texts outside of the collector's memory: hundreds of thousands of short strings cost it several times their length, and it looks
// at each of them again and again.
const chunkSize = 1 << 20;
const lengthSize = 4;

/** Texts by the number that each gets; a text is made anew each time that it is asked for. */
export class Texts {
  readonly #chunks: Buffer[] = [];
  #used = chunkSize;

  append(text: string): number {
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
    const place = last * chunkSize + this.#used;
    this.#used += size;
    return place;
  }

  get(place: number): string {
    const chunk = this.#chunks[Math.floor(place / chunkSize)];
    const at = (place % chunkSize) + lengthSize;
    return chunk?.toString("utf8", at, at + chunk.readUInt32LE(at - lengthSize)) ?? "";
  }
}
