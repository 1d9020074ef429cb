// Printable strings of a program that look like libraries or absolute paths: what it may pass to dlopen or open.

import { latin1 } from "./elf-image.ts";
import type { ByteString } from "./entry.ts";

export interface PathStrings {
  /** "libssl.so.1.1", "mod_ssl.so": names with .so and no slash. */
  sonames: ByteString[];
  /** Absolute paths of at least two characters. */
  paths: ByteString[];
  /** More than `limit` were found; the rest is left out. */
  truncated: boolean;
}

const maxString = 512;

/** Only whole NUL-terminated runs of printable ASCII count, as a C string constant is one. */
export function findPathStrings(bytes: Uint8Array, limit = 10_000): PathStrings {
  const sonames = new Set<ByteString>();
  const paths = new Set<ByteString>();
  let start = -1;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte > 0x20 && byte < 0x7f) {
      if (start < 0) start = at;
      continue;
    }
    const length = at - start;
    if (start >= 0 && byte === 0 && bytes[start - 1] !== 0x20 && length >= 2 && length <= maxString) {
      classify(bytes, start, at, sonames, paths);
      if (sonames.size + paths.size >= limit) return result(sonames, paths, true);
    }
    start = -1;
  }
  return result(sonames, paths, false);
}

function result(sonames: Set<ByteString>, paths: Set<ByteString>, truncated: boolean): PathStrings {
  return { sonames: [...sonames], paths: [...paths], truncated };
}

function classify(
  bytes: Uint8Array,
  start: number,
  end: number,
  sonames: Set<ByteString>,
  paths: Set<ByteString>,
): void {
  if (bytes[start] === 0x2f) {
    const text = latin1(bytes.subarray(start, end));
    if (/^\/[\w.+~@:,=/-]+$/.test(text)) paths.add(text);
    return;
  }
  const dot = bytes.subarray(start, end).indexOf(0x2e);
  if (dot <= 0) return;
  const text = latin1(bytes.subarray(start, end));
  if (/^[\w.+-]+\.so(\.[\w.]+)?$/.test(text)) sonames.add(text);
}
