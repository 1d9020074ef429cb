// Whether a blob is what is about to be written in its place. Reading it costs less than compressing it did, and leaves the disk alone.
import { type FileHandle, open } from "node:fs/promises";
import { giveBack } from "./give-back.ts";

const pieceSize = 1 << 20;

/** Both are read from their beginnings. False also where the file cannot be read: its disk may be what is damaged. */
export async function isSameContent(path: string, other: FileHandle, size: number): Promise<boolean> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return false;
  const length = Math.max(1, Math.min(pieceSize, size));
  const [one, two] = [Buffer.allocUnsafeSlow(length), Buffer.allocUnsafeSlow(length)];
  try {
    for (let at = 0; at < size; ) {
      const count = Math.min(length, size - at);
      const [a, b] = await Promise.all([fill(file, one, at, count), fill(other, two, at, count)]);
      if (!a || !b || one.compare(two, 0, count, 0, count) !== 0) return false;
      at += count;
    }
    return true;
  } finally {
    giveBack(one);
    giveBack(two);
    await file.close();
  }
}

/** False where there are fewer bytes, or they cannot be read. */
async function fill(file: FileHandle, buffer: Uint8Array, at: number, count: number): Promise<boolean> {
  try {
    for (let have = 0; have < count; ) {
      const { bytesRead } = await file.read(buffer, have, count - have, at + have);
      if (bytesRead === 0) return false;
      have += bytesRead;
    }
    return true;
  } catch {
    return false;
  }
}
