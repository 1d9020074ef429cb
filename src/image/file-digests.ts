// Digests of a file's content while its data goes by: of the data alone, as the packing list has it, and of the content with its holes as
// zeros, as `sha256sum` of the file would give it.
import type { Extent } from "../formats/entry.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { Digester } from "./digest.ts";

export interface ContentDigests {
  sha1: string;
  sha256: string;
}

/** Zeros beyond this are not hashed: a file of terabytes of nothing must not hold up a capture. */
const maxHoles = 1 << 30;
const zeros = new Uint8Array(1 << 20);

export class FileDigests {
  readonly #data = new Digester();
  readonly #sha1: Digester | undefined;
  /** undefined: the data is all there is, and #data has it. */
  readonly #whole: Digester | undefined;
  readonly #extents: readonly Extent[];
  readonly #size: number;
  #index = 0;
  #inExtent = 0;
  #at = 0;

  /** `extents` in ascending order; what is between them, and behind the last one up to `size`, is a hole. */
  constructor(extents: readonly Extent[], size: number) {
    this.#extents = extents;
    this.#size = size;
    const holes = size - extents.reduce((sum, extent) => sum + extent.length, 0);
    this.#sha1 = holes > maxHoles ? undefined : new Digester("sha1:");
    this.#whole = holes > 0 && this.#sha1 !== undefined ? new Digester() : undefined;
  }

  /** Data of the extents, one behind the other. */
  update(bytes: Uint8Array): void {
    this.#data.update(bytes);
    if (this.#whole === undefined) this.#sha1?.update(bytes);
    else this.#place(bytes);
  }

  #place(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const extent = this.#extents[this.#index];
      if (extent === undefined) return;
      this.#fill(extent.offset);
      const piece = bytes.subarray(done, done + extent.length - this.#inExtent);
      this.#add(piece);
      done += piece.length;
      this.#inExtent += piece.length;
      if (this.#inExtent < extent.length) continue;
      this.#index++;
      this.#inExtent = 0;
    }
  }

  #fill(to: number): void {
    if (this.#inExtent > 0) return;
    while (this.#at < to) this.#add(zeros.subarray(0, Math.min(zeros.length, to - this.#at)));
  }

  #add(bytes: Uint8Array): void {
    this.#sha1?.update(bytes);
    this.#whole?.update(bytes);
    this.#at += bytes.length;
  }

  /** Once, at the end. content: undefined where the holes are too large. */
  finish(): { data: Digest; content: ContentDigests | undefined } {
    this.#inExtent = 0;
    if (this.#whole !== undefined) this.#fill(this.#size);
    const data = this.#data.digest();
    const sha1 = this.#sha1?.digest();
    if (sha1 === undefined) return { data, content: undefined };
    const plain = (digest: string): string => digest.slice(digest.indexOf(":") + 1);
    return { data, content: { sha1: plain(sha1), sha256: plain(this.#whole?.digest() ?? data) } };
  }
}
