// A machine: source or target of a lift. One interface for this host, a root directory, a machine over ssh, a disk, an image.
import { TranshipError } from "../base/errors.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import type { FarPlace } from "./in-place.ts";

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

export type MachineKind = "local" | "rootfs" | "ssh" | "disk" | "oci";

export interface Machine {
  /** As the user wrote it: "local:", "rootfs:/srv/old", "ssh://root@old". */
  readonly address: string;
  readonly kind: MachineKind;
  /**
   * Directory on this host that is the machine's root; "/" for local; undefined where the files are elsewhere: then what has to
   * run on them runs on a staged copy (capture/sandbox/staged.ts).
   */
  readonly root: string | undefined;
  readonly files: MachineFiles;
  /** Content that is not on this host is brought here before it is packed; undefined where `root` has it. */
  readonly content?: FetchedContent;
  /** True where /proc of the machine shows its running processes. */
  readonly live: boolean;
  /** What this way of reading does not show, in sentences: findings for whoever reads the result. */
  readonly notes: readonly string[];
  /** The same machine as one of its processes sees it, by the root and the mounts of that process. The caller closes it. */
  seenBy?(pid: number): Machine;
  /** Where the content of a file lies on this host, where that is not below `root`. */
  placeOf?(path: ByteString): ByteString | undefined;
  /** Far machines: a place for programs of ours there, over the present connection; undefined where nothing can be put there. */
  inPlace?(): Promise<FarPlace | undefined>;
  close(): Promise<void>;
}

export interface FetchOptions {
  /** Told bytes and path as content arrives; what was here already counts at once. */
  onProgress?(bytes: number, path: ByteString): void;
  signal?: AbortSignal;
}

export interface Fetched {
  /** Bytes that crossed the wire, and bytes that were here already. */
  moved: number;
  kept: number;
  /** Files that are no longer what their entry says, or changed whenever they were read. */
  changed: ByteString[];
  /** Files that cannot be read, by path with the reason of the far kernel. */
  unreadable: Unreadable[];
}

/** Content of a far machine in a cache of this host, by path, device, inode, size and times: what did not change is not read again. */
export interface FetchedContent {
  /** Brings the content of these regular files here. Resumes what was broken off. */
  fetch(entries: readonly Entry[], options?: FetchOptions): Promise<Fetched>;
  /** Content that was fetched, holes left out; E_IO where it was not. */
  open(entry: Entry): AsyncIterable<{ offset: number; bytes: Uint8Array }>;
  /** Where that content lies on this host. */
  placeOf(entry: Entry): ByteString;
}

/** The directory of this host in which programs of the machine can run. E_INTERNAL where there is none: stage it first. */
export function hostRoot(machine: Machine): string {
  if (machine.root !== undefined) return machine.root;
  throw new TranshipError("E_INTERNAL", `${machine.address} has no directory on this host`);
}

export function isUnreadable(value: Entry | Unreadable): value is Unreadable {
  return "error" in value;
}
