// Keeps the start and the end of a file that flows by, and looks into what is packed. The places for them are used again for the next file.
import { once } from "node:events";
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import {
  type FileEnds,
  headSize,
  kernelPartByContent,
  packedBy,
  tailSize,
  wantsTail,
} from "../formats/kernel-part.ts";

/** Of what tells how a file is packed. */
const markLength = 4;
/** What is packed is unpacked up to here: longer ones are no modules any more. */
const mostUnpacked = 2 ** 30;

export class FileEndsCollector {
  readonly #plain = new Ends();
  readonly #inside = new Ends();
  #packed: PackedEnds | undefined;

  /** For the next file; what was kept of the one before is gone. */
  begin(): void {
    this.#plain.clear();
    this.#packed?.end();
    this.#packed = undefined;
  }

  /** Await the promise where there is one. Holes are passed over: no kernel part has one where it would matter. */
  push(offset: number, bytes: Uint8Array): Promise<void> | undefined {
    const before = this.#plain.headLength;
    this.#plain.push(offset, bytes);
    if (before < markLength && this.#plain.headLength >= markLength) {
      const packed = packedBy(this.#plain.head);
      if (packed === undefined) return undefined;
      this.#packed = new PackedEnds(packed, this.#inside);
      if (before > 0) void this.#packed.push(this.#plain.head.subarray(0, before));
    }
    return this.#packed?.push(bytes);
  }

  /** Why the file is a part of a kernel; undefined where it is none. */
  async verdict(): Promise<string | undefined> {
    const plain = kernelPartByContent(this.#plain.ends());
    if (plain !== undefined || this.#packed === undefined) return plain;
    await this.#packed.finish();
    return kernelPartByContent(this.#inside.ends());
  }
}

/** What comes out of packed content; the end only where it is an ELF file. What cannot be unpacked is no kernel part. */
class PackedEnds {
  readonly #stream: ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;
  #done = false;

  constructor(packed: "gzip" | "zstd", ends: Ends) {
    ends.clear();
    this.#stream =
      packed === "gzip" ? createGunzip({ finishFlush: constants.Z_SYNC_FLUSH }) : createZstdDecompress({});
    // Cut off or damaged: what came out so far is looked at.
    this.#stream.on("error", () => this.end());
    let size = 0;
    this.#stream.on("data", (chunk: Uint8Array) => {
      ends.push(size, chunk);
      size += chunk.length;
      // Nothing that comes later can change the verdict.
      if (size > mostUnpacked || (ends.headLength >= headSize && !wantsTail(ends.head))) this.end();
    });
  }

  push(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#done) return undefined;
    // A copy: the decoder may still be at it when it was told to end.
    return new Promise((resolve) => this.#stream.write(Uint8Array.from(bytes), () => resolve()));
  }

  async finish(): Promise<void> {
    if (this.#done) return;
    const closed = once(this.#stream, "close").catch(() => {});
    this.#stream.end();
    await closed;
  }

  end(): void {
    this.#done = true;
    this.#stream.destroy();
  }
}

/** The first headSize and, where the start asks for them, the last tailSize bytes. */
class Ends {
  readonly #head = Buffer.allocUnsafeSlow(headSize);
  /** A ring: what is appended begins at #next. Made when it is first needed. */
  #ring = Buffer.alloc(0);
  #line = Buffer.alloc(0);
  #next = 0;
  #kept = 0;
  #size = 0;
  headLength = 0;

  get head(): Uint8Array {
    return this.#head.subarray(0, this.headLength);
  }

  clear(): void {
    this.#next = 0;
    this.#kept = 0;
    this.#size = 0;
    this.headLength = 0;
  }

  push(offset: number, bytes: Uint8Array): void {
    if (this.headLength < headSize && offset === this.headLength) {
      const more = bytes.subarray(0, headSize - this.headLength);
      this.#head.set(more, this.headLength);
      this.headLength += more.length;
    }
    this.#size = offset + bytes.length;
    if (wantsTail(this.head)) this.#append(bytes.subarray(Math.max(0, bytes.length - tailSize)));
  }

  #append(bytes: Uint8Array): void {
    if (this.#ring.length === 0) this.#ring = Buffer.allocUnsafeSlow(tailSize);
    const first = Math.min(bytes.length, tailSize - this.#next);
    this.#ring.set(bytes.subarray(0, first), this.#next);
    this.#ring.set(bytes.subarray(first), 0);
    this.#next = (this.#next + bytes.length) % tailSize;
    this.#kept = Math.min(tailSize, this.#kept + bytes.length);
  }

  /** Valid until the next file. */
  ends(): FileEnds {
    return { size: this.#size, head: this.head, tail: this.#tail() };
  }

  #tail(): Uint8Array {
    const start = this.#next - this.#kept;
    if (start >= 0) return this.#ring.subarray(start, this.#next);
    if (this.#line.length === 0) this.#line = Buffer.allocUnsafeSlow(tailSize);
    this.#line.set(this.#ring.subarray(start + tailSize), 0);
    this.#line.set(this.#ring.subarray(0, this.#next), -start);
    return this.#line.subarray(0, this.#kept);
  }
}
