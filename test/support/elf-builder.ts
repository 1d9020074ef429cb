// Makes small ELF files for tests: one PT_LOAD over the whole file, so that addresses are offsets.

export interface ElfParts {
  bits?: 32 | 64;
  endian?: "little" | "big";
  machine?: number;
  type?: number;
  interpreter?: string;
  needed?: string[];
  soname?: string;
  rpath?: string;
  runpath?: string;
  imports?: string[];
  /** Bytes put behind everything, such as strings for dlopen. */
  extra?: string;
}

export function buildElf(parts: ElfParts = {}): Uint8Array {
  const wide = (parts.bits ?? 64) === 64;
  const little = (parts.endian ?? "little") === "little";
  const bytes = new Uint8Array(8192 + (parts.extra?.length ?? 0));
  const view = new DataView(bytes.buffer);
  const u16 = (at: number, value: number): void => view.setUint16(at, value, little);
  const u32 = (at: number, value: number): void => view.setUint32(at, value, little);
  const word = (at: number, value: number): void =>
    wide ? view.setBigUint64(at, BigInt(value), little) : u32(at, value);
  const text = (at: number, value: string): void => {
    for (let index = 0; index < value.length; index++) bytes[at + index] = value.charCodeAt(index);
  };

  const strings = new Strings();
  const dynamicAt = 1024;
  const symbolsAt = 2048;
  const hashAt = 3072;
  const stringsAt = 4096;
  const tags: Array<[number, number]> = (parts.needed ?? []).map((name) => [1, strings.add(name)]);
  for (const [tag, value] of [
    [14, parts.soname],
    [15, parts.rpath],
    [29, parts.runpath],
  ] as const) {
    if (value !== undefined) tags.push([tag, strings.add(value)]);
  }
  const imports = parts.imports ?? [];
  const symbolSize = wide ? 24 : 16;
  for (const [index, name] of imports.entries()) u32(symbolsAt + (index + 1) * symbolSize, strings.add(name));
  u32(hashAt, 1);
  u32(hashAt + 4, imports.length + 1);
  tags.push([4, hashAt], [5, stringsAt], [6, symbolsAt], [10, strings.text.length], [0, 0]);
  for (const [index, [tag, value]] of tags.entries()) {
    const at = dynamicAt + index * (wide ? 16 : 8);
    word(at, tag);
    word(at + (wide ? 8 : 4), value);
  }
  text(stringsAt, strings.text);
  const interpreterAt = 512;
  if (parts.interpreter !== undefined) text(interpreterAt, parts.interpreter);
  text(8192, parts.extra ?? "");

  const segments: Array<[type: number, offset: number, size: number]> = [
    [1, 0, bytes.length],
    [2, dynamicAt, tags.length * (wide ? 16 : 8)],
  ];
  if (parts.interpreter !== undefined) segments.push([3, interpreterAt, parts.interpreter.length + 1]);

  text(0, "\x7fELF");
  bytes[4] = wide ? 2 : 1;
  bytes[5] = little ? 1 : 2;
  bytes[6] = 1;
  u16(16, parts.type ?? 3);
  u16(18, parts.machine ?? 62);
  word(wide ? 32 : 28, 64);
  u16(wide ? 54 : 42, wide ? 56 : 32);
  u16(wide ? 56 : 44, segments.length);
  for (const [index, [type, offset, size]] of segments.entries()) {
    const at = 64 + index * (wide ? 56 : 32);
    u32(at, type);
    word(at + (wide ? 8 : 4), offset);
    word(at + (wide ? 16 : 8), offset);
    word(at + (wide ? 32 : 16), size);
  }
  return bytes;
}

class Strings {
  text = "\0";

  add(value: string): number {
    const at = this.text.length;
    this.text += `${value}\0`;
    return at;
  }
}
