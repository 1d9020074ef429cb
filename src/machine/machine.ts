// A machine: source or target of a lift. One interface for this host, a root directory, later ssh, disks and images.
import type { ByteString, Entry } from "../formats/entry.ts";

export interface WalkOptions {
  /** Do not descend into other file systems. Default false. */
  oneFileSystem?: boolean;
  /** Absolute paths below which nothing is reported, themselves included. */
  exclude?: readonly ByteString[];
}

/** A part of a walk that could not be read; the walk goes on. */
export interface Unreadable {
  path: ByteString;
  /** As in errno(3), for example "EACCES". */
  error: string;
}

export interface Resolution {
  /** Every symbolic link met on the way, in order, by canonical path. */
  links: Entry[];
  /** What the path finally names; undefined where it dangles or does not exist. */
  entry: Entry | undefined;
}

export interface FileStream {
  entry: Entry;
  /** Data extents in order; holes are left out. Must be read to its end or returned. */
  data: AsyncIterable<{ offset: number; bytes: Uint8Array }>;
  /** After `data` ended: whether the file changed while it was read. */
  changed: () => boolean;
}

/** Files of a machine. Paths are byte strings, absolute inside the machine's root; links never lead out of it. */
export interface MachineFiles {
  stat(path: ByteString, options?: { follow?: boolean }): Promise<Entry | undefined>;
  /** Names in byte order; undefined where it is no directory or absent. Entry.path is the full path. */
  list(path: ByteString): Promise<Entry[] | undefined>;
  walk(path: ByteString, options?: WalkOptions): AsyncIterable<Entry | Unreadable>;
  resolve(path: ByteString): Promise<Resolution>;
  /** Content of a file, links followed; undefined where absent. E_LIMIT above maxBytes (default 64 MiB), E_IO where unreadable. */
  read(path: ByteString, options?: { maxBytes?: number }): Promise<Uint8Array | undefined>;
  /** The first bytes of a file, links followed: for magic numbers and ELF headers. */
  readRange(path: ByteString, offset: number, length: number): Promise<Uint8Array | undefined>;
  /** Last component not followed. E_IO where it cannot be read. */
  stream(path: ByteString): Promise<FileStream | undefined>;
  /**
   * The regular file behind a link that the kernel keeps (/proc/PID/exe, /proc/PID/fd/N, /proc/PID/map_files/A-B), also where it
   * has no name any more; undefined where the link has gone or leads to no regular file. Machines that run only.
   */
  opened?(path: ByteString): Promise<FileStream | undefined>;
}

export interface Machine {
  /** As the user wrote it: "local:", "rootfs:/srv/old". */
  readonly address: string;
  readonly kind: "local" | "rootfs";
  /** Directory on this host that is the machine's root; "/" for local. */
  readonly root: string;
  readonly files: MachineFiles;
  /** True where /proc of the machine shows its running processes. */
  readonly live: boolean;
  /** The same machine as one of its processes sees it, by the root and the mounts of that process. The caller closes it. */
  seenBy?(pid: number): Machine;
  /** Where the content of a file lies on this host, where that is not below `root`. */
  placeOf?(path: ByteString): ByteString;
  close(): Promise<void>;
}

export function isUnreadable(value: Entry | Unreadable): value is Unreadable {
  return "error" in value;
}
