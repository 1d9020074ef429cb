// What lies on a disk: compression and containers by their magic numbers, partitions of MBR and GPT, file systems by their superblocks.
// Pure: it is given the first bytes of the file, or of a partition. Sources: the qcow2 specification of QEMU, UEFI 2.10 section 5 (GPT),
// and the superblock definitions of the kernel's file systems.
import { TranshipError } from "../base/errors.ts";

/** Enough of a partition for fileSystemOf(). */
export const partitionHead = 68 << 10;

const sector = 512;
/** Logical partitions of one chain. */
const maxLogical = 64;

export type ImageKind = "gzip" | "zstd" | "xz" | "tar" | "qcow2" | "raw";

/** By the first 512 bytes. What is nothing else is a raw disk. */
export function imageKind(head: Uint8Array): ImageKind {
  if (starts(head, [0x1f, 0x8b])) return "gzip";
  if (starts(head, [0x28, 0xb5, 0x2f, 0xfd]) || (head[3] === 0x18 && head[2] === 0x4d && head[1] === 0x2a))
    return "zstd";
  if (starts(head, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0])) return "xz";
  if (starts(head, [0x51, 0x46, 0x49, 0xfb])) return "qcow2";
  return text(head, 257, 5) === "ustar" ? "tar" : "raw";
}

/**
 * Why a qcow2 file cannot be read by itself: another file that it names (which may be any file of this host), encryption, a damaged header;
 * undefined where it can. `head`: its first 104 bytes or more.
 */
export function qcow2Refusal(head: Uint8Array): string | undefined {
  if (head.length < 72) return "has no whole header";
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) return `is of version ${version}`;
  if (view.getBigUint64(8) !== 0n) return "names a backing file";
  if (view.getUint32(32) !== 0) return "is encrypted";
  const features = version === 3 && head.length >= 80 ? view.getBigUint64(72) : 0n;
  if ((features & 4n) !== 0n) return "names an external data file";
  return undefined;
}

export interface Partition {
  /** As the kernel numbers it; 0: the whole disk, without a table. */
  number: number;
  /** Bytes. */
  offset: number;
  size: number;
}

/**
 * Reads the table of a disk of `size` bytes. `read` gives bytes of the disk. A disk without a table is one partition, number 0. E_LIMIT
 * where a table leads outside the disk.
 */
export function partitionsOf(
  read: (offset: number, length: number) => Uint8Array,
  size: number,
): Partition[] {
  const mbr = read(0, sector);
  if (
    mbr[510] !== 0x55 ||
    mbr[511] !== 0xaa ||
    fileSystemOf(read(0, Math.min(size, partitionHead))) !== undefined
  )
    return [{ number: 0, offset: 0, size }];
  if (text(read(sector, 8), 0, 8) === "EFI PART") return gptPartitions(read, size);
  const found: Partition[] = [];
  for (let i = 0; i < 4; i++) {
    const { type, start, count } = mbrEntry(mbr, i);
    if (type === 0 || count === 0) continue;
    if (type === 0x05 || type === 0x0f || type === 0x85) found.push(...logicalPartitions(read, start, size));
    else found.push(within({ number: i + 1, offset: start * sector, size: count * sector }, size));
  }
  return found.sort((a, b) => a.number - b.number);
}

function mbrEntry(bytes: Uint8Array, index: number): { type: number; start: number; count: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const at = 446 + index * 16;
  return {
    type: view.getUint8(at + 4),
    start: view.getUint32(at + 8, true),
    count: view.getUint32(at + 12, true),
  };
}

function logicalPartitions(
  read: (offset: number, length: number) => Uint8Array,
  first: number,
  size: number,
): Partition[] {
  const found: Partition[] = [];
  for (let at = first, n = 0; n < maxLogical && (at + 1) * sector <= size; n++) {
    const table = read(at * sector, sector);
    if (table.length < sector || table[510] !== 0x55 || table[511] !== 0xaa) break;
    const own = mbrEntry(table, 0);
    if (own.count > 0)
      found.push(
        within({ number: 5 + n, offset: (at + own.start) * sector, size: own.count * sector }, size),
      );
    const next = mbrEntry(table, 1);
    if (next.count === 0 || first + next.start <= at) break;
    at = first + next.start;
  }
  return found;
}

function gptPartitions(read: (offset: number, length: number) => Uint8Array, size: number): Partition[] {
  const header = read(sector, sector);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const table = Number(view.getBigUint64(72, true)) * sector;
  const count = Math.min(view.getUint32(80, true), 1024);
  const entrySize = view.getUint32(84, true);
  if (entrySize < 128 || entrySize > 4096 || table + count * entrySize > size) return [];
  const entries = read(table, count * entrySize);
  const found: Partition[] = [];
  for (let i = 0; (i + 1) * entrySize <= entries.length; i++) {
    const entry = entries.subarray(i * entrySize, (i + 1) * entrySize);
    if (entry.subarray(0, 16).every((byte) => byte === 0)) continue;
    const at = new DataView(entry.buffer, entry.byteOffset, entry.length);
    const first = Number(at.getBigUint64(32, true));
    const last = Number(at.getBigUint64(40, true));
    found.push(within({ number: i + 1, offset: first * sector, size: (last - first + 1) * sector }, size));
  }
  return found;
}

function within(partition: Partition, size: number): Partition {
  const { number, offset, size: length } = partition;
  if (offset > 0 && length > 0 && offset + length <= size) return partition;
  throw new TranshipError("E_LIMIT", `partition ${number} lies outside of a disk of ${size} bytes`, {
    hint: "the disk file may be cut off: compare its size with the original's",
  });
}

/** "ext4" stands for ext2 to ext4. "lvm", "luks", "raid" and "swap" hold no files by themselves. */
export type FileSystemKind = "ext4" | "xfs" | "btrfs" | "lvm" | "luks" | "raid" | "swap";

/** By the first partitionHead bytes; undefined where nothing is known. */
export function fileSystemOf(head: Uint8Array): FileSystemKind | undefined {
  if (text(head, 0, 4) === "LUKS") return "luks";
  for (let at = 0; at < 4 * sector; at += sector) if (text(head, at, 8) === "LABELONE") return "lvm";
  if (text(head, 0, 4) === "XFSB") return "xfs";
  if (head[1080] === 0x53 && head[1081] === 0xef) return "ext4";
  if (text(head, 65_600, 8) === "_BHRfS_M") return "btrfs";
  if (text(head, 4086, 10) === "SWAPSPACE2") return "swap";
  if (starts(head.subarray(4096), [0xfc, 0x4e, 0x2b, 0xa9])) return "raid";
  return undefined;
}

function starts(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

function text(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
