// The 512-byte header block of tar: ustar as written by us; v7, ustar and old GNU as read.
import { TranshipError } from "../base/errors.ts";
import { byteStringOf, putByteString } from "./byte-string.ts";
import type { ByteString, Extent } from "./entry.ts";

export const tarBlock = 512;

export interface TarHeader {
  /** Prefix and name joined. */
  name: ByteString;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  /** Whole seconds. */
  mtime: number;
  /** One char; "\0" is read as "0". */
  type: string;
  linkName: ByteString;
  devMajor: number;
  devMinor: number;
}

/** Old GNU sparse fields of a header of type S. */
export interface OldSparse {
  extents: Extent[];
  realSize: number;
  /** Extension blocks with further extents follow the header. */
  more: boolean;
}

const largest = { mode: 0o7777777, id: 0o7777777, size: 0o77777777777, device: 0o7777777 };

/** Whether a number fits its octal field; what does not needs a PAX record. */
export function fitsField(field: "id" | "size" | "device", value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= largest[field];
}

/** Splits a name over name (100) and prefix (155); undefined where ustar cannot hold it. */
export function splitName(name: ByteString): [prefix: ByteString, name: ByteString] | undefined {
  if (name.length <= 100) return ["", name];
  if (name.length > 256) return undefined;
  const slash = name.indexOf("/", name.length - 101);
  if (slash <= 0 || slash > 155 || slash === name.length - 1) return undefined;
  return [name.slice(0, slash), name.slice(slash + 1)];
}

/** Writes a ustar block. Numbers that do not fit are written as 0, names that do not fit are cut: PAX has them. */
export function putTarHeader(header: TarHeader, into: Uint8Array, at: number): void {
  const [prefix, name] = splitName(header.name) ?? ["", header.name.slice(0, 100)];
  into.fill(0, at, at + tarBlock);
  putByteString(name, into, at);
  putOctal(header.mode, 8, into, at + 100);
  putOctal(fitsField("id", header.uid) ? header.uid : 0, 8, into, at + 108);
  putOctal(fitsField("id", header.gid) ? header.gid : 0, 8, into, at + 116);
  putOctal(fitsField("size", header.size) ? header.size : 0, 12, into, at + 124);
  putOctal(fitsField("size", header.mtime) ? header.mtime : 0, 12, into, at + 136);
  putByteString("        ", into, at + 148);
  putByteString(header.type, into, at + 156);
  putByteString(header.linkName.slice(0, 100), into, at + 157);
  putByteString("ustar\x0000", into, at + 257);
  putOctal(header.devMajor, 8, into, at + 329);
  putOctal(header.devMinor, 8, into, at + 337);
  putByteString(prefix, into, at + 345);
  putOctal(unsignedSum(into, at), 7, into, at + 148);
}

function putOctal(value: number, width: number, into: Uint8Array, at: number): void {
  putByteString(value.toString(8).padStart(width - 1, "0"), into, at);
}

let lastBlock: Uint8Array | undefined;
let lastView: DataView = new DataView(new ArrayBuffer(0));

