// Little-endian fields of init.bin, with every length checked against what is there.
import { TranshipError } from "../base/errors.ts";

const largestFrame = 1 << 20;

export class ByteWriter {
  readonly #limit: number;
  readonly #encoder = new TextEncoder();
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  raw(bytes: ArrayLike<number>): void {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
  }

  u8(value: number): void {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
  }

  bool(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  u16(value: number): void {
    if (value > 0xffff)
      throw new TranshipError("E_LIMIT", `a count or index of ${value} does not fit in init.bin`);
    const at = this.#grow(2);
    this.#view.setUint16(at, value, true);
  }

  u32(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
      throw new TranshipError("E_DESCRIPTOR_INVALID", `${value} is not a whole number of 32 bits`);
    }
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
  }

  u64(value: bigint): void {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, value, true);
  }

  text16(text: string): void {
    const bytes = this.#encode(text);
    if (bytes.length > 0xffff) {
      throw new TranshipError(
        "E_LIMIT",
        `a text of ${bytes.length} bytes is too long: ${text.slice(0, 40)}...`,
      );
    }
    this.u16(bytes.length);
    this.raw(bytes);
  }

  text32(text: string): void {
    const bytes = this.#encode(text);
    this.u32(bytes.length);
    this.raw(bytes);
  }

  /** u16 count, then text32 each. */
  texts(list: readonly string[]): void {
    this.u16(list.length);
    for (const text of list) this.text32(text);
  }

  frame(type: number, body: () => void): void {
    const start = this.#grow(5);
    body();
    const length = this.#used - start - 5;
    if (length > largestFrame)
      throw new TranshipError("E_LIMIT", `an entry of ${length} bytes, at most 1 MiB`);
    this.#view.setUint32(start, length, true);
    this.#view.setUint8(start + 4, type);
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#used);
  }

  #encode(text: string): Uint8Array {
    if (text.includes("\0") || !text.isWellFormed()) {
      throw new TranshipError(
        "E_DESCRIPTOR_INVALID",
        `a text with a NUL or half a character: ${JSON.stringify(text)}`,
      );
    }
    return this.#encoder.encode(text);
  }

  /** Makes room; returns where. Call it before naming the bytes: it may replace them. */
  #grow(count: number): number {
    const at = this.#used;
    if (at + count > this.#limit)
      throw new TranshipError("E_LIMIT", `init.bin is larger than ${this.#limit} bytes`);
    if (at + count > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, at + count));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#used = at + count;
    return at;
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #at = 0;
  #end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length;
  }

  refuse(why: string): never {
    throw new TranshipError("E_PROTOCOL", `not a valid init.bin: ${why} (offset ${this.#at})`);
  }

  /** Confines reading to the next `length` bytes until leave(), which gets what this returns. */
  enter(length: number): number {
    if (length > largestFrame || length > this.#end - this.#at) this.refuse(`frame of ${length} bytes`);
    const outer = this.#end;
    this.#end = this.#at + length;
    return outer;
  }

  leave(outer: number): void {
    if (this.#at !== this.#end) this.refuse("bytes left in a frame");
    this.#end = outer;
  }

  atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  bool(): boolean {
    return this.choice([false, true]);
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

  /** A u64 that is a safe integer. */
  size(): number {
    const value = this.u64();
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : this.refuse(`size ${value}`);
  }

  text16(): string {
    return this.#text(this.u16());
  }

  text32(): string {
    return this.#text(this.u32());
  }

  texts(): string[] {
    return Array.from({ length: this.u16() }, () => this.text32());
  }

  name16(): string {
    return this.text16() || this.refuse("empty name");
  }

  variable(): string {
    const name = this.name16();
    return name.includes("=") ? this.refuse("= in the name of a variable") : name;
  }

  path16(): string {
    const path = this.text16();
    return path.startsWith("/") ? path : this.refuse(`path ${JSON.stringify(path)}`);
  }

  choice<T>(of: readonly T[]): T {
    const position = this.u8();
    if (position >= of.length) this.refuse(`value ${position}, at most ${of.length - 1}`);
    return of[position] as T;
  }

  index(count: number): number {
    const position = this.u16();
    return position < count ? position : this.refuse(`index ${position} of ${count}`);
  }

  bits(set: bigint, low: number, high: number): number[] {
    if (set >> BigInt(high + 1) !== 0n || (set & ((1n << BigInt(low)) - 1n)) !== 0n)
      this.refuse("bit out of range");
    const list: number[] = [];
    for (let n = low; n <= high; n++) if ((set >> BigInt(n)) & 1n) list.push(n);
    return list;
  }

  #text(length: number): string {
    const at = this.#take(length);
    const bytes = this.#bytes.subarray(at, at + length);
    if (bytes.includes(0)) this.refuse("NUL in a text");
    try {
      return this.#decoder.decode(bytes);
    } catch {
      return this.refuse("a text is not UTF-8");
    }
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#end - at) this.refuse("cut off");
    this.#at = at + count;
    return at;
  }
}
