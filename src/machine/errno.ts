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

export function ioError(errno: number, path: ByteString): TranshipError {
  const error = errnoName(errno);
  const denied = error === "EACCES" || error === "EPERM";
  return new TranshipError("E_IO", `cannot read ${escapeBytes(path)}: ${error}`, {
    details: { path, errno: error },
    ...(denied ? { hint: "run as root to read everything on this machine" } : {}),
  });
}
