// errno numbers as names, and the error for a path that could not be read.
import { constants } from "node:os";
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";

const names = new Map<number, string>();
for (const [name, value] of Object.entries(constants.errno)) if (!names.has(value)) names.set(value, name);

export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

const absentNames = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"]);

/** Whether the path names nothing, as opposed to something that cannot be read. */
export function isAbsent(errno: number): boolean {
  return absentNames.has(errnoName(errno));
}

const denied = "run as root to read everything on this machine";
const noFile =
  "a regular file belongs there: put it back on the machine, or capture a copy of its root that has it";

/** What a reader gets for what is there and cannot be read as a file. */
const explained: Readonly<Record<string, readonly [text: string, hint: string]>> = {
  EACCES: ["EACCES", denied],
  EPERM: ["EPERM", denied],
  EINVAL: ["it is a FIFO, a socket or a device, where a file is expected (EINVAL)", noFile],
  EISDIR: ["it is a directory, where a file is expected (EISDIR)", noFile],
};

export function ioError(errno: number, path: ByteString): TranshipError {
  const error = errnoName(errno);
  const [text, hint] = explained[error] ?? [error];
  return new TranshipError("E_IO", `cannot read ${escapeBytes(path)}: ${text}`, {
    details: { path, errno: error },
    ...(hint === undefined ? {} : { hint }),
  });
}
