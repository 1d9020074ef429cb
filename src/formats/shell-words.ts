// Command lines that a POSIX shell splits into the same words again.
import type { ByteString } from "./entry.ts";

/** In single quotes where it has to be. */
export function shellWord(word: ByteString): ByteString {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export function shellWords(words: readonly ByteString[]): ByteString {
  return words.map(shellWord).join(" ");
}
