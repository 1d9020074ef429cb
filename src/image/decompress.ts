// A blob as the bytes that its compression hides: zstd frame by frame (Node's decoder stops after the first), gzip with
// all its members, or as it is. What comes out is bounded by the caller; what a window may take, by the frame walker.
import { promisify } from "node:util";
import { createGunzip, createZstdDecompress, zstdDecompress, zstdDecompressSync } from "node:zlib";
import { TranshipError } from "../base/errors.ts";
import { type ZstdFrameHeader, ZstdFrameWalker } from "../formats/zstd-frame.ts";
import { giveBack } from "./give-back.ts";

const oneShot = promisify(zstdDecompress);

const streamChunk = 256 << 10;

/** Frames up to this size, packed and unpacked, are decoded in one call; larger ones flow. */
const wholeFrame = 16 << 20;
/** Below this a thread costs more than the work. */
const tinyFrame = 64 << 10;

/**
 * What it gives is valid until the next is asked for; so may be what it is given. `announced` is told how many bytes the frames say they
 * unpack to, all together, as soon as their headers have come; it throws where that is too much.
 */
export async function* decompress(
  compression: "none" | "gzip" | "zstd",
  source: AsyncIterable<Uint8Array>,
  announced: (bytes: number) => void = () => {},
): AsyncGenerator<Uint8Array, void, void> {
  try {
    if (compression === "none") yield* source;
    else yield* compression === "gzip" ? gunzip(source) : unzstd(source, announced);
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

async function* unzstd(
  source: AsyncIterable<Uint8Array>,
  announced: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, void> {
  const walker = new ZstdFrameWalker();
  const ahead = new ZstdFrameWalker();
  const frame = new FrameDecoder();
  let announcedSize = 0;
  try {
    for await (const chunk of source) {
      for (const { kind, last } of ahead.pieces(chunk))
        if (kind === "frame" && last) announcedSize += ahead.header?.contentSize ?? 0;
      announced(announcedSize);
      for (const piece of walker.pieces(chunk)) {
        if (piece.kind === "skippable") continue;
        yield* frame.push(chunk.subarray(piece.start, piece.end), walker.header, piece.last);
      }
    }
    yield* frame.rest();
  } finally {
    frame.destroy();
  }
  if (!walker.between) throw new TranshipError("E_IMAGE_CORRUPT", "zstd data ends in the middle of a frame");
}

/** Collects a frame that says it is small, and lets any other flow through a decoder of its own. One frame is decoded while the one before it is used. */
class FrameDecoder {
  /** The packed frame that is collected, and the place for the next while it is decoded. */
  #held: Uint8Array = Buffer.allocUnsafeSlow(tinyFrame);
  #other: Uint8Array = Buffer.allocUnsafeSlow(tinyFrame);
  #have = 0;
  #ahead: Promise<Uint8Array> | undefined;
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
    this.#hold(piece);
    const size = header?.contentSize;
    if (last && size !== undefined && size <= wholeFrame) yield* this.#whole(size);
    else if (last || this.#have > wholeFrame) {
      yield* this.rest();
      this.#stream = new StreamDecoder(createZstdDecompress({ chunkSize: streamChunk }));
      const held = this.#held.subarray(0, this.#have);
      this.#have = 0;
      yield* this.#flow(held, last);
    }
  }

  #hold(piece: Uint8Array): void {
    const need = this.#have + piece.length;
    if (need > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(need, this.#held.length * 2));
      larger.set(this.#held.subarray(0, this.#have));
      giveBack(this.#held);
      this.#held = larger;
    }
    this.#held.set(piece, this.#have);
    this.#have = need;
  }

  /** Begins with this frame and gives the one before. */
  async *#whole(size: number): AsyncGenerator<Uint8Array, void, void> {
    // The place of the frame before is free when that one is decoded.
    const before = await this.#ahead;
    const bytes = this.#held.subarray(0, this.#have);
    [this.#held, this.#other] = [this.#other, this.#held];
    this.#have = 0;
    this.#ahead = decodeWhole(bytes, size);
    this.#ahead.catch(() => {}); // it is awaited when its turn comes
    if (before !== undefined) yield* usedOnce(before);
  }

  /** What is decoded and was not given yet. */
  async *rest(): AsyncGenerator<Uint8Array, void, void> {
    const before = await this.#ahead;
    this.#ahead = undefined;
    if (before !== undefined) yield* usedOnce(before);
  }

  async *#flow(piece: Uint8Array, last: boolean): AsyncGenerator<Uint8Array, void, void> {
    if (this.#stream !== undefined) yield* this.#stream.push(piece, last);
    if (!last) return;
    this.#stream?.destroy();
    this.#stream = undefined;
  }

  destroy(): void {
    this.#stream?.destroy();
    this.#stream = undefined;
  }
}

async function decodeWhole(bytes: Uint8Array, size: number): Promise<Uint8Array> {
  const options = { maxOutputLength: Math.max(1, size), chunkSize: Math.max(64, size + 1) };
  const content = size <= tinyFrame ? zstdDecompressSync(bytes, options) : await oneShot(bytes, options);
  if (content.length === size) return content;
  throw new TranshipError("E_IMAGE_CORRUPT", `zstd frame says ${size} bytes and holds ${content.length}`);
}

function* usedOnce(content: Uint8Array): Generator<Uint8Array, void, void> {
  yield content;
  giveBack(content);
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
      if (chunk !== null) {
        yield chunk;
        // Only what fills its buffer: the decoder goes on writing into the rest of any other.
        if (chunk.length === chunk.buffer.byteLength) giveBack(chunk);
      } else if (stream.readableEnded || (!last && taken && stream.readableLength === 0)) return;
      else await new Promise<void>((resolve) => { this.#wake = resolve; }); // biome-ignore format: short
    }
  }

  destroy(): void {
    this.#stream.destroy();
  }
}
