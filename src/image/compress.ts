// Bytes in, compressed members out, in order: the input is cut into pieces of a fixed size, each compressed by itself on
// the thread pool, a few at a time. Pieces do not depend on each other, so the output is the same however many are
// under way. zstd gives a frame per piece (seekable, with its content size), gzip a member.
//
// A data file that its database has filled with zeros packs better than what readers take for a bomb (layer-bound.ts). Where that would be so for the whole,
// parts without content stand between the others, a thousandth of what was packed: decoders pass over them.
import { availableParallelism } from "node:os";
import { constants, createGzip, createZstdCompress, type Gzip, type ZstdCompress } from "node:zlib";
import { giveBack } from "./give-back.ts";
import { ratioFree, usualRatio } from "./layer-bound.ts";
import { partWithoutContent } from "./padding.ts";

export type Compression = "zstd" | "gzip";

/** Says all that the bytes of a compressed layer depend on; an annotation of the manifest. */
export const compressorName: Record<Compression, string> = {
  zstd: `zstd ${process.versions.zstd ?? "unknown"} level 3, frames of 4 MiB in one pass`,
  gzip: `zlib ${process.versions.zlib ?? "unknown"} level 4, members of 1 MiB`,
};

const pieceSize = { zstd: 4 << 20, gzip: 1 << 20 };

/** Pieces at once: one for each processor, and this thread fills another. Node's pool has four threads. */
const piecesAtOnce = Math.max(2, Math.min(4, availableParallelism()));

/** The compressed piece, in one part or several. Not by zlib's calls for whole buffers: they copy the result and leave what they had reserved to the collector. */
function compress(kind: Compression, piece: Uint8Array): Promise<Uint8Array[]> {
  const stream = kind === "gzip" ? gzipOf(piece) : zstdOf(piece);
  const parts: Uint8Array[] = [];
  return new Promise((resolve, reject) => {
    stream.on("data", (part: Uint8Array) => parts.push(part));
    stream.on("error", reject);
    stream.on("end", () => resolve(parts));
    stream.end(piece);
  });
}

function gzipOf(piece: Uint8Array): Gzip {
  // Few output chunks: the default of 16 KiB costs a third of the time. Level 6 takes twice as long as 4, for 2 % less.
  return createGzip({ level: 4, chunkSize: (piece.length >> 1) + 1024 });
}

function zstdOf(piece: Uint8Array): ZstdCompress {
  return createZstdCompress({
    // Given all of the input, its end and room for any result at once, zstd works on it in place, in one pass; else it copies it
    // into a ring and searches that, which costs a third more. What follows the first write is empty and must not end a second frame.
    chunkSize: piece.length + (piece.length >> 7) + 4096,
    flush: constants.ZSTD_e_end,
    finishFlush: constants.ZSTD_e_continue,
    pledgedSrcSize: piece.length,
    params: { [constants.ZSTD_c_compressionLevel]: 3 },
  });
}

export interface CompressorOptions {
  /** Pieces under way at once. Default: as many as there are processors, two to four. */
  concurrency?: number;
  /** Sees each piece before it is compressed, in order. The bytes are only valid during the call. */
  onPiece?: (piece: Uint8Array) => void;
  /** Bytes that may pack as well as they do. Default: as readers have it. */
  free?: number;
}

/** Nearer to what readers allow than it has to be would leave nothing for what other layers' tools count differently. */
const ratio = usualRatio * 0.9;

export class Compressor {
  readonly #kind: Compression;
  /** The bytes are gone when it has ended. */
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #onPiece: (piece: Uint8Array) => void;
  readonly #limit: number;
  readonly #unpadded: number;
  /** Bytes of all pieces that are written, as they came and as they went. */
  #given = 0;
  #written = 0;
  /** Buffers that are free to be filled again. */
  readonly #free: Uint8Array[] = [];
  #buffer: Uint8Array;
  #used = 0;
  /** Pieces not yet written, oldest first: each ends when it and all before it are written. */
  #pending: Promise<void>[] = [];
  #pieces = 0;

  constructor(
    kind: Compression,
    write: (bytes: Uint8Array) => Promise<void>,
    options: CompressorOptions = {},
  ) {
    this.#kind = kind;
    this.#write = write;
    this.#onPiece = options.onPiece ?? (() => {});
    this.#limit = Math.max(1, options.concurrency ?? piecesAtOnce);
    this.#unpadded = options.free ?? ratioFree;
    this.#buffer = Buffer.allocUnsafeSlow(pieceSize[kind]);
  }

  /** Copies the bytes. Await the promise where there is one: it holds back the caller while all places are taken. */
  append(bytes: Uint8Array): Promise<void> | undefined {
    const room = this.#buffer.length - this.#used;
    if (bytes.length < room) {
      this.#buffer.set(bytes, this.#used);
      this.#used += bytes.length;
      return undefined;
    }
    return this.#appendAcross(bytes);
  }

  async #appendAcross(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, this.#buffer.length - this.#used);
      this.#buffer.set(bytes.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
      if (this.#used === this.#buffer.length) await this.#flush();
    }
  }

  /** Where up to that many bytes may be written; then say with filled() how many were. */
  room(most: number): Uint8Array {
    return this.#buffer.subarray(this.#used, Math.min(this.#buffer.length, this.#used + most));
  }

  filled(count: number): Promise<void> | undefined {
    this.#used += count;
    return this.#used === this.#buffer.length ? this.#flush() : undefined;
  }

  /** Compresses what is left and waits until all is written. An empty input is one empty piece. */
  async finish(): Promise<void> {
    if (this.#used > 0 || this.#pieces === 0) await this.#flush();
    await Promise.all(this.#pending);
  }

  /** Waits for what is under way and forgets its errors: after a failure. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#pending);
  }

  async #flush(): Promise<void> {
    const buffer = this.#buffer;
    const piece = buffer.subarray(0, this.#used);
    this.#onPiece(piece);
    this.#pieces++;
    const before = this.#pending.at(-1) ?? Promise.resolve();
    const work = compress(this.#kind, piece);
    const done = (async () => {
      const [parts] = await Promise.all([work, before]);
      this.#free.push(buffer);
      for (const part of parts) {
        this.#written += part.length;
        await this.#write(part);
      }
      parts.forEach(giveBack);
      await this.#pad(piece.length);
    })();
    done.catch(() => {}); // it is awaited below or by finish()
    this.#pending.push(done);
    if (this.#pending.length >= this.#limit) await this.#pending.shift();
    this.#buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(pieceSize[this.#kind]);
    this.#used = 0;
  }

  /** After a piece of that many bytes. */
  async #pad(length: number): Promise<void> {
    this.#given += length;
    if (this.#given <= this.#unpadded) return;
    const missing = Math.ceil(this.#given / ratio) - this.#written;
    if (missing <= 0) return;
    const part = partWithoutContent(this.#kind, missing);
    this.#written += part.length;
    await this.#write(part);
  }
}
