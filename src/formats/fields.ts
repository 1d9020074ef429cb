// Little-endian fields of our binary records: a writer that grows and a reader that refuses to read beyond its end.
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "./entry.ts";

const piece = 8192;

/** Bytes as a string of one char per byte. */
export function toByteString(bytes: Uint8Array): ByteString {
  if (bytes.length <= piece) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += piece) {
    parts.push(String.fromCharCode.apply(null, bytes.subarray(at, at + piece) as unknown as number[]));
  }
  return parts.join("");
}

export class FieldWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #used = 0;

  constructor(room = 256) {
    this.#bytes = new Uint8Array(room);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#used;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** A bigint, or a number that is a safe integer. */
  u64(value: bigint | number): this {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  i64(value: bigint | number): this {
    const at = this.#grow(8);
    this.#view.setBigInt64(at, BigInt(value), true);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  bytes16(text: ByteString): this {
    if (text.length > 0xffff) {
      throw new TranshipError("E_LIMIT", `a name or path of ${text.length} bytes does not fit into a record`);
    }
    return this.u16(text.length).#text(text);
  }

  bytes32(text: ByteString): this {
    return this.u32(text.length).#text(text);
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#used);
  }

  #text(text: ByteString): this {
    const at = this.#grow(text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0xff) {
        throw new TranshipError("E_INTERNAL", `not a byte string: ${JSON.stringify(text.slice(0, 80))}`);
      }
      this.#bytes[at + i] = code;
    }
    return this;
  }

  /** Replaces bytes and view where they are full: to be called before either is named. */
  #grow(by: number): number {
    const at = this.#used;
    this.#used += by;
    if (this.#used > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#used, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

/** Reads fields in order; E_PROTOCOL where they reach beyond the end. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  /** A u64 that has to be a safe integer: sizes and offsets. */
  size(): number {
    const at = this.#take(8);
    const high = this.#view.getUint32(at + 4, true);
    if (high > 0x1fffff) {
      throw new TranshipError(
        "E_PROTOCOL",
        `a size of ${this.#view.getBigUint64(at, true)} bytes in a record`,
      );
    }
    return high * 0x1_0000_0000 + this.#view.getUint32(at, true);
  }

  /** A view, not a copy. */
  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  bytes16(): ByteString {
    return toByteString(this.raw(this.u16()));
  }

  bytes32(): ByteString {
    return toByteString(this.raw(this.u32()));
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.raw(this.left);
  }

  end(): void {
    if (this.left > 0) throw new TranshipError("E_PROTOCOL", `${this.left} bytes too many in a record`);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.left) {
      throw new TranshipError("E_PROTOCOL", `a record breaks off: ${length} bytes needed, ${this.left} left`);
    }
    this.#at += length;
    return at;
  }
}
