// Texts of an EMP folder as bytes and back, to the byte: the tools that wrote them use UTF-8 with and without a byte order mark and
// UTF-16, hands use code page 1252. A byte order mark stays the first character of the text.
import { TranshipError } from "../../base/errors.ts";
import { byteStringOf, isUtf8 } from "../byte-string.ts";

export type Encoding = "utf-8" | "utf-16le" | "utf-16be" | "iso-8859-1" | "windows-1252";

export interface EncodedText {
  text: string;
  encoding: Encoding;
}

/** Of one file; what is larger is refused. */
export const maxTextBytes = 16 << 20;

/** What 0x80 to 0x9f are in code page 1252; 0: the character of that number. */
const cp1252 = [
  0x20ac, 0, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0, 0x17d, 0,
  0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0, 0x17e, 0x178,
]; // biome-ignore format: a table

/** E_EMP_INVALID where the bytes do not fit the encoding that they name, E_LIMIT. `name` is for errors. */
export function decodeTextFile(bytes: Uint8Array, name: string): EncodedText {
  if (bytes.length > maxTextBytes)
    throw new TranshipError("E_LIMIT", `${name} has ${bytes.length} bytes, more than ${maxTextBytes}`);
  const encoding = encodingOf(bytes, name);
  if (encoding === "utf-16le" || encoding === "utf-16be") {
    if (bytes.length % 2 !== 0) throw invalid(name, "is UTF-16 with half a character at its end");
    return { encoding, text: utf16(bytes, encoding === "utf-16le") };
  }
  const raw = byteStringOf(bytes);
  if (encoding === "iso-8859-1") return { encoding, text: raw };
  if (encoding === "windows-1252")
    return { encoding, text: raw.replace(/[\x80-\x9f]/g, (char) => fromCp1252(char.charCodeAt(0))) };
  if (!isUtf8(raw)) throw invalid(name, "is not the UTF-8 that it should be");
  return { encoding, text: utf8Text(raw) };
}

/** The bytes of a text; a character that the encoding does not have becomes a reference of XML. */
export function encodeTextFile({ text, encoding }: EncodedText): Uint8Array {
  if (encoding === "utf-8") return utf8Bytes(text);
  const wide = encoding === "utf-16le" || encoding === "utf-16be";
  if (wide) {
    const bytes = new Uint8Array(text.length * 2);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i), encoding === "utf-16le");
    return bytes;
  }
  const out: number[] = [];
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const byte = encoding === "windows-1252" ? toCp1252(code) : code < 0x100 ? code : undefined;
    if (byte === undefined) for (const one of `&#x${code.toString(16)};`) out.push(one.charCodeAt(0));
    else out.push(byte);
  }
  return Uint8Array.from(out);
}

function encodingOf(bytes: Uint8Array, name: string): Encoding {
  const [first = -1, second = -1] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0x3c && second === 0)) return "utf-16le";
  if ((first === 0xfe && second === 0xff) || (first === 0 && second === 0x3c)) return "utf-16be";
  const head = byteStringOf(bytes, 0, Math.min(bytes.length, 200));
  const declared = /^(?:\xef\xbb\xbf)?<\?xml[^>]{0,160}?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']/.exec(
    head,
  )?.[1];
  switch (declared?.toLowerCase()) {
    case undefined:
    case "utf-8":
    case "utf8":
      return "utf-8";
    case "us-ascii":
    case "ascii":
    case "iso-8859-1":
    case "latin1":
      return "iso-8859-1";
    case "windows-1252":
      return "windows-1252";
    default:
      throw new TranshipError("E_EMP_INVALID", `${name} says that its encoding is ${declared}`, {
        hint: "save it as UTF-8, UTF-16, ISO-8859-1 or windows-1252",
      });
  }
}

function fromCp1252(byte: number): string {
  return String.fromCharCode(cp1252[byte - 0x80] || byte);
}

function toCp1252(code: number): number | undefined {
  const index = cp1252.indexOf(code);
  if (code !== 0 && index >= 0) return 0x80 + index;
  if (code >= 0x80 && code < 0xa0) return cp1252[code - 0x80] === 0 ? code : undefined;
  return code < 0x100 ? code : undefined;
}

function utf16(bytes: Uint8Array, little: boolean): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return chunked(bytes.length / 2, (i) => view.getUint16(i * 2, little));
}

/** The bytes are known to be well-formed. */
function utf8Text(raw: string): string {
  if (/^[\x00-\x7f]*$/.test(raw)) return raw;
  return raw.replace(/[\xc2-\xf4][\x80-\xbf]+/g, (run) => {
    let text = "";
    for (let at = 0; at < run.length; ) {
      const lead = run.charCodeAt(at);
      const more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
      let code = lead & (0x3f >> more);
      for (let i = 1; i <= more; i++) code = (code << 6) | (run.charCodeAt(at + i) & 0x3f);
      text += String.fromCodePoint(code);
      at += more + 1;
    }
    return text;
  });
}

function chunked(count: number, unit: (index: number) => number): string {
  const parts: string[] = [];
  for (let from = 0; from < count; from += 8192) {
    const units = Array.from({ length: Math.min(8192, count - from) }, (_, i) => unit(from + i));
    parts.push(String.fromCharCode(...units));
  }
  return parts.join("");
}

function utf8Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x80) bytes[at++] = code;
    else {
      const more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
      bytes[at++] = ((0xf00 >> (more + 1)) & 0xff) | (code >> (6 * more));
      for (let i = more - 1; i >= 0; i--) bytes[at++] = 0x80 | ((code >> (6 * i)) & 0x3f);
    }
  }
  return bytes.slice(0, at);
}

function invalid(name: string, what: string): TranshipError {
  return new TranshipError("E_EMP_INVALID", `${name} ${what}`, { hint: "save it as UTF-8" });
}
