// Prefix codes of deflate as tables: RFC 1951, sections 3.2.2 and 3.2.5 to 3.2.7. Only what a code adds to the size is kept, not what it stands for.

/** Of an entry: bits of the code (4), extra bits behind it (4), whether a distance follows (1), bytes that it stands for without its extra bits. 0: no such code. */
export type CodeTable = Int32Array;

export const followed = 0x100;

/** Extra bits and least length of the codes 257 to 285. */
const lengthExtra = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const lengthBase = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
  227, 258,
];

/** Table of a code, indexed by as many bits as its longest has; undefined where the lengths are of no code. `meaning` is all of an entry but its bits; -1: none. */
export function codeTable(lengths: Uint8Array, meaning: (symbol: number) => number): CodeTable | undefined {
  const counts = new Int32Array(16);
  for (const length of lengths) counts[length] = (counts[length] ?? 0) + 1;
  counts[0] = 0;
  const next = new Int32Array(16);
  let longest = 0;
  for (let bits = 1, code = 0; bits <= 15; bits++) {
    code = (code + (counts[bits - 1] ?? 0)) << 1;
    next[bits] = code;
    if ((counts[bits] ?? 0) > 0) longest = bits;
    if (code + (counts[bits] ?? 0) > 1 << bits) return undefined;
  }
  const table = new Int32Array(1 << longest);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const bits = lengths[symbol] ?? 0;
    if (bits === 0) continue;
    const code = next[bits] ?? 0;
    next[bits] = code + 1;
    const entry = meaning(symbol);
    if (entry < 0) continue;
    for (let at = reversed(code, bits); at < table.length; at += 1 << bits) table[at] = entry | bits;
  }
  return table;
}

function reversed(code: number, bits: number): number {
  let value = 0;
  for (let i = 0; i < bits; i++) value |= ((code >> i) & 1) << (bits - 1 - i);
  return value;
}

/** Literals are of one byte, 256 ends the block (no bytes, nothing follows). */
export function literalOrLength(symbol: number): number {
  if (symbol < 256) return 1 << 9;
  if (symbol === 256) return 0;
  const index = symbol - 257;
  const base = lengthBase[index];
  return base === undefined ? -1 : (base << 9) | followed | ((lengthExtra[index] ?? 0) << 4);
}

export function distance(symbol: number): number {
  return symbol > 29 ? -1 : symbol < 4 ? 0 : ((symbol >> 1) - 1) << 4;
}

/** A code of lengths of codes: the symbol stands where the bytes do. */
export const plainSymbol = (symbol: number): number => symbol << 9;

export const fixedLengths: Uint8Array = Uint8Array.from({ length: 288 }, (_, symbol) =>
  symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8,
);
export const fixedDistances: Uint8Array = new Uint8Array(30).fill(5);