/** Many headers lie in one chunk. */
function viewOf(bytes: Uint8Array): DataView {
  if (bytes !== lastBlock) {
    lastBlock = bytes;
    lastView = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  return lastView;
}

/** Every second byte of four. */
const lanes = 0x00ff00ff;

/** Sum of the block with its checksum field as blanks. */
function unsignedSum(block: Uint8Array, at: number): number {
  const end = at + tarBlock;
  // Words hold four bytes each: `even` sums the first and third, two numbers of 16 bits beside each other; `upper` sums words without their first byte,
  // so second, third and fourth, and a third is taken off again below. 128 words stay below 32 bits in both.
  let even = 0;
  let upper = 0;
  const view = viewOf(block);
  for (let i = at; i < end; i += 16) {
    const a = view.getInt32(i, true);
    const b = view.getInt32(i + 4, true);
    const c = view.getInt32(i + 8, true);
    const d = view.getInt32(i + 12, true);
    if ((a | b | c | d) === 0) continue; // more than half of most headers
    even = (even + (a & lanes) + (b & lanes) + (c & lanes) + (d & lanes)) | 0;
    upper = (upper + (a >>> 8) + (b >>> 8) + (c >>> 8) + (d >>> 8)) | 0;
  }
  const third = even >>> 16;
  const odd = (upper - (third << 8)) | 0;
  let sum = 8 * 0x20 + (even & 0xffff) + third + (odd & 0xffff) + (odd >>> 16);
  for (let i = at + 148; i < at + 156; i++) sum -= block[i] as number;
  return sum;
}

/** The same with bytes as signed ones, as some old writers summed them. */
function signedSum(block: Uint8Array, at: number): number {
  let sum = 0;
  for (let i = 0; i < tarBlock; i++) {
    const byte = i >= 148 && i < 156 ? 0x20 : (block[at + i] ?? 0);
    sum += byte < 128 ? byte : byte - 256;
  }
  return sum;
}

export function isZeroBlock(block: Uint8Array, at: number): boolean {
  for (let i = at; i < at + tarBlock; i++) if (block[i] !== 0) return false;
  return true;
}

export function checkSum(block: Uint8Array, at: number): void {
  const given = readCheckSum(block, at + 148);
  if (unsignedSum(block, at) !== given && signedSum(block, at) !== given)
    throw malformed("header has a wrong checksum");
}

/** Six digits, a NUL and a blank, as nearly all have it, or any other number. */
function readCheckSum(block: Uint8Array, at: number): number {
  const view = viewOf(block);
  const low = view.getInt32(at + 4);
  if ((low & 0xffff) === 0x20) {
    const high = fourDigits(view.getInt32(at));
    const rest = fourDigits((low >>> 16) | 0x30300000);
    if ((high | rest) >= 0) return (high << 6) | rest;
  }
  return readNumber(block, at, 8, "checksum");
}

/** Type of the object, or of the metadata, that a block announces. */
export function readTarType(block: Uint8Array, at: number): string {
  const type = block[at + 156] ?? 0;
  return type === 0 ? "0" : (chars[type] ?? "");
}

const chars: readonly string[] = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));

/** Of a header of metadata only its size counts. E_IMAGE_CORRUPT as readTarHeader(). */
export function readMetadataSize(block: Uint8Array, at: number): number {
  checkSum(block, at);
  return readSize(block, at + 124, "size");
}

/** Reads a block that is not all zeros. E_IMAGE_CORRUPT where it is no tar header. */
export function readTarHeader(block: Uint8Array, at: number): TarHeader {
  checkSum(block, at);
  const known = isUstar(block, at);
  const type = readTarType(block, at);
  // Numbers that only nodes have; other entries often have none there at all.
  const device = known && (type === "3" || type === "4");
  const prefix = block[at + 345] !== 0 && isPosix(block, at) ? readText(block, at + 345, 155) : "";
  const name = readText(block, at, 100);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: readNumber(block, at + 100, 8, "mode") & 0o7777,
    uid: readNumber(block, at + 108, 8, "uid"),
    gid: readNumber(block, at + 116, 8, "gid"),
    size: readSize(block, at + 124, "size"),
    mtime: readNumber(block, at + 136, 12, "mtime"),
    type,
    linkName: block[at + 157] === 0 ? "" : readText(block, at + 157, 100),
    devMajor: device ? readNumber(block, at + 329, 8, "device") : 0,
    devMinor: device ? readNumber(block, at + 337, 8, "device") : 0,
  };
}

/** Whether the header has the fields that v7 lacks: "ustar" stands in it. */
export function isUstar(block: Uint8Array, at: number): boolean {
  return (
    block[at + 257] === 0x75 &&
    block[at + 258] === 0x73 &&
    block[at + 259] === 0x74 &&
    block[at + 260] === 0x61 &&
    block[at + 261] === 0x72
  );
}

/** Whether it has a prefix of the name too, which old GNU headers have not. */
export function isPosix(block: Uint8Array, at: number): boolean {
  return block[at + 262] === 0 && isUstar(block, at);
}

export function readOldSparse(block: Uint8Array, at: number): OldSparse {
  return {
    extents: readSparseTable(block, at + 386, 4),
    realSize: readSize(block, at + 483, "real size"),
    more: block[at + 482] === 1,
  };
}

export function readOldSparseExtension(block: Uint8Array, at: number): { extents: Extent[]; more: boolean } {
  return { extents: readSparseTable(block, at, 21), more: block[at + 504] === 1 };
}

function readSparseTable(block: Uint8Array, at: number, count: number): Extent[] {
  const extents: Extent[] = [];
  for (let i = 0; i < count; i++) {
    const field = at + i * 24;
    if (block[field] === 0) break;
    extents.push({
      offset: readSize(block, field, "sparse offset"),
      length: readSize(block, field + 12, "sparse length"),
    });
  }
  return extents;
}

