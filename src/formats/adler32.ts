// Adler-32, RFC 1950.

const modulus = 65_521;
/** So many bytes that the sums stay below 2^32. */
const run = 5552;

export function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length; at += run) {
    const end = Math.min(at + run, bytes.length);
    for (let i = at; i < end; i++) {
      a += bytes[i] ?? 0;
      b += a;
    }
    a %= modulus;
    b %= modulus;
  }
  return b * 65_536 + a;
}
