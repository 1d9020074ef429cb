// A blob as the bytes that its compression hides: zstd frame by frame (Node's decoder stops after the first), gzip with
// all its members, or as it is. What comes out is bounded by the caller; what a window may take, by the frame walker.
import { promisify } from "node:util";
import { createGunzip, createZstdDecompress, zstdDecompress, zstdDecompressSync } from "node:zlib";
import { TranshipError } from "../base/errors.ts";
import { type ZstdFrameHeader, ZstdFrameWalker } from "../formats/zstd-frame.ts";

const oneShot = promisify(zstdDecompress);

const streamChunk = 256 << 10;

/** Frames up to this size, packed and unpacked, are decoded in one call; larger ones flow. */
const wholeFrame = 16 << 20;
/** Below this a thread costs more than the work. */
const tinyFrame = 64 << 10;

export async function* decompress(
  compression: "none" | "gzip" | "zstd",
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    if (compression === "none") yield* source;
    else yield* compression === "gzip" ? gunzip(source) : unzstd(source);
  } catch (cause) {
    throw decompressError(compression, cause);
  }
}

function decompressError(compression: string, cause: unknown): unknown {
  if (cause instanceof TranshipError || !(cause instanceof Error)) return cause;
  const code = "code" in cause ? String(cause.code) : "";
  if (!/^(?:Z_|ERR_ZSTD|ZSTD_|ERR_BUFFER_TOO_LARGE)/.test(code)) return cause;
  return new TranshipError("E_IMAGE_CORRUPT", `cannot unpack ${compression}: ${cause.message}`, {
    hint: "the layer is damaged; fetch it again",
    cause,
  });
}

async function* gunzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const decoder = new StreamDecoder(createGunzip({ chunkSize: streamChunk }));
  try {
    for await (const chunk of source) yield* decoder.push(chunk, false);
    yield* decoder.push(new Uint8Array(0), true);
  } finally {
    decoder.destroy();
  }
}

async function* unzstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const walker = new ZstdFrameWalker();
  const frame = new FrameDecoder();
  try {
    for await (const chunk of source) {
      for (const piece of walker.pieces(chunk)) {
        if (piece.kind === "skippable") continue;
        yield* frame.push(chunk.subarray(piece.start, piece.end), walker.header, piece.last);
      }
    }
  } finally {
    frame.destroy();
  }
  if (!walker.between) throw new TranshipError("E_IMAGE_CORRUPT", "zstd data ends in the middle of a frame");
}

/** Collects a frame that says it is small, and lets any other flow through a decoder of its own. */
class FrameDecoder {
  #parts: Uint8Array[] = [];
  #held = 0;
  #stream: StreamDecoder | undefined;

  async *push(
    piece: Uint8Array,
    header: ZstdFrameHeader | undefined,
    last: boolean,
  ): AsyncGenerator<Uint8Array, void, void> {
    if (this.#stream !== undefined) {
      yield* this.#flow(piece, last);
      return;
    }
    this.#parts.push(piece);
    this.#held += piece.length;
    const size = header?.contentSize;
    if (last && size !== undefined && size <= wholeFrame) yield await this.#whole(size);
    else if (last || this.#held > wholeFrame) {
      this.#stream = new StreamDecoder(createZstdDecompress({ chunkSize: streamChunk }));
      const held = Buffer.concat(this.#parts);
      this.#parts = [];
      this.#held = 0;
      yield* this.#flow(held, last);
    }
  }

  async #whole(size: number): Promise<Uint8Array> {
    const bytes =
      this.#parts.length === 1 && this.#parts[0] !== undefined ? this.#parts[0] : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#held = 0;
    const options = { maxOutputLength: Math.max(1, size), chunkSize: Math.max(64, size + 1) };
    const content = size <= tinyFrame ? zstdDecompressSync(bytes, options) : await oneShot(bytes, options);
    if (content.length === size) return content;
    throw new TranshipError("E_IMAGE_CORRUPT", `zstd frame says ${size} bytes and holds ${content.length}`);
  }

  async *#flow(piece: Uint8Array, last: boolean): AsyncGenerator<Uint8Array, void, void> {
    if (this.#stream !== undefined) yield* this.#stream.push(piece, last);
    if (last) this.destroy();
  }

  destroy(): void {
    this.#stream?.destroy();
    this.#stream = undefined;
  }
}

/** A zlib stream, fed one piece at a time: what comes out of a piece is taken before the next goes in. */
class StreamDecoder {
  readonly #stream: ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;
  #failed: Error | undefined;
  #wake = (): void => {};

  constructor(stream: ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>) {
    this.#stream = stream;
    const wake = (): void => this.#wake();
    stream.on("readable", wake).on("end", wake);
    stream.on("error", (error: Error) => {
      this.#failed ??= error;
      wake();
    });
  }

  async *push(piece: Uint8Array, last: boolean): AsyncGenerator<Uint8Array, void, void> {
    const stream = this.#stream;
    if (stream.readableEnded) {
      if (piece.length === 0) return;
      throw new TranshipError("E_IMAGE_CORRUPT", "there is data behind the end of the compressed data");
    }
    let taken = false;
    const onTaken = (): void => {
      taken = true;
      this.#wake();
    };
    if (last) stream.end(piece, onTaken);
    else stream.write(piece, onTaken);
    for (;;) {
      if (this.#failed !== undefined) throw this.#failed;
      const chunk: Uint8Array | null = stream.read();
      if (chunk !== null) yield chunk;
      else if (stream.readableEnded || (!last && taken && stream.readableLength === 0)) return;
      else await new Promise<void>((resolve) => { this.#wake = resolve; }); // biome-ignore format: short
    }
  }

  destroy(): void {
    this.#stream.destroy();
  }
}
