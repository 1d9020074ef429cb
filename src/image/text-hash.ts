// 64 bits of a text, for tables in memory. Each process mixes in numbers of its own, so that nobody can make names that meet on purpose;
// what is written down or compared with others is a digest.
import { randomInt } from "node:crypto";

const [firstSeed, secondSeed] = [randomInt(2 ** 32), randomInt(2 ** 32)];

/** Puts two numbers of 32 bits into `into`. */
export function hashText(text: string, salt: number, into: Uint32Array): void {
  let one = firstSeed ^ salt;
  let two = secondSeed ^ Math.imul(salt, 0x9e3779b1);
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    one = Math.imul(one ^ char, 0x9e3779b1);
    one = (one << 13) | (one >>> 19);
    two = Math.imul(two ^ char, 0x5f356495);
    two = (two << 11) | (two >>> 21);
  }
  one = Math.imul(one ^ (one >>> 16), 0x85ebca6b) ^ Math.imul(two ^ (two >>> 13), 0xc2b2ae35);
  two = Math.imul(two ^ (two >>> 16), 0x85ebca6b) ^ Math.imul(one ^ (one >>> 13), 0xc2b2ae35);
  into[0] = one;
  into[1] = two;
}
