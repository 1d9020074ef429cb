// Many small pieces of bytes as few large writes.

const size = 1 << 20;

/** Copies what it is given; one buffer is filled while the other is written. */
export class FrameBatch {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  #buffer: Uint8Array = Buffer.allocUnsafeSlow(size);
  #other: Uint8Array = Buffer.allocUnsafeSlow(size);
  #used = 0;
  #writing: Promise<void> = Promise.resolve();

  /** `write` ends when the bytes are needed no more; it is called for one buffer after the other. */
  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  /** Await the promise where there is one: it holds back the caller while both buffers are full. */
  add(bytes: Uint8Array): Promise<void> | undefined {
    if (bytes.length > size - this.#used) return this.#addAcross(bytes);
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
    return undefined;
  }

  async #addAcross(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#used === size) await this.#send();
      const count = Math.min(bytes.length - at, size - this.#used);
      this.#buffer.set(bytes.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
    }
  }

  /** Writes what is left; all is written when it ends. */
  async flush(): Promise<void> {
    await this.#send();
    await this.#writing;
  }

  async #send(): Promise<void> {
    await this.#writing;
    const bytes = this.#buffer.subarray(0, this.#used);
    [this.#buffer, this.#other] = [this.#other, this.#buffer];
    this.#used = 0;
    this.#writing = this.#write(bytes);
    this.#writing.catch(() => {}); // it is awaited before the next, or by flush()
  }
}
