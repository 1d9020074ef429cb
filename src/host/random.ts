// Random names. node:crypto gives them too, but takes longer to load than most of our commands take.
import { closeSync, openSync, readSync } from "node:fs";

/** From the kernel, as hexadecimal digits, two a byte. */
export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}

/** One of them; they are fewer than 2^32. */
export function pickOne<T>(list: readonly T[]): T | undefined {
  // The part that 2^32 is not a multiple of is too small to matter for a name.
  return list[randomBytes(4).readUInt32LE() % list.length];
}

function randomBytes(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  const fd = openSync("/dev/urandom", "r");
  try {
    for (let done = 0; done < count; ) done += readSync(fd, bytes, done, count - done, null);
  } finally {
    closeSync(fd);
  }
  return bytes;
}
