// Words of a command line: quotes and escapes as systemd.syntax(7) and sh have them in common.
import type { ByteString } from "./entry.ts";

const escapes: Record<string, string> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  s: " ",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

export interface Word {
  text: ByteString;
  /** True where a part of the word stood in quotes: such a word is never split or dropped after expansion. */
  quoted: boolean;
}

/** Splits text into words. An unbalanced quote runs to the end. At most `limit` words. */
export function splitWords(text: ByteString, limit = 4096): Word[] {
  const words: Word[] = [];
  let at = 0;
  while (at < text.length && words.length < limit) {
    if (isSpace(text.charAt(at))) {
      at++;
      continue;
    }
    const { word, end } = readWord(text, at);
    words.push(word);
    at = end;
  }
  return words;
}

function readWord(text: string, start: number): { word: Word; end: number } {
  let out = "";
  let quote = "";
  let quoted = false;
  let at = start;
  for (; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === "\\" && at + 1 < text.length) {
      const { value, length } = readEscape(text, at + 1);
      out += value;
      at += length;
    } else if (quote !== "") {
      if (char === quote) quote = "";
      else out += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      quoted = true;
    } else if (isSpace(char)) {
      break;
    } else {
      out += char;
    }
  }
  return { word: { text: out, quoted }, end: at };
}

function readEscape(text: string, at: number): { value: string; length: number } {
  const char = text.charAt(at);
  const known = escapes[char];
  if (known !== undefined) return { value: known, length: 1 };
  const hex = char === "x" ? /^[0-9a-fA-F]{2}/.exec(text.slice(at + 1, at + 3)) : null;
  if (hex !== null) return { value: String.fromCharCode(Number.parseInt(hex[0], 16)), length: 3 };
  const octal = /^[0-3][0-7]{2}/.exec(text.slice(at, at + 3));
  if (octal !== null) return { value: String.fromCharCode(Number.parseInt(octal[0], 8)), length: 3 };
  return { value: `\\${char}`, length: 1 };
}

function isSpace(char: string): boolean {
  return char === " " || char === "\t" || char === "\n" || char === "\r";
}
