// What is known of one file system object: the value that tree frames, tar entries and plans have in common.

/** Paths, link targets and xattr values are any bytes; they travel as binary strings (one char per byte, latin1). */
export type ByteString = string;

export type EntryKind = "file" | "directory" | "symlink" | "fifo" | "socket" | "character" | "block";

export interface Extent {
  offset: number;
  length: number;
}

export interface Entry {
  /** Absolute inside its root, no trailing slash; the root itself is "/". Byte string. */
  path: ByteString;
  kind: EntryKind;
  /** Permission and set-id bits only (07777). */
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  dev: bigint;
  ino: bigint;
  /** Bytes of content; 0 for all but files and symlinks. */
  size: number;
  /** 512-byte blocks in use. */
  blocks: number;
  /** Nanoseconds since the epoch. */
  mtime: bigint;
  ctime: bigint;
  rdevMajor: number;
  rdevMinor: number;
  /** Symlinks only. Byte string. */
  target: ByteString;
  /** Sorted by name. Values are byte strings. */
  xattrs: ReadonlyArray<readonly [name: string, value: ByteString]>;
  /** Where data is, for a file with holes; undefined where the file has none. */
  extents: readonly Extent[] | undefined;
}

const kinds: ReadonlyMap<number, EntryKind> = new Map<number, EntryKind>([
  [0o010000, "fifo"],
  [0o020000, "character"],
  [0o040000, "directory"],
  [0o060000, "block"],
  [0o100000, "file"],
  [0o120000, "symlink"],
  [0o140000, "socket"],
]);

export function kindOfMode(mode: number): EntryKind | undefined {
  return kinds.get(mode & 0o170000);
}

export function modeOfKind(kind: EntryKind): number {
  for (const [bits, name] of kinds) if (name === kind) return bits;
  return 0;
}
