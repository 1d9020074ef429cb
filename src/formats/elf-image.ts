// The raw side of an ELF file: header, segments, addresses to offsets, the dynamic string table.
import type { ByteString } from "./entry.ts";

/** Gives up to `length` bytes at `offset`; fewer at the end of the file. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

export interface Segment {
  type: number;
  offset: number;
  address: number;
  fileSize: number;
}

const maxSegments = 4096;
/** No single read is larger, whatever the file claims. */
const maxRead = 32 << 20;
export const window = 16 << 10;

export function latin1(bytes: Uint8Array): ByteString {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
}

/** Reads integers in the byte order and word size of the file. Out of bounds gives 0. */
export class ElfView {
  readonly #view: DataView;
  readonly #little: boolean;
  readonly #wide: boolean;

  constructor(bytes: Uint8Array, little: boolean, wide: boolean) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = little;
    this.#wide = wide;
  }

  u16(at: number): number {
    return at + 2 > this.#view.byteLength ? 0 : this.#view.getUint16(at, this.#little);
  }

  u32(at: number): number {
    return at + 4 > this.#view.byteLength ? 0 : this.#view.getUint32(at, this.#little);
  }

  /** An address-sized integer. Above 2^53 it loses precision, which makes it an offset outside of any file. */
  word(at: number): number {
    if (!this.#wide) return this.u32(at);
    return at + 8 > this.#view.byteLength ? 0 : Number(this.#view.getBigUint64(at, this.#little));
  }
}

export class ElfImage {
  little = true;
  wide = true;
  type = 0;
  machine = 0;
  flags = 0;
  segments: Segment[] = [];
  #headerBytes: Uint8Array = new Uint8Array();
  #windowAt = 0;
  #window: Uint8Array = new Uint8Array();
  readonly #read: ReadAt;

  constructor(read: ReadAt) {
    this.#read = read;
  }

  /** Small reads share one window, so that a header costs one request. */
  async bytes(offset: number, length: number): Promise<Uint8Array> {
    if (length <= 0 || !Number.isSafeInteger(offset + length) || offset < 0) return new Uint8Array();
    const capped = Math.min(length, maxRead);
    const from = offset - this.#windowAt;
    if (from >= 0 && from + capped <= this.#window.length) return this.#window.subarray(from, from + capped);
    if (capped > window) return this.#read(offset, capped);
    this.#windowAt = offset;
    this.#window = await this.#read(offset, window);
    return this.#window.subarray(0, capped);
  }

  view(bytes: Uint8Array): ElfView {
    return new ElfView(bytes, this.little, this.wide);
  }

  header(head: Uint8Array, problems: string[]): boolean {
    const elfClass = head[4];
    const data = head[5];
    if ((elfClass !== 1 && elfClass !== 2) || (data !== 1 && data !== 2)) {
      problems.push(`unknown ELF class ${elfClass ?? "none"} or byte order ${data ?? "none"}`);
      return false;
    }
    this.wide = elfClass === 2;
    this.little = data === 1;
    if (head.length < (this.wide ? 64 : 52)) {
      problems.push(`the ELF header is cut after ${head.length} bytes`);
      return false;
    }
    const view = this.view(head);
    this.type = view.u16(16);
    this.machine = view.u16(18);
    this.flags = view.u32(this.wide ? 48 : 36);
    this.#headerBytes = head.slice();
    return true;
  }

  async loadSegments(problems: string[]): Promise<void> {
    const header = this.view(this.#headerBytes);
    const offset = header.word(this.wide ? 32 : 28);
    const size = header.u16(this.wide ? 54 : 42);
    const count = header.u16(this.wide ? 56 : 44);
    const wanted = this.wide ? 56 : 32;
    if (count === 0) return;
    if (count > maxSegments || size < wanted) {
      problems.push(`${count} program headers of ${size} bytes are not plausible`);
      return;
    }
    const bytes = (await this.bytes(offset, count * size)).slice();
    if (bytes.length < count * size) problems.push("the program headers lie outside of the file");
    const view = this.view(bytes);
    for (let at = 0; at + size <= bytes.length; at += size) this.segments.push(this.#segment(view, at));
  }

  #segment(view: ElfView, at: number): Segment {
    return this.wide
      ? {
          type: view.u32(at),
          offset: view.word(at + 8),
          address: view.word(at + 16),
          fileSize: view.word(at + 32),
        }
      : {
          type: view.u32(at),
          offset: view.word(at + 4),
          address: view.word(at + 8),
          fileSize: view.word(at + 16),
        };
  }

  /** Where in the file a virtual address is; undefined where no segment holds it. */
  offsetOf(address: number | undefined): number | undefined {
    if (address === undefined) return undefined;
    for (const segment of this.segments) {
      const delta = address - segment.address;
      if (segment.type === 1 && delta >= 0 && delta < segment.fileSize) return segment.offset + delta;
    }
    return undefined;
  }

  async loadStrings(
    address: number | undefined,
    size: number | undefined,
    problems: string[],
  ): Promise<StringTable> {
    const offset = this.offsetOf(address);
    if (offset === undefined || size === undefined) {
      if (address !== undefined) problems.push("the dynamic string table lies outside of the file");
      return new StringTable(new Uint8Array());
    }
    if (size > maxRead) problems.push(`the dynamic string table claims ${size} bytes`);
    return new StringTable((await this.bytes(offset, size)).slice());
  }
}

const maxName = 4096;

export class StringTable {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  peek(at: number): ByteString | undefined {
    const rest = this.#bytes.subarray(at, at + maxName);
    const end = rest.indexOf(0);
    return end < 0 ? undefined : latin1(rest.subarray(0, end));
  }

  at(at: number, problems: string[]): ByteString | undefined {
    const text = this.peek(at);
    if (text === undefined) problems.push(`a name at offset ${at} lies outside of the dynamic string table`);
    return text;
  }
}
