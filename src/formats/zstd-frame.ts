// Where the frames of a zstd stream begin and end, without decompressing: RFC 8878, sections 3.1.1 and 3.1.2.
//
// Theory: a frame's size stands nowhere in its header, but each of its blocks has a 3-byte header with its size, so the
// end is found by hopping from block to block. A decoder that stops after one frame (as many do) can then be given
// one frame at a time, and skippable frames (zstd:chunked keeps its table of contents in one) are left out.
import { TranshipError } from "../base/errors.ts";

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const maxBlock = 128 * 1024;

/** Decoders refuse larger windows by default too. */
export const maxWindow: number = 128 << 20;

export interface ZstdFrameHeader {
  kind: "frame" | "skippable";
  /** Bytes of the header, magic included. */
  headerSize: number;
  /** Of the content: what it unpacks to; undefined where the frame does not say. Of a skippable frame: its user data. */
  contentSize: number | undefined;
  windowSize: number;
  checksum: boolean;
  dictionaryId: number;
}

/** A piece of a frame inside a chunk. */
export interface FramePiece {
  kind: "frame" | "skippable";
  /** Where it lies in the chunk. */
  start: number;
  end: number;
  first: boolean;
  last: boolean;
}

/** Longest header: magic 4, descriptor 1, window 1, dictionary 4, content size 8. */
const maxHeader = 18;

/** Reads a frame header at `at`; undefined where more bytes are needed. E_IMAGE_CORRUPT where it is no zstd. */
export function parseZstdHeader(bytes: Uint8Array, at = 0): ZstdFrameHeader | undefined {
  if (bytes.length - at < 5) return undefined;
  const magic = little(bytes, at, 4);
  if (magic >= skippableMagic && magic <= skippableMagic + 15) return skippableHeader(bytes, at);
  if (magic !== frameMagic) throw corrupt(`no zstd frame at this place: magic is 0x${magic.toString(16)}`);
  const descriptor = bytes[at + 4] ?? 0;
  if ((descriptor & 0x08) !== 0) throw corrupt("zstd frame header uses a reserved bit");
  const single = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const windowBytes = single ? 0 : 1;
  const headerSize = 5 + windowBytes + dictionaryBytes + sizeBytes;
  if (bytes.length - at < headerSize) return undefined;
  const sizeAt = at + 5 + windowBytes + dictionaryBytes;
  const contentSize =
    sizeBytes === 0 ? undefined : little(bytes, sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  if (contentSize !== undefined && !Number.isSafeInteger(contentSize))
    throw corrupt("zstd frame of more than 8 PiB");
  const windowSize = single ? (contentSize ?? 0) : windowOf(bytes[at + 5] ?? 0);
  return {
    kind: "frame",
    headerSize,
    contentSize,
    windowSize,
    checksum: (descriptor & 0x04) !== 0,
    dictionaryId: little(bytes, at + 5 + windowBytes, dictionaryBytes),
  };
}

function skippableHeader(bytes: Uint8Array, at: number): ZstdFrameHeader | undefined {
  if (bytes.length - at < 8) return undefined;
  const contentSize = little(bytes, at + 4, 4);
  return { kind: "skippable", headerSize: 8, contentSize, windowSize: 0, checksum: false, dictionaryId: 0 };
}

function windowOf(byte: number): number {
  const base = 2 ** (10 + (byte >> 3));
  return base + (base / 8) * (byte & 7);
}

function little(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

type State = "header" | "body" | "block-header" | "block" | "checksum";

/** Follows a stream of frames through chunks of any size. */
export class ZstdFrameWalker {
  #state: State = "header";
  /** Bytes of a header that the end of a chunk cut. */
  readonly #held = new Uint8Array(maxHeader);
  #have = 0;
  /** Bytes of the current part still to pass. */
  #left = 0;
  #kind: "frame" | "skippable" = "frame";
  #checksum = false;
  #lastBlock = false;
  #first = true;
  /** Header of the frame that the last piece belongs to. */
  header: ZstdFrameHeader | undefined;

  /** The pieces of frames that the chunk holds, in order and without gaps. */
  *pieces(chunk: Uint8Array): Generator<FramePiece> {
    let start = 0;
    for (let at = 0; at < chunk.length; ) {
      at = this.#step(chunk, at);
      // Pieces end with the frame, or with the chunk.
      const ended = this.#state === "header" && this.#have === 0;
      if (!ended && at < chunk.length) continue;
      yield { kind: this.#kind, start, end: at, first: this.#first, last: ended };
      this.#first = ended;
      start = at;
    }
  }

  /** True between two frames: where a stream may end. */
  get between(): boolean {
    return this.#state === "header" && this.#have === 0;
  }

  #step(chunk: Uint8Array, at: number): number {
    if (this.#state === "header") return this.#frameHeader(chunk, at);
    if (this.#state === "block-header") return this.#blockHeader(chunk, at);
    const count = Math.min(this.#left, chunk.length - at);
    this.#left -= count;
    if (this.#left === 0) this.#partEnds();
    return at + count;
  }

  #frameHeader(chunk: Uint8Array, at: number): number {
    const before = this.#have;
    const count = Math.min(maxHeader - before, chunk.length - at);
    this.#held.set(chunk.subarray(at, at + count), before);
    const header = parseZstdHeader(this.#held.subarray(0, before + count));
    if (header === undefined) {
      this.#have += count;
      // Its kind is told by the magic alone; before that it does not matter.
      this.#kind = (this.#held[0] ?? 0) >> 4 === 5 ? "skippable" : "frame";
      return at + count;
    }
    if (header.windowSize > maxWindow) {
      throw new TranshipError(
        "E_LIMIT",
        `zstd window of ${header.windowSize} bytes, at most ${maxWindow} are accepted`,
      );
    }
    if (header.dictionaryId !== 0) throw corrupt(`zstd frame needs the dictionary ${header.dictionaryId}`);
    this.header = header;
    this.#kind = header.kind;
    this.#checksum = header.checksum;
    this.#have = 0;
    this.#state = header.kind === "frame" ? "block-header" : "body";
    this.#left = header.kind === "frame" ? 0 : (header.contentSize ?? 0);
    if (this.#state === "body" && this.#left === 0) this.#state = "header";
    return at + header.headerSize - before;
  }

  #blockHeader(chunk: Uint8Array, at: number): number {
    const count = Math.min(3 - this.#have, chunk.length - at);
    this.#held.set(chunk.subarray(at, at + count), this.#have);
    this.#have += count;
    if (this.#have < 3) return at + count;
    const value = little(this.#held, 0, 3);
    const type = (value >> 1) & 3;
    const size = value >> 3;
    if (type === 3 || (type !== 1 && size > maxBlock)) throw corrupt("zstd block has a wrong header");
    this.#have = 0;
    this.#lastBlock = (value & 1) === 1;
    this.#left = type === 1 ? 1 : size;
    this.#state = "block";
    if (this.#left === 0) this.#partEnds();
    return at + count;
  }

  #partEnds(): void {
    if (this.#state === "block" && !this.#lastBlock) this.#state = "block-header";
    else if (this.#state === "block" && this.#checksum) {
      this.#state = "checksum";
      this.#left = 4;
    } else this.#state = "header";
  }
}

function corrupt(what: string): TranshipError {
  return new TranshipError("E_IMAGE_CORRUPT", what, {
    hint: "the layer is damaged or is not compressed with zstd",
  });
}
