// How many bytes a zstd stream of any number of frames unpacks to, without unpacking it: what frames say, or else what their blocks stand for.
// It judges nothing: where the data is damaged it stops counting, and a decoder will say why.
import { isTranshipError } from "../base/errors.ts";
import { parseZstdHeader } from "./zstd-frame.ts";
import { blockContentSize, type SequenceTables } from "./zstd-sequences.ts";

const maxBlock = 128 << 10;

export class ZstdSize {
  /** What was given so far unpacks to, or may unpack to at most; what frames say of themselves included. */
  size = 0;
  stopped = false;
  /** Between two frames, between two blocks, or in bytes that are passed over. */
  #inFrame = false;
  #skip = 0;
  #said = false;
  #checksum = false;
  #tables: SequenceTables = { literals: undefined, offsets: undefined, matches: undefined };
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  readonly #exact: boolean;

  /** Where it is not `exact`, compressed blocks are not looked into, and count as what they may hold at most. */
  constructor(exact: boolean) {
    this.#exact = exact;
  }

  push(chunk: Uint8Array): void {
    const rest = this.#bytes.subarray(this.#at);
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    this.#bytes = bytes;
    this.#at = 0;
    while (!this.stopped && this.#step());
  }

  /** False where more bytes are needed. */
  #step(): boolean {
    const passed = Math.min(this.#skip, this.#bytes.length - this.#at);
    this.#skip -= passed;
    this.#at += passed;
    if (this.#skip > 0 || this.#at === this.#bytes.length) return false;
    return this.#inFrame ? this.#block() : this.#header();
  }

  #header(): boolean {
    let header: ReturnType<typeof parseZstdHeader>;
    try {
      header = parseZstdHeader(this.#bytes.subarray(this.#at, this.#at + 18));
    } catch (error) {
      if (!isTranshipError(error)) throw error;
      this.stopped = true;
      return false;
    }
    if (header === undefined) return false;
    this.#at += header.headerSize;
    if (header.kind === "skippable") this.#skip = header.contentSize ?? 0;
    else {
      this.#inFrame = true;
      this.#said = header.contentSize !== undefined;
      this.#checksum = header.checksum;
      this.#tables = { literals: undefined, offsets: undefined, matches: undefined };
      this.size += header.contentSize ?? 0;
    }
    return true;
  }

  #block(): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    if (bytes.length - at < 3) return false;
    const value = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
    const type = (value >> 1) & 3;
    const size = value >> 3;
    const packed = type === 1 ? 1 : size;
    this.stopped = type === 3 || size > maxBlock;
    if (this.stopped) return false;
    if (type !== 2 || this.#said || !this.#exact) {
      if (!this.#said) this.size += type === 2 ? maxBlock : size;
      this.#skip = packed;
      this.#at += 3;
    } else {
      if (bytes.length - at < 3 + size) return false;
      const content = blockContentSize(bytes.subarray(at + 3, at + 3 + size), this.#tables);
      this.stopped = content === undefined || content > maxBlock;
      if (this.stopped) return false;
      this.size += content ?? 0;
      this.#at += 3 + size;
    }
    if ((value & 1) === 1) {
      this.#inFrame = false;
      if (this.#checksum) this.#skip += 4;
    }
    return true;
  }
}
