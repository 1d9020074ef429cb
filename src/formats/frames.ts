// The frames of docs/internals/records.md: u32 length, u8 type, u32 id, payload; each stream opens with 8 bytes of magic.
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "./entry.ts";
import { toByteString } from "./fields.ts";

/** Of the payload. */
export const maxFrame = 1 << 20;
export const frameHeader = 9;

export const treeMagic: ByteString = "TRTREE\0\x01";
export const traceMagic: ByteString = "TRTRACE\x01";
export const witnessMagic: ByteString = "TRWITNE\x01";

export interface Frame {
  type: number;
  id: number;
  payload: Uint8Array;
}

export function encodeMagic(magic: ByteString): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(magic, (char) => char.charCodeAt(0));
}

/** The header alone, for writers that send the payload as it lies. */
export function encodeFrameHeader(type: number, id: number, length: number): Uint8Array<ArrayBuffer> {
  if (length > maxFrame)
    throw new TranshipError("E_LIMIT", `a frame of ${length} bytes, allowed ${maxFrame}`);
  const bytes = new Uint8Array(frameHeader);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  view.setUint8(4, type);
  view.setUint32(5, id, true);
  return bytes;
}

export function encodeFrame(frame: Frame): Uint8Array<ArrayBuffer> {
  const header = encodeFrameHeader(frame.type, frame.id, frame.payload.length);
  const bytes = new Uint8Array(frameHeader + frame.payload.length);
  bytes.set(header);
  bytes.set(frame.payload, frameHeader);
  return bytes;
}

/**
 * Takes chunks as they come and gives whole frames. A payload is a view into its chunk where it lay in one, else a
 * buffer of its own; at most one unfinished frame is held.
 */
export class FrameReader {
  readonly #magic: ByteString;
  #opened = false;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** The magic or a header that began in an earlier chunk. */
  readonly #head = new Uint8Array(frameHeader);
  #headFilled = 0;
  /** The frame whose header has been read. */
  #current: { type: number; id: number; length: number } | undefined;
  #body: Uint8Array | undefined;
  #bodyFilled = 0;

  constructor(magic: ByteString) {
    this.#magic = magic;
  }

  /** All frames so far have to be taken by next() before. The chunk must not be written to afterwards. */
  push(chunk: Uint8Array): void {
    if (this.#at < this.#chunk.length) {
      throw new TranshipError("E_INTERNAL", "a chunk was pushed before all frames of the last were taken");
    }
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next whole frame; undefined where more bytes are needed. E_PROTOCOL where the bytes are no such stream. */
  next(): Frame | undefined {
    if (!this.#opened) {
      const got = this.#small(8);
      if (got === undefined) return undefined;
      this.#open(toByteString(got));
    }
    if (this.#current === undefined) {
      const header = this.#small(frameHeader);
      if (header === undefined) return undefined;
      this.#current = readHeader(header);
    }
    const { type, id, length } = this.#current;
    const payload = this.#payload(length);
    if (payload === undefined) return undefined;
    this.#current = undefined;
    return { type, id, payload };
  }

  /** To be called at the end of the input: E_PROTOCOL where it breaks off. */
  end(): void {
    if (
      !this.#opened ||
      this.#headFilled > 0 ||
      this.#current !== undefined ||
      this.#at < this.#chunk.length
    ) {
      throw new TranshipError("E_PROTOCOL", "the records break off in the middle");
    }
  }

  #open(got: ByteString): void {
    if (got !== this.#magic) {
      const same = got.slice(0, 7) === this.#magic.slice(0, 7);
      const message = same
        ? `records of version ${got.charCodeAt(7)}, version ${this.#magic.charCodeAt(7)} is understood`
        : `not a record stream: it opens with ${JSON.stringify(got)}`;
      throw new TranshipError("E_PROTOCOL", message);
    }
    this.#opened = true;
  }

  /** The magic or a header. */
  #small(size: number): Uint8Array | undefined {
    if (this.#headFilled === 0 && this.#chunk.length - this.#at >= size) {
      this.#at += size;
      return this.#chunk.subarray(this.#at - size, this.#at);
    }
    this.#headFilled += this.#move(this.#head, this.#headFilled, size);
    if (this.#headFilled < size) return undefined;
    this.#headFilled = 0;
    return this.#head.subarray(0, size);
  }

  #payload(length: number): Uint8Array | undefined {
    if (this.#body === undefined) {
      if (this.#chunk.length - this.#at >= length) {
        this.#at += length;
        return this.#chunk.subarray(this.#at - length, this.#at);
      }
      this.#body = new Uint8Array(length);
      this.#bodyFilled = 0;
    }
    this.#bodyFilled += this.#move(this.#body, this.#bodyFilled, length);
    if (this.#bodyFilled < length) return undefined;
    const body = this.#body;
    this.#body = undefined;
    return body;
  }

  #move(to: Uint8Array, filled: number, size: number): number {
    const take = Math.min(size - filled, this.#chunk.length - this.#at);
    to.set(this.#chunk.subarray(this.#at, this.#at + take), filled);
    this.#at += take;
    return take;
  }
}

function readHeader(header: Uint8Array): { type: number; id: number; length: number } {
  const view = new DataView(header.buffer, header.byteOffset, frameHeader);
  const length = view.getUint32(0, true);
  if (length > maxFrame) {
    throw new TranshipError("E_PROTOCOL", `a frame of ${length} bytes, allowed ${maxFrame}`);
  }
  return { type: view.getUint8(4), id: view.getUint32(5, true), length };
}
