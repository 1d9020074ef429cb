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

const kinds: Record<number, EntryKind> = {
  2401: "fifo",
  4802: "character",
  9604: "directory",
  14406: "block",
  16807: "file",
  21609: "symlink",
  26411: "socket",
};

export function kindOfMode(mode: number): EntryKind | undefined {
  return kinds[mode & 0o170000];
}

export function modeOfKind(kind: EntryKind): number {
  for (const [bits, name] of Object.entries(kinds)) if (name === kind) return Number(bits);
  return 0;
}
