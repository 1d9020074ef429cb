// Byte strings (one char per byte) to bytes and back, without Buffer: formats/ is pure.
import type { ByteString } from "./entry.ts";
import { toByteString } from "./fields.ts";

/** Writes the text at `at`; what does not fit is left out. Returns the number of bytes written. */
export function putByteString(text: ByteString, into: Uint8Array, at: number): number {
  const count = Math.min(text.length, into.length - at);
  for (let i = 0; i < count; i++) into[at + i] = text.charCodeAt(i);
  return count;
}

export function bytesOf(text: ByteString): Uint8Array {
  const bytes = new Uint8Array(text.length);
  putByteString(text, bytes, 0);
  return bytes;
}

/** What the buffers of Node have: several times as fast for short texts. */
interface Latin1 {
  latin1Slice(start: number, end: number): ByteString;
}

export function byteStringOf(bytes: Uint8Array, start = 0, end: number = bytes.length): ByteString {
  if (end <= start) return "";
  if ("latin1Slice" in bytes) return (bytes as Uint8Array & Latin1).latin1Slice(start, end);
  return toByteString(bytes.subarray(start, end));
}

/** Whether the bytes are all ASCII. */
export function isAscii(text: ByteString): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Whether the bytes are well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF). */
export function isUtf8(text: ByteString): boolean {
  for (let i = 0; i < text.length; ) {
    const lead = text.charCodeAt(i);
    const [more, low, high] = utf8Shape(lead);
    if (more < 0) return false;
    for (let k = 1; k <= more; k++) {
      const byte = text.charCodeAt(i + k); // NaN past the end fails both comparisons
      if (!(byte >= (k === 1 ? low : 0x80) && byte <= (k === 1 ? high : 0xbf))) return false;
    }
    i += more + 1;
  }
  return true;
}

/** How many bytes follow the lead byte (-1: no lead byte) and what the first of them may be. */
function utf8Shape(lead: number): [more: number, low: number, high: number] {
  if (lead < 0x80) return [0, 0, 0];
  if (lead >= 0xc2 && lead <= 0xdf) return [1, 0x80, 0xbf];
  if (lead === 0xe0) return [2, 0xa0, 0xbf];
  if (lead === 0xed) return [2, 0x80, 0x9f];
  if (lead >= 0xe1 && lead <= 0xef) return [2, 0x80, 0xbf];
  if (lead === 0xf0) return [3, 0x90, 0xbf];
  if (lead >= 0xf1 && lead <= 0xf3) return [3, 0x80, 0xbf];
  if (lead === 0xf4) return [3, 0x80, 0x8f];
  return [-1, 0, 0];
}
