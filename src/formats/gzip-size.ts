// How many bytes gzip data unpacks to, without unpacking it: RFC 1951 and 1952. What a match repeats is not needed to know how long it is, so
// no window is kept and nothing is written: 10 GB of zeros are counted in the time that their 10 MB take to read.
// It judges nothing: where the data is damaged it stops counting, and a decoder will say why.
import {
  type CodeTable,
  codeTable,
  distance,
  fixedDistances,
  fixedLengths,
  followed,
  literalOrLength,
  plainSymbol,
} from "./deflate-codes.ts";

type State = "member" | "extra" | "name" | "comment" | "skip" | "block" | "stored" | "codes" | "stopped";

/** Bytes that the longest description of codes, or any code with what follows it, fits into. */
const enough = 1024;
const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const fixed = {
  lengths: codeTable(fixedLengths, literalOrLength),
  distances: codeTable(fixedDistances, distance),
};

export class GzipSize {
  /** What was given so far unpacks to. */
  size = 0;
  #state: State = "member";
  #flags = 0;
  #lastBlock = false;
  /** Bytes to pass over, and what comes then. */
  #left = 0;
  #then: State = "block";
  #lengths: CodeTable | undefined;
  #distances: CodeTable | undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #hold = 0;
  #bits = 0;

  /** Whether it counts no further. */
  get stopped(): boolean {
    return this.#state === "stopped";
  }

  /** `last`: nothing follows. */
  push(chunk: Uint8Array, last: boolean): void {
    const rest = this.#bytes.subarray(this.#at);
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    this.#bytes = bytes;
    this.#at = 0;
    while (
      !this.stopped &&
      (last ? this.#at < bytes.length || this.#bits > 0 : this.#at + enough <= bytes.length)
    )
      this.#step(last);
  }

  #step(last: boolean): void {
    switch (this.#state) {
      case "member":
        this.#member();
        break;
      case "extra":
        this.#skip(this.#byte() | (this.#byte() << 8), "name");
        break;
      case "name":
      case "comment":
        this.#text();
        break;
      case "skip":
      case "stored":
        this.#pass();
        break;
      case "block":
        this.#block();
        break;
      case "codes":
        this.#codes(last);
        break;
    }
  }

