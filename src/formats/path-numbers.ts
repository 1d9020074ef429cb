// Numbers for many paths, from 0 on in the order in which they came: what a Map would tell in half of its memory, and without a moment in
// which the old and the new one are both there.
import type { ByteString } from "./entry.ts";

const firstSlots = 64;
/** Of the slots, how many may be taken. */
const fullness = 0.7;

export class PathNumbers {
  readonly #paths: ByteString[] = [];
  readonly #hashes: number[] = [];
  /** A number and one more; 0 where the slot is free. */
  #slots = new Uint32Array(firstSlots);

  get size(): number {
    return this.#paths.length;
  }

  get(path: ByteString): number | undefined {
    const found = this.#slots[this.#slotOf(path, hash(path))] ?? 0;
    return found === 0 ? undefined : found - 1;
  }

  /** Of a path that is new the next number. */
  add(path: ByteString): number {
    const key = hash(path);
    const slot = this.#slotOf(path, key);
    const found = this.#slots[slot] ?? 0;
    if (found !== 0) return found - 1;
    this.#paths.push(path);
    this.#hashes.push(key);
    this.#slots[slot] = this.#paths.length;
    if (this.#paths.length > this.#slots.length * fullness) this.#grow();
    return this.#paths.length - 1;
  }

  /** In the order of their numbers. */
  paths(): ArrayIterator<ByteString> {
    return this.#paths.values();
  }

  /** Where the path is, or would be. */
  #slotOf(path: ByteString, key: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = key & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot] ?? 0;
      if (found === 0 || (this.#hashes[found - 1] === key && this.#paths[found - 1] === path)) return slot;
    }
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (const [number, key] of this.#hashes.entries()) {
      let slot = key & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}

/** Of this process alone: nobody can make names on purpose that meet. */
const seed = Math.floor(Math.random() * 2 ** 32);

/** 30 bits, which stay small integers. */
function hash(path: ByteString): number {
  let key = seed;
  for (let i = 0; i < path.length; i++) {
    key = Math.imul(key ^ path.charCodeAt(i), 0x9e3779b1);
    key = (key << 13) | (key >>> 19);
  }
  key = Math.imul(key ^ (key >>> 16), 0x85ebca6b);
  return (key ^ (key >>> 13)) & 0x3fff_ffff;
}
