// A file of this host that becomes content of a layer.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import { errnoOf, ioError } from "../host/files.ts";

export interface HostFile {
  /** Bytes read into `into`, at least 1; E_SOURCE_CHANGED where the file ends earlier. */
  read(into: Uint8Array, offset: number): number;
  /** E_SOURCE_CHANGED where the file was written to since the entry was made. */
  check(): void;
  close(): void;
}

/** Opens the file and makes sure that it is the inode of the entry: whatever was swapped on the way there is found out. */
export function openHostFile(path: ByteString, entry: Entry): HostFile {
  const fd = openQuietly(path, entry);
  const check = (): void => {
    const now = fstatSync(fd, { bigint: true });
    const same = now.dev === entry.dev && now.ino === entry.ino && now.size === BigInt(entry.size);
    if (!same || now.mtimeNs !== entry.mtime || now.ctimeNs !== entry.ctime) throw sourceChanged(entry);
  };
  try {
    check();
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    check,
    read: (into, offset) => readSome(fd, into, offset, entry),
    close: () => closeSync(fd),
  };
}

/** A copy that is ours and that nobody writes to: what was fetched from a far machine. E_IO where it is not there. */
export function openKeptFile(path: ByteString, entry: Entry): HostFile {
  const name = Buffer.from(path, "latin1");
  let fd: number;
  try {
    fd = openSync(name, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    throw ioError(`the content of ${escapeBytes(entry.path)} was not fetched`, cause);
  }
  const file: HostFile = {
    check(): void {
      const { size } = fstatSync(fd);
      if (size === entry.size) return;
      const told = `${escapeBytes(path)} has ${size} bytes, ${escapeBytes(entry.path)} ${entry.size}`;
      throw new TranshipError("E_IO", told, {
        hint: "run the command again: it is fetched anew",
      });
    },
    read: (into, offset) => readSome(fd, into, offset, entry),
    close: () => closeSync(fd),
  };
  try {
    file.check();
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return file;
}

function readSome(fd: number, into: Uint8Array, offset: number, entry: Entry): number {
  const count = readSync(fd, into, 0, into.length, offset);
  if (count === 0) throw sourceChanged(entry);
  return count;
}

/** O_NOATIME, where it is allowed, keeps the source as it was; O_NONBLOCK keeps a fifo in the way from hanging us. */
function openQuietly(path: ByteString, entry: Entry): number {
  const name = Buffer.from(path, "latin1");
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return openSync(name, flags | constants.O_NOATIME);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT" || errnoOf(cause) === "ELOOP") throw sourceChanged(entry);
    if (errnoOf(cause) !== "EPERM") throw unreadable(entry, cause);
  }
  try {
    return openSync(name, flags);
  } catch (cause) {
    throw unreadable(entry, cause);
  }
}

/** What cannot be opened ends the packing: a package never lacks a planned file in silence. */
function unreadable(entry: Entry, cause: unknown): TranshipError {
  const error = ioError(`cannot read ${escapeBytes(entry.path)}`, cause);
  if (error.hint !== undefined) return error;
  return new TranshipError("E_IO", error.message, {
    cause,
    hint: "leave it out with --exclude, where the application does without it",
  });
}

export function sourceChanged(entry: Entry): TranshipError {
  return new TranshipError(
    "E_SOURCE_CHANGED",
    `${escapeBytes(entry.path)} is no longer what it was when it was listed`,
    {
      hint: "stop what writes to it, or leave it out and make it a volume, and capture again",
      details: { path: entry.path },
    },
  );
}
