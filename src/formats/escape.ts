// Byte strings (see entry.ts) as text for people and files, and back without loss: valid UTF-8 stays as it is, any other
// byte, control characters, the backslash and invisible characters become \xNN.
import { byteStringOf } from "./byte-string.ts";
import type { ByteString } from "./entry.ts";

/** The UTF-8 bytes of a text as a byte string. */
export function encodeText(text: string): ByteString {
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  return byteStringOf(utf8Bytes(text));
}

/** Byte string -> text that shows it, reversible by unescapeBytes(). */
export function escapeBytes(value: ByteString): string {
  if (/^[\x20-\x5b\x5d-\x7e]*$/.test(value)) return value;
  let result = "";
  for (let at = 0; at < value.length; ) {
    const [code, length] = decodeAt(value, at);
    const printable =
      code !== undefined &&
      code >= 0x20 &&
      code !== 0x5c &&
      !(code >= 0x7f && code < 0xa0) &&
      !isInvisible(code);
    if (printable) result += String.fromCodePoint(code);
    else
      for (let i = 0; i < length; i++)
        result += `\\x${value
          .charCodeAt(at + i)
          .toString(16)
          .padStart(2, "0")}`;
    at += length;
  }
  return result;
}

/** Text made by escapeBytes(), or typed by a person, -> byte string. */
export function unescapeBytes(text: string): ByteString {
  return encodeText(text).replace(/\\x([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** Line and paragraph separators, byte order marks and direction overrides can make a name look like another. */
function isInvisible(code: number): boolean {
  return (
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f) ||
    code === 0xfeff
  );
}

/** Code point and length of the UTF-8 sequence at `at`; undefined and 1 where it is not valid (RFC 3629). */
function decodeAt(value: string, at: number): [code: number | undefined, length: number] {
  const first = value.charCodeAt(at);
  if (first < 0x80) return [first, 1];
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length === 0 || first > 0xf4 || at + length > value.length) return [undefined, 1];
  let code = first & (0x7f >> length);
  for (let i = 1; i < length; i++) {
    const next = value.charCodeAt(at + i);
    if ((next & 0xc0) !== 0x80) return [undefined, 1];
    code = (code << 6) | (next & 0x3f);
  }
  const least = length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000;
  const valid = code >= least && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return valid ? [code, length] : [undefined, 1];
}

function utf8Bytes(text: string): Uint8Array {
  const out: number[] = [];
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x80) out.push(code);
    else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    else if (code < 0x10000) out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    else
      out.push(
        0xf0 | (code >> 18),
        0x80 | ((code >> 12) & 0x3f),
        0x80 | ((code >> 6) & 0x3f),
        0x80 | (code & 0x3f),
      );
  }
  return Uint8Array.from(out);
}
