// Where a member of a zip archive (a jar) lies: end record and central directory only (PKWARE APPNOTE, 4.3). Zip64 and archives with
// more members than are read give nothing. All of it may be hostile: offsets are checked, loops are bounded.
import type { ByteString } from "./entry.ts";

export interface ZipMember {
  /** Of its local header. */
  offset: number;
  compressedSize: number;
  size: number;
  /** 0 stored, 8 deflated. */
  method: number;
}

/** The most that has to be read from the end of an archive to find its end record. */
export const zipTail = 65_557;
const maxMembers = 100_000;

/** tail: the last bytes of the archive. Where its central directory is, or undefined where this is no zip. */
export function zipDirectory(tail: Uint8Array): { offset: number; size: number } | undefined {
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  for (let at = tail.length - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== 0x06054b50) continue;
    const size = view.getUint32(at + 12, true);
    const offset = view.getUint32(at + 16, true);
    return offset === 0xffffffff || size === 0xffffffff ? undefined : { offset, size };
  }
  return undefined;
}

/** directory: the bytes that zipDirectory() names. */
export function findZipMember(directory: Uint8Array, name: ByteString): ZipMember | undefined {
  const view = new DataView(directory.buffer, directory.byteOffset, directory.length);
  for (let at = 0, left = maxMembers; at + 46 <= directory.length && left > 0; left--) {
    if (view.getUint32(at, true) !== 0x02014b50) return undefined;
    const length = view.getUint16(at + 28, true);
    const rest = view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (length === name.length && isNamed(directory.subarray(at + 46, at + 46 + length), name)) {
      return {
        method: view.getUint16(at + 10, true),
        compressedSize: view.getUint32(at + 20, true),
        size: view.getUint32(at + 24, true),
        offset: view.getUint32(at + 42, true),
      };
    }
    at += 46 + length + rest;
  }
  return undefined;
}

function isNamed(bytes: Uint8Array, name: ByteString): boolean {
  return bytes.length === name.length && bytes.every((byte, index) => byte === name.charCodeAt(index));
}

/** head: at least the first 30 bytes of a local header. How far behind its beginning the content is. */
export function zipContentAt(head: Uint8Array): number | undefined {
  if (head.length < 30) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  return view.getUint32(0, true) === 0x04034b50
    ? 30 + view.getUint16(26, true) + view.getUint16(28, true)
    : undefined;
}

/** The Class-Path of a jar's manifest: relative URLs, as written. Lines are folded at 72 bytes. */
export function manifestClassPath(manifest: string): string[] {
  const text = manifest.replace(/\r\n?/g, "\n").replace(/\n /g, "");
  const value = /^Class-Path:[ \t]*(.*)$/im.exec(text)?.[1] ?? "";
  return value.split(/\s+/).filter((word) => word !== "");
}
