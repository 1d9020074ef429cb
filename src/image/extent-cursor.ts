// Puts data into the extents that a tar header has announced; what the source left out inside them is zeros.
import type { TranshipError } from "../base/errors.ts";
import type { Extent } from "../formats/entry.ts";

const zeros = new Uint8Array(64 * 1024);

export class ExtentCursor {
  readonly #extents: readonly Extent[];
  readonly #append: (bytes: Uint8Array) => Promise<void> | undefined;
  #index = 0;
  #inExtent = 0;
  written = 0;

  constructor(extents: readonly Extent[], append: (bytes: Uint8Array) => Promise<void> | undefined) {
    this.#extents = extents;
    this.#append = append;
  }

  async data(offset: number, bytes: Uint8Array, changedError: () => TranshipError): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      await this.#zerosUntil(offset + at);
      const extent = this.#extents[this.#index];
      // Data where the entry had a hole: the file was written to since.
      if (extent === undefined || offset + at < extent.offset) throw changedError();
      const count = Math.min(bytes.length - at, extent.length - this.#inExtent);
      await this.#put(bytes.subarray(at, at + count));
      at += count;
    }
  }

  async finish(): Promise<void> {
    await this.#zerosUntil(Number.POSITIVE_INFINITY);
  }

  /** Fills what the source skipped inside extents before `offset`. */
  async #zerosUntil(offset: number): Promise<void> {
    for (;;) {
      const extent = this.#extents[this.#index];
      if (extent === undefined) return;
      const gap = Math.min(offset, extent.offset + extent.length) - (extent.offset + this.#inExtent);
      if (gap <= 0) return;
      await this.#put(zeros.subarray(0, Math.min(gap, zeros.length)));
    }
  }

  async #put(bytes: Uint8Array): Promise<void> {
    const wait = this.#append(bytes);
    if (wait !== undefined) await wait;
    this.written += bytes.length;
    this.#inExtent += bytes.length;
    if (this.#inExtent === this.#extents[this.#index]?.length) {
      this.#index++;
      this.#inExtent = 0;
    }
  }
}
