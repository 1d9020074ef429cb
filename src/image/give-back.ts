// Memory of large buffers, given back when it was used instead of when the collector comes by: between two collections of a busy process lie
// tens of megabytes of such buffers, which is several times what it works with.

/** Smaller ones are mostly not worth a call. */
const usualLeast = 64 << 10;

/**
 * Frees the memory behind the bytes at once; they are empty from then on, and so is whatever else looks at it. Only for bytes that
 * nobody uses any more. What does not begin where its buffer begins is left alone: others may have a part of that.
 * `least`: smaller ones are left alone.
 */
export function giveBack(bytes: Uint8Array, least: number = usualLeast): void {
  const { buffer, byteOffset } = bytes;
  const isOwn = byteOffset === 0 && buffer.byteLength > Math.max(least, Buffer.poolSize);
  if (isOwn && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