  /** Bytes are read when no bits are held. */
  #byte(): number {
    return this.#bytes[this.#at++] ?? this.#stop();
  }

  #stop(): number {
    this.#state = "stopped";
    return 0;
  }

  #skip(count: number, then: State): void {
    this.#left = count;
    this.#then = then;
    this.#state = "skip";
  }

  #member(): void {
    if (this.#byte() !== 0x1f || this.#byte() !== 0x8b || this.#byte() !== 8) {
      this.#stop();
      return;
    }
    this.#flags = this.#byte();
    this.#skip(6, (this.#flags & 4) !== 0 ? "extra" : "name");
  }

  /** A text that ends with a NUL, where the flags say that there is one. */
  #text(): void {
    const name = this.#state === "name";
    if ((this.#flags & (name ? 8 : 16)) !== 0) {
      const end = this.#bytes.indexOf(0, this.#at);
      this.#at = end < 0 ? this.#bytes.length : end + 1;
      if (end < 0) return;
    }
    if (name) this.#state = "comment";
    else this.#skip((this.#flags & 2) !== 0 ? 2 : 0, "block");
  }

  #pass(): void {
    const count = Math.min(this.#left, this.#bytes.length - this.#at);
    if (count === 0 && this.#left > 0) this.#stop();
    this.#at += count;
    this.#left -= count;
    if (this.#state === "stored") this.size += count;
    if (this.#left > 0 || this.stopped) return;
    if (this.#state === "stored") this.#blockEnds();
    else this.#state = this.#then;
  }

  #take(count: number): number {
    for (; this.#bits < count; this.#bits += 8) this.#hold |= this.#byte() << this.#bits;
    const value = this.#hold & ((1 << count) - 1);
    this.#hold >>>= count;
    this.#bits -= count;
    return value;
  }

  #dropBits(): void {
    this.#at -= this.#bits >> 3;
    this.#hold = 0;
    this.#bits = 0;
  }

  #block(): void {
    this.#lastBlock = this.#take(1) === 1;
    const type = this.#take(2);
    if (type === 0) {
      this.#dropBits();
      this.#left = this.#byte() | (this.#byte() << 8);
      this.#at += 2;
      if (!this.stopped) this.#state = "stored";
    } else if (type === 1) this.#begin(fixed.lengths, fixed.distances);
    else if (type === 2) this.#dynamic();
    else this.#stop();
  }

  #begin(lengths: CodeTable | undefined, distances: CodeTable | undefined): void {
    if (lengths === undefined || distances === undefined) this.#stop();
    if (this.stopped) return;
    this.#lengths = lengths;
    this.#distances = distances;
    this.#state = "codes";
  }

  #dynamic(): void {
    const literals = this.#take(5) + 257;
    const distances = this.#take(5) + 1;
    const count = this.#take(4) + 4;
    const own = new Uint8Array(19);
    for (const symbol of order.slice(0, count)) own[symbol] = this.#take(3);
    const table = codeTable(own, plainSymbol);
    const lengths = new Uint8Array(literals + distances);
    for (let at = 0; at < lengths.length; ) {
      const symbol = table === undefined ? -1 : this.#symbol(table);
      if (symbol < 0 || this.stopped || (symbol === 16 && at === 0)) {
        this.#stop();
        return;
      }
      if (symbol < 16) lengths[at++] = symbol;
      else {
        const repeat =
          symbol === 18 ? this.#take(7) + 11 : symbol === 17 ? this.#take(3) + 3 : this.#take(2) + 3;
        lengths.fill(symbol === 16 ? (lengths[at - 1] ?? 0) : 0, at, at + repeat);
        at += repeat;
      }
    }
    this.#begin(
      codeTable(lengths.subarray(0, literals), literalOrLength),
      codeTable(lengths.subarray(literals), distance),
    );
  }

  /** -1 where the bits are no code. */
  #symbol(table: CodeTable): number {
    for (; this.#bits < 7; this.#bits += 8) this.#hold |= (this.#bytes[this.#at++] ?? 0) << this.#bits;
    const entry = table[this.#hold & (table.length - 1)] ?? 0;
    if (entry === 0) return -1;
    this.#take(entry & 15);
    return entry >> 9;
  }

  /** As many symbols as the bytes hold, but for those too near to their end. */
  #codes(last: boolean): void {
    const lengths = this.#lengths as CodeTable;
    const distances = this.#distances as CodeTable;
    const lengthMask = lengths.length - 1;
    const distanceMask = distances.length - 1;
    const bytes = this.#bytes;
    const end = last ? bytes.length + 8 : bytes.length - 16;
    let at = this.#at;
    let hold = this.#hold;
    let bits = this.#bits;
    let size = 0;
    let ended = false;
    let damaged = false;
    while (at < end) {
      for (; bits < 24; bits += 8) hold |= (bytes[at++] as number) << bits;
      const entry = lengths[hold & lengthMask] as number;
      const extra = (entry >> 4) & 15;
      hold >>>= entry & 15;
      size += (entry >> 9) + (hold & ((1 << extra) - 1));
      hold >>>= extra;
      bits -= (entry & 15) + extra;
      if ((entry & followed) === 0) {
        if (entry >> 9 !== 0) continue;
        ended = entry !== 0;
        damaged = !ended;
        break;
      }
      for (; bits < 24; bits += 8) hold |= (bytes[at++] as number) << bits;
      const behind = distances[hold & distanceMask] as number;
      damaged = behind === 0;
      if (damaged) break;
      const skipped = behind >> 4;
      hold >>>= behind & 15;
      bits -= behind & 15;
      for (; bits < skipped; bits += 8) hold |= (bytes[at++] as number) << bits;
      hold >>>= skipped;
      bits -= skipped;
    }
    this.#at = at;
    this.#hold = hold;
    this.#bits = bits;
    this.size += size;
    if (ended) this.#blockEnds();
    else if (damaged || last) this.#stop();
  }

  #blockEnds(): void {
    if (!this.#lastBlock) {
      this.#state = "block";
      return;
    }
    this.#dropBits();
    // Its checksum and its size, of which only the lowest 32 bits stand there, and nobody holds the writer to them.
    this.#skip(8, "member");
  }
}
