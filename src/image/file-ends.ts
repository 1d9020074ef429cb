// Keeps the start and the end of a file that flows by, and looks into what is packed.
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import {
  type FileEnds,
  headSize,
  kernelPartByContent,
  packedBy,
  tailSize,
  wantsTail,
} from "../formats/kernel-part.ts";

/** Packed files up to this size are unpacked whole where their start is an ELF file. */
const wholePacked = 64 << 20;

export class FileEndsCollector {
  #size = 0;
  #head = Buffer.alloc(0);
  /** The last pieces, together at least tailSize where there was as much. */
  #tail: Uint8Array[] = [];
  #tailBytes = 0;
  #packed: "gzip" | "zstd" | undefined;

  /** Holes are passed over: no kernel part has one where it would matter. */
  push(offset: number, bytes: Uint8Array): void {
    if (this.#head.length < headSize && offset === this.#head.length) {
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, headSize - this.#head.length)]);
      this.#packed = packedBy(this.#head);
    }
    this.#size = offset + bytes.length;
    if (!wantsTail(this.#head) && this.#packed === undefined) return;
    const most = this.#packed === undefined ? tailSize : wholePacked + 1;
    this.#tail.push(Uint8Array.from(bytes));
    this.#tailBytes += bytes.length;
    while (this.#tail[0] !== undefined && this.#tailBytes - this.#tail[0].length >= most) {
      this.#tailBytes -= this.#tail[0].length;
      this.#tail.shift();
    }
  }

  /** Why the file is a part of a kernel; undefined where it is none. */
  async verdict(): Promise<string | undefined> {
    const tail = Buffer.concat(this.#tail);
    const plain = kernelPartByContent({ size: this.#size, head: this.#head, tail });
    if (plain !== undefined || this.#packed === undefined) return plain;
    const inside = await unpackEnds(this.#packed, tail.length === this.#size ? tail : this.#head);
    return inside === undefined ? undefined : kernelPartByContent(inside);
  }
}

/** Start and end of what the bytes unpack to; the end only where it is an ELF file. What cannot be unpacked is no kernel part. */
async function unpackEnds(packed: "gzip" | "zstd", bytes: Uint8Array): Promise<FileEnds | undefined> {
  const collector = new PlainEnds();
  const stream =
    packed === "gzip" ? createGunzip({ finishFlush: constants.Z_SYNC_FLUSH }) : createZstdDecompress({});
  stream.on("error", () => stream.destroy());
  stream.end(bytes);
  try {
    for await (const chunk of stream) {
      collector.push(chunk as Uint8Array);
      if (collector.enough) break;
    }
  } catch {
    // Cut off or damaged: what came out so far is looked at.
  }
  stream.destroy();
  return collector.ends();
}

class PlainEnds {
  #size = 0;
  #head = Buffer.alloc(0);
  #tail = Buffer.alloc(0);

  push(bytes: Uint8Array): void {
    if (this.#head.length < headSize)
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, headSize - this.#head.length)]);
    this.#size += bytes.length;
    if (wantsTail(this.#head)) this.#tail = Buffer.concat([this.#tail, bytes]).subarray(-tailSize);
  }

  /** Nothing that comes later can change the verdict. 1 GiB unpacked is no module any more. */
  get enough(): boolean {
    return this.#size > 2 ** 30 || (this.#head.length >= headSize && !wantsTail(this.#head));
  }

  ends(): FileEnds {
    return { size: this.#size, head: this.#head, tail: this.#tail };
  }
}