export function readText(block: Uint8Array, at: number, width: number): ByteString {
  const view = viewOf(block);
  const last = at + width;
  let end = at;
  for (; end + 4 <= last; end += 4) {
    const four = view.getInt32(end);
    if (((four - 0x01010101) & ~four & 0x80808080) !== 0) break; // one of them is a NUL
  }
  while (end < last && block[end] !== 0) end++;
  return byteStringOf(block, at, end);
}

export function readSize(block: Uint8Array, at: number, what: string): number {
  const value = readNumber(block, at, 12, what);
  if (value < 0) throw malformed(`${what} is negative: ${value}`);
  return value;
}

interface Owner {
  mode: number;
  uid: number;
  gid: number;
}

const ownerSize = 24;
let lastOwner: Owner | undefined;
const lastOwnerBytes = new DataView(new ArrayBuffer(ownerSize));

/** Mode and owner. Neighbours mostly have the same: what stands there again is not read again. */
export function readOwner(block: Uint8Array, at: number): Owner {
  const view = viewOf(block);
  const start = at + 100;
  let same = lastOwner !== undefined;
  for (let i = 0; same && i < ownerSize; i += 4)
    same = view.getInt32(start + i) === lastOwnerBytes.getInt32(i);
  if (same && lastOwner !== undefined) return lastOwner;
  lastOwner = undefined;
  const owner = {
    mode: readNumber(block, start, 8, "mode") & 0o7777,
    uid: readNumber(block, start + 8, 8, "uid"),
    gid: readNumber(block, start + 16, 8, "gid"),
  };
  for (let i = 0; i < ownerSize; i += 4) lastOwnerBytes.setInt32(i, view.getInt32(start + i));
  lastOwner = owner;
  return owner;
}

/** Octal text among blanks and NULs, or base-256 where the top bit of the first byte is set (GNU). `width` is 8 or 12. */
export function readNumber(block: Uint8Array, at: number, width: number, what: string): number {
  // Nearly always digits alone, but for the last byte.
  const view = viewOf(block);
  const last = view.getInt32(at + width - 4);
  if ((last & 0xff) === 0) {
    const high = width === 8 ? 0 : fourDigits(view.getInt32(at));
    const middle = fourDigits(view.getInt32(at + width - 8));
    const low = fourDigits((last >>> 8) | 0x30000000);
    if ((high | middle | low) >= 0) return high * 0o10000000 + ((middle << 9) | low);
  }
  if (((block[at] ?? 0) & 0x80) !== 0) return readBase256(block, at, width, what);
  const end = at + width;
  let i = at;
  let value = 0;
  while (i < end && (block[i] === 0x20 || block[i] === 0)) i++;
  for (; i < end; i++) {
    const digit = (block[i] as number) - 0x30;
    if (digit >= 0 && digit < 8) value = value * 8 + digit;
    else if (block[i] === 0x20 || block[i] === 0) break;
    else throw malformed(`${what} is not octal: ${JSON.stringify(byteStringOf(block, at, end))}`);
  }
  return value;
}

/** Value of four octal digits, the first in the highest byte; -1 where any is none. */
function fourDigits(text: number): number {
  const digits = text ^ 0x30303030;
  if ((digits & 0xf8f8f8f8) !== 0) return -1;
  return ((digits >> 15) & 0o7000) | ((digits >> 10) & 0o700) | ((digits >> 5) & 0o70) | (digits & 7);
}

function readBase256(block: Uint8Array, at: number, width: number, what: string): number {
  const negative = ((block[at] ?? 0) & 0x40) !== 0;
  let value = negative ? -1 : 0;
  for (let i = 0; i < width; i++) {
    let byte = block[at + i] ?? 0;
    if (i === 0) byte = negative ? byte | 0x80 : byte & 0x7f;
    value = i === 0 ? (negative ? byte - 256 : byte) : value * 256 + byte;
    if (!Number.isSafeInteger(value)) throw malformed(`${what} is too large`);
  }
  return value;
}

export function malformed(what: string): TranshipError {
  return new TranshipError("E_IMAGE_CORRUPT", `malformed tar: ${what}`, {
    hint: "the archive is damaged or is no tar; fetch it again",
  });
}
