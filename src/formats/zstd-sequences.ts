// How many bytes a compressed block of zstd stands for: RFC 8878, sections 3.1.1.3 and 4.1. That is what its literals are, whose number stands in
// their header, and what its sequences repeat, whose lengths alone are read: no literal is decoded and nothing is copied.

/** Per state: symbol, bits to read for the next state, least next state. */
interface FseTable {
  log: number;
  symbols: Uint8Array;
  bits: Uint8Array;
  bases: Uint16Array;
}

/** Tables that the next block of the frame may repeat. */
export interface SequenceTables {
  literals: FseTable | undefined;
  offsets: FseTable | undefined;
  matches: FseTable | undefined;
}

const literalBits = [
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14,
  15, 16,
];
/** Of the match codes from 32 on; those below have none, and stand for 3 more than they are. */
const matchBits = [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const matchBases = [
  35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539,
];

const kinds = {
  literals: {
    longest: 9,
    symbols: 36,
    predefined: table(
      [
        4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1,
        -1, -1, -1,
      ],
      6,
    ),
  },
  offsets: {
    longest: 8,
    symbols: 32,
    predefined: table(
      [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
      5,
    ),
  },
  matches: {
    longest: 9,
    symbols: 53,
    predefined: table(
      [
        1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
      ],
      6,
    ),
  },
} as const;

/** Bytes that the block stands for; undefined where it is damaged. `tables` is changed to what the next block may repeat. */
export function blockContentSize(block: Uint8Array, tables: SequenceTables): number | undefined {
  const literals = literalsSection(block);
  if (literals === undefined) return undefined;
  let at = literals.end;
  const first = block[at++];
  if (first === undefined) return undefined;
  if (first === 0) return literals.size;
  let count = first;
  if (first === 255) {
    count = 0x7f00 + byte(block, at) + (byte(block, at + 1) << 8);
    at += 2;
  } else if (first > 127) count = ((first - 128) << 8) + byte(block, at++);
  const modes = byte(block, at++);
  for (const [kind, shift] of [
    ["literals", 6],
    ["offsets", 4],
    ["matches", 2],
  ] as const) {
    // biome-ignore format: short
    const given = tableOf(block, at, (modes >> shift) & 3, kind, tables[kind]);
    if (given === undefined) return undefined;
    tables[kind] = given.table;
    at = given.end;
  }
  const repeated = matchesOf(block, at, count, tables);
  return repeated === undefined ? undefined : literals.size + repeated;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

/** How many literals there are, and where their section ends. */
function literalsSection(block: Uint8Array): { size: number; end: number } | undefined {
  const head = byte(block, 0);
  const format = (head >> 2) & 3;
  const low = head | (byte(block, 1) << 8) | (byte(block, 2) << 16) | (byte(block, 3) << 24);
  let size: number;
  let end: number;
  if ((head & 3) < 2) {
    const header = (format & 1) === 0 ? 1 : format === 1 ? 2 : 3;
    size = header === 1 ? head >> 3 : header === 2 ? (low >> 4) & 0xfff : (low >> 4) & 0xfffff;
    end = header + ((head & 3) === 0 ? size : 1);
  } else if (format < 2) {
    size = (low >> 4) & 0x3ff;
    end = 3 + ((low >> 14) & 0x3ff);
  } else if (format === 2) {
    size = (low >> 4) & 0x3fff;
    end = 4 + (low >>> 18);
  } else {
    size = (low >> 4) & 0x3ffff;
    end = 5 + ((low >>> 22) | (byte(block, 4) << 10));
  }
  return end >= block.length ? undefined : { size, end };
}

function tableOf(
  block: Uint8Array,
  at: number,
  mode: number,
  kind: keyof typeof kinds,
  before: FseTable | undefined,
): { table: FseTable; end: number } | undefined {
  const { predefined, longest, symbols } = kinds[kind];
  if (mode === 0) return { table: predefined, end: at };
  if (mode === 3) return before === undefined ? undefined : { table: before, end: at };
  if (mode === 2) return describedTable(block, at, longest, symbols);
  const symbol = byte(block, at);
  if (symbol >= symbols) return undefined;
  const one = { log: 0, symbols: Uint8Array.of(symbol), bits: new Uint8Array(1), bases: new Uint16Array(1) };
  return { table: one, end: at + 1 };
}

/** RFC 8878, section 4.1.1. */
function describedTable(
  block: Uint8Array,
  start: number,
  longest: number,
  symbols: number,
): { table: FseTable; end: number } | undefined {
  let at = start * 8;
  const take = (count: number): number => {
    const from = at >> 3;
    const value = byte(block, from) | (byte(block, from + 1) << 8) | (byte(block, from + 2) << 16);
    const bits = (value >> (at & 7)) & ((1 << count) - 1);
    at += count;
    return bits;
  };
  const log = take(4) + 5;
  if (log > longest) return undefined;
  const counts: number[] = [];
  let left = 1 << log;
  while (left > 0 && counts.length < symbols) {
    const most = 31 - Math.clz32(left + 1) + 1;
    let value = take(most);
    const threshold = (1 << most) - 1 - (left + 1);
    const short = value & ((1 << (most - 1)) - 1);
    if (short < threshold) {
      at--;
      value = short;
    } else if (value >= 1 << (most - 1)) value -= threshold;
    const count = value - 1;
    left -= Math.abs(count);
    counts.push(count);
    if (count !== 0) continue;
    for (let more = 3; more === 3; ) {
      more = take(2);
      for (let i = 0; i < more; i++) counts.push(0);
      if (counts.length > symbols) return undefined;
    }
  }
  if (left !== 0 || at > block.length * 8) return undefined;
  return { table: table(counts, log), end: (at + 7) >> 3 };
}

function table(counts: readonly number[], log: number): FseTable {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  const next = new Uint16Array(counts.length);
  let high = size - 1;
  counts.forEach((count, symbol) => {
    if (count < 0) symbols[high--] = symbol;
    next[symbol] = Math.abs(count);
  });
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  counts.forEach((count, symbol) => {
    for (let i = 0; i < count; i++) {
      symbols[at] = symbol;
      do at = (at + step) & (size - 1);
      while (at > high);
    }
  });
  const bits = new Uint8Array(size);
  const bases = new Uint16Array(size);
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state] ?? 0;
    const seen = next[symbol] ?? 0;
    next[symbol] = seen + 1;
    const count = log - (31 - Math.clz32(seen));
    bits[state] = count;
    bases[state] = (seen << count) - size;
  }
  return { log, symbols, bits, bases };
}

/** Sum of what the sequences repeat. Their bits are read from the end of the block on. */
function matchesOf(
  block: Uint8Array,
  start: number,
  count: number,
  { literals, offsets, matches }: SequenceTables,
): number | undefined {
  const last = block.at(-1) ?? 0;
  if (literals === undefined || offsets === undefined || matches === undefined || last === 0)
    return undefined;
  let at = (block.length - 1) * 8 + 31 - Math.clz32(last);
  const take = (bits: number): number => {
    at -= bits;
    const from = at >> 3;
    const value = byte(block, from) | (byte(block, from + 1) << 8) | (byte(block, from + 2) << 16);
    return (value >> (at & 7)) & ((1 << bits) - 1);
  };
  let literal = take(literals.log);
  let offset = take(offsets.log);
  let match = take(matches.log);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    at -= byte(offsets.symbols, offset);
    const code = byte(matches.symbols, match);
    sum += code < 32 ? code + 3 : (matchBases[code - 32] ?? 0) + take(matchBits[code - 32] ?? 0);
    at -= literalBits[byte(literals.symbols, literal)] ?? 0;
    if (at < start * 8) return undefined;
    if (i === count - 1) break;
    literal = (literals.bases[literal] ?? 0) + take(byte(literals.bits, literal));
    match = (matches.bases[match] ?? 0) + take(byte(matches.bits, match));
    offset = (offsets.bases[offset] ?? 0) + take(byte(offsets.bits, offset));
  }
  return sum;
}
