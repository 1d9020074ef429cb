// /etc/ld.so.cache: which library names ldconfig found where. Both layouts: "ld.so-1.7.0" (old, often followed by a new one)
// and "glibc-ld.so.cache1.1" (new). Its integers have the byte order of the machine that wrote it.

import { latin1 } from "./elf-image.ts";
import type { ByteString } from "./entry.ts";

export interface LdCacheEntry {
  name: ByteString;
  path: ByteString;
  /** ABI and kind as ldconfig saw them; the library's own header decides. */
  flags: number;
  /** 0 for a library that suits every processor of its ABI. */
  hwcap: bigint;
}

export interface LdCache {
  entries: LdCacheEntry[];
  /** What is broken; the entries are those that could be read. */
  problems: string[];
}

const oldMagic = "ld.so-1.7.0";
const newMagic = "glibc-ld.so.cache1.1";
const maxEntries = 1 << 18;

export function parseLdSoCache(bytes: Uint8Array): LdCache {
  if (startsWith(bytes, 0, newMagic)) return parseNew(bytes, 0);
  if (!startsWith(bytes, 0, oldMagic)) return { entries: [], problems: ["unknown magic"] };
  for (const little of [true, false]) {
    const count = view(bytes).getUint32(12, little);
    const end = 16 + count * 12;
    if (count > maxEntries || end > bytes.length) continue;
    const aligned = Math.ceil(end / 8) * 8;
    for (const at of [end, aligned]) if (startsWith(bytes, at, newMagic)) return parseNew(bytes, at);
    return parseOld(bytes, count, little);
  }
  return { entries: [], problems: ["the number of entries does not fit the size of the file"] };
}

function view(bytes: Uint8Array): DataView {
  const padded = bytes.length >= 64 ? bytes : new Uint8Array(64);
  if (padded !== bytes) padded.set(bytes);
  return new DataView(padded.buffer, padded.byteOffset, padded.byteLength);
}

function startsWith(bytes: Uint8Array, at: number, text: string): boolean {
  return latin1(bytes.subarray(at, at + text.length)) === text;
}

function parseNew(all: Uint8Array, start: number): LdCache {
  const bytes = all.subarray(start);
  const data = view(bytes);
  const flag = bytes[28] ?? 0;
  const plausible = (little: boolean): boolean => 48 + data.getUint32(20, little) * 24 <= bytes.length;
  const little = flag === 2 || (flag !== 3 && plausible(true));
  const count = data.getUint32(20, little);
  const cache: LdCache = { entries: [], problems: [] };
  if (count > maxEntries || !plausible(little)) {
    cache.problems.push(`${count} entries do not fit into ${bytes.length} bytes`);
  }
  for (
    let index = 0, at = 48;
    index < count && at + 24 <= bytes.length && index < maxEntries;
    index++, at += 24
  ) {
    addEntry(cache, bytes, {
      flags: data.getUint32(at, little),
      name: data.getUint32(at + 4, little),
      path: data.getUint32(at + 8, little),
      hwcap: data.getBigUint64(at + 16, little),
    });
  }
  return cache;
}

function parseOld(bytes: Uint8Array, count: number, little: boolean): LdCache {
  const data = view(bytes);
  const cache: LdCache = { entries: [], problems: [] };
  const strings = bytes.subarray(16 + count * 12);
  for (let index = 0, at = 16; index < count; index++, at += 12) {
    addEntry(cache, strings, {
      flags: data.getUint32(at, little),
      name: data.getUint32(at + 4, little),
      path: data.getUint32(at + 8, little),
      hwcap: 0n,
    });
  }
  return cache;
}

function addEntry(
  cache: LdCache,
  strings: Uint8Array,
  raw: { flags: number; name: number; path: number; hwcap: bigint },
): void {
  const name = stringAt(strings, raw.name);
  const path = stringAt(strings, raw.path);
  if (name === undefined || path === undefined || !path.startsWith("/")) {
    if (cache.problems.length < 8) cache.problems.push(`entry ${cache.entries.length} names no path`);
    return;
  }
  cache.entries.push({ name, path, flags: raw.flags, hwcap: raw.hwcap });
}

function stringAt(bytes: Uint8Array, at: number): ByteString | undefined {
  const rest = bytes.subarray(at, at + 4096);
  const end = rest.indexOf(0);
  return end <= 0 ? undefined : latin1(rest.subarray(0, end));
}
