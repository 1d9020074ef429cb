// A blob as the bytes that its compression hides: zstd frame by frame (Node's decoder stops after the first), gzip with
// all its members, or as it is. What comes out is bounded by the caller; what a window may take, by the frame walker.
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { createGunzip, createZstdDecompress, zstdDecompress, zstdDecompressSync } from "node:zlib";
import { TranshipError } from "../base/errors.ts";
import { type ZstdFrameHeader, ZstdFrameWalker } from "../formats/zstd-frame.ts";

const oneShot = promisify(zstdDecompress);

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
    else if (compression === "gzip")
      yield* Readable.from(source, { objectMode: true }).compose(createGunzip({ chunkSize: 256 << 10 }));
    else yield* unzstd(source);
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

async function* unzstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const walker = new ZstdFrameWalker();
  const frame = new FrameDecoder();
  for await (const chunk of source) {
    for (const piece of walker.pieces(chunk)) {
      if (piece.kind === "skippable") continue;
      yield* frame.push(chunk.subarray(piece.start, piece.end), walker.header, piece.last);
    }
  }
  if (!walker.between) throw new TranshipError("E_IMAGE_CORRUPT", "zstd data ends in the middle of a frame");
}

/** Collects a frame that says it is small, and lets any other flow through a decoder of its own. */
class FrameDecoder {
  #parts: Uint8Array[] = [];
  #held = 0;
  #stream: ReturnType<typeof createZstdDecompress> | undefined;

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
      this.#stream = createZstdDecompress({ chunkSize: 256 << 10 });
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

  /** Writes one piece and gives what comes out of it before the next is taken. */
  async *#flow(piece: Uint8Array, last: boolean): AsyncGenerator<Uint8Array, void, void> {
    const stream = this.#stream;
    if (stream === undefined) return;
    if (last) this.#stream = undefined;
    yield* through(stream, piece, last);
  }
}

/** What a zlib stream makes of one piece of input; at the end of input, until its output ends. */
async function* through(
  stream: ReturnType<typeof createZstdDecompress>,
  piece: Uint8Array,
  last: boolean,
): AsyncGenerator<Uint8Array, void, void> {
  let failed: Error | undefined;
  let taken = false;
  let wake = (): void => {};
  const fail = (error: Error): void => {
    failed = error;
    wake();
  };
  const onTaken = (): void => {
    taken = true;
    wake();
  };
  const onChange = (): void => wake();
  stream.once("error", fail).on("readable", onChange).once("end", onChange);
  if (last) stream.end(piece, onTaken);
  else stream.write(piece, onTaken);
  try {
    for (;;) {
      if (failed !== undefined) throw failed;
      const chunk: Uint8Array | null = stream.read();
      if (chunk !== null) {
        yield chunk;
        continue;
      }
      if (last ? stream.readableEnded : taken && stream.readableLength === 0) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    stream.off("error", fail).off("readable", onChange).off("end", onChange);
    if (failed !== undefined || last) stream.destroy();
  }
}
