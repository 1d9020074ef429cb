// The digest of a recovered file.
import { createHash } from "node:crypto";

const zeros = new Uint8Array(1 << 20);

/** sha256 of a file's whole content, holes as zeros: the same wherever the file is copied to. */
export class ContentHash {
  readonly #hash = createHash("sha256");
  #at = 0;

  add(offset: number, bytes: Uint8Array): void {
    this.#fill(offset);
    this.#hash.update(bytes);
    this.#at = offset + bytes.length;
  }

  end(size: number): string {
    this.#fill(size);
    return `sha256:${this.#hash.digest("hex")}`;
  }

  #fill(to: number): void {
    for (; this.#at < to; this.#at += Math.min(zeros.length, to - this.#at))
      this.#hash.update(zeros.subarray(0, Math.min(zeros.length, to - this.#at)));
  }
}
