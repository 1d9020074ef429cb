// The frame of policy.bin: a header, a directory of sections, and texts in one of them. docs/internals/policy-bin.md has every field.
import { TranshipError } from "../base/errors.ts";

const magic = [0x54, 0x52, 0x50, 0x4f, 0x4c, 0, 0, 1];
const headerSize = 24;
const directoryEntry = 16;
const maxSections = 64;
const mustUnderstand = 1;
export const maxPolicyBytes = 4 << 20;
export const noIndex = 0xffff_ffff;
const textTag = "TEXT";

/** One record of fixed size, written field by field at its offsets. */
export class RecordWriter {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #texts: TextPool;

  constructor(size: number, texts: TextPool) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
    this.#texts = texts;
  }

  u8(at: number, value: number): void {
    this.view.setUint8(at, value);
  }

  u16(at: number, value: number): void {
    this.view.setUint16(at, value, true);
  }

  u32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  /** u32 offset, u32 length; both 0 for null. */
  text(at: number, text: string | null | undefined): void {
    const { offset, length } = this.#texts.put(text);
    this.u32(at, offset);
    this.u32(at + 4, length);
  }

  /** An offset and its length apart from each other, 16 bits of it. */
  shortText(offsetAt: number, lengthAt: number, text: string): void {
    const { offset, length } = this.#texts.put(text === "" ? null : text);
    this.u32(offsetAt, offset);
    this.u16(lengthAt, length);
  }
}

export class TextPool {
  readonly #encoder = new TextEncoder();
  readonly #known = new Map<string, { offset: number; length: number }>();
  readonly #parts: Uint8Array[] = [Uint8Array.of(0)];
  #size = 1;

