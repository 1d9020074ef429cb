// Parts of a compressed stream that have no content. Sources: RFC 8878, 3.1.2 (skippable frames); RFC 1952, 2.3 (members with extra fields).
import { crc32 } from "node:zlib";
import type { Compression } from "./compress.ts";

const skippable = 0x184d2a50;
/** "tr", as the identifier of a subfield. */
const subfield = 0x7274;
const extraMost = 0xffff;

/** Of at least `size` bytes; decoders give nothing for it. */
export function partWithoutContent(kind: Compression, size: number): Uint8Array {
  return kind === "zstd" ? skippableFrame(size) : emptyMembers(size);
}

function skippableFrame(size: number): Uint8Array {
  const frame = Buffer.alloc(Math.max(8, size));
  frame.writeUInt32LE(skippable, 0);
  frame.writeUInt32LE(frame.length - 8, 4);
  return frame;
}

function emptyMembers(size: number): Uint8Array {
  const members: Buffer[] = [];
  for (let left = size; left > 0; left -= members.at(-1)?.length ?? left) members.push(emptyMember(left));
  return Buffer.concat(members);
}

function emptyMember(size: number): Buffer {
  const [header, extra, end] = [10, 2, 2 + 8];
  const length = Math.min(Math.max(size - header - extra - end, 4), extraMost);
  const member = Buffer.alloc(header + extra + length + end);
  // Deflate, with an extra field; no time, no system.
  member.set([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255]);
  member.writeUInt16LE(length, header);
  member.writeUInt16BE(subfield, header + extra);
  member.writeUInt16LE(length - 4, header + extra + 2);
  // One block of fixed codes that ends at once.
  member.set([3, 0], header + extra + length);
  member.writeUInt32LE(crc32(""), member.length - 8);
  return member;
}