  put(text: string | null | undefined): { offset: number; length: number } {
    if (text === null || text === undefined) return { offset: 0, length: 0 };
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const bytes = this.#encoder.encode(`${text}\0`);
    const length = bytes.length - 1;
    if (text.includes("\0") || !text.isWellFormed() || length > 0xfff)
      throw new TranshipError("E_DESCRIPTOR_INVALID", `not a text for policy.bin: ${JSON.stringify(text)}`, {
        hint: "at most 4095 bytes, without a NUL or half a character",
      });
    const placed = { offset: this.#size, length };
    this.#known.set(text, placed);
    this.#parts.push(bytes);
    this.#size += bytes.length;
    return placed;
  }

  bytes(): Uint8Array {
    return joined(this.#parts);
  }
}

/** Sections in the given order, texts last; empty ones are left out. E_LIMIT above maxPolicyBytes. */
export function writeSections(
  sections: ReadonlyArray<readonly [tag: string, bytes: Uint8Array]>,
  texts: TextPool,
): Uint8Array {
  const pool = texts.bytes();
  const kept = [...sections, [textTag, pool.length > 1 ? pool : new Uint8Array()] as const].filter(
    ([, bytes]) => bytes.length > 0,
  );
  let at = headerSize + kept.length * directoryEntry;
  const places = kept.map(([, bytes]) => {
    at = aligned(at);
    const offset = at;
    at += bytes.length;
    return offset;
  });
  const size = aligned(at);
  if (size > maxPolicyBytes)
    throw new TranshipError(
      "E_LIMIT",
      `the compiled redirections take ${size} bytes, at most ${maxPolicyBytes}`,
    );
  const file = new Uint8Array(size);
  const view = new DataView(file.buffer);
  file.set(magic);
  view.setUint32(8, size, true);
  view.setUint32(12, kept.length, true);
  for (const [i, [tag, bytes]] of kept.entries()) {
    const entry = headerSize + i * directoryEntry;
    for (const [k, char] of [...tag].entries()) view.setUint8(entry + k, char.charCodeAt(0));
    view.setUint32(entry + 4, mustUnderstand, true);
    view.setUint32(entry + 8, places[i] ?? 0, true);
    view.setUint32(entry + 12, bytes.length, true);
    file.set(bytes, places[i] ?? 0);
  }
  return file;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function aligned(at: number): number {
  return (at + 7) & ~7;
}

export function refuse(why: string): never {
  throw new TranshipError("E_PROTOCOL", `not a valid policy.bin: ${why}`);
}

/** A section, read at offsets from its beginning. */
export class SectionReader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #texts: Uint8Array;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(bytes: Uint8Array, texts: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#texts = texts;
  }

  /** Offsets of the records of `size` bytes from `start` on. */
  records(start: number, size: number, limit: number): number[] {
    const count = (this.bytes.length - start) / size;
    if (!Number.isInteger(count) || count < 0 || count > limit)
      refuse(`a section of ${this.bytes.length} bytes`);
    return Array.from({ length: count }, (_, i) => start + i * size);
  }

  u16(at: number): number {
    return this.view.getUint16(at, true);
  }

  u32(at: number): number {
    return this.view.getUint32(at, true);
  }

  choice<T>(at: number, of: readonly T[]): T {
    const position = this.view.getUint8(at);
    if (position >= of.length) refuse(`value ${position}, at most ${of.length - 1}`);
    return of[position] as T;
  }

  zero(at: number, count: number): void {
    if (this.bytes.subarray(at, at + count).some((byte) => byte !== 0))
      refuse("bytes that have to be zero are not");
  }

  text(at: number): string | null {
    return this.#text(this.u32(at), this.u32(at + 4));
  }

  shortText(offsetAt: number, lengthAt: number): string {
    return this.#text(this.u32(offsetAt), this.u16(lengthAt)) ?? "";
  }

  #text(offset: number, length: number): string | null {
    if (offset === 0 && length === 0) return null;
    if (offset === 0 || length > 0xfff || offset + length >= this.#texts.length)
      refuse(`a text at ${offset}`);
    const bytes = this.#texts.subarray(offset, offset + length);
    if (bytes.includes(0) || this.#texts[offset + length] !== 0)
      refuse(`the text at ${offset} does not end where it says`);
    try {
      return this.#decoder.decode(bytes);
    } catch {
      return refuse(`the text at ${offset} is not UTF-8`);
    }
  }
}

/** By tag. What is unknown is left out, unless it says that it has to be understood: then E_PROTOCOL. */
export function readSections(file: Uint8Array, known: readonly string[]): Map<string, SectionReader> {
  if (file.length > maxPolicyBytes) refuse(`${file.length} bytes, at most ${maxPolicyBytes}`);
  if (file.length < headerSize || magic.some((byte, i) => file[i] !== byte))
    refuse("wrong magic or another version");
  const header = new SectionReader(file, new Uint8Array());
  const count = header.u32(12);
  header.zero(16, 8);
  if (header.u32(8) !== file.length) refuse(`it says ${header.u32(8)} bytes and has ${file.length}`);
  let end = headerSize + count * directoryEntry;
  if (count > maxSections || end > file.length) refuse(`${count} sections`);
  const found = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i++) {
    const at = headerSize + i * directoryEntry;
    const tag = String.fromCharCode(...file.subarray(at, at + 4));
    const [flags, offset, length] = [header.u32(at + 4), header.u32(at + 8), header.u32(at + 12)];
    if (offset % 8 !== 0 || offset < end || length > file.length - offset)
      refuse(`the place of section ${i}`);
    end = offset + length;
    const name = JSON.stringify(tag);
    if (found.has(tag)) refuse(`section ${name} twice`);
    if (tag === textTag || known.includes(tag)) found.set(tag, file.subarray(offset, end));
    else if ((flags & mustUnderstand) !== 0) refuse(`section ${name} is unknown and has to be understood`);
  }
  const texts = found.get(textTag) ?? new Uint8Array(1);
  if (texts[0] !== 0 || texts.at(-1) !== 0) refuse("texts that do not begin and end with NUL");
  return new Map([...found].map(([tag, bytes]) => [tag, new SectionReader(bytes, texts)]));
}
