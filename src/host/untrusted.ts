// Files in directories that somebody hostile may change while we read: an instance writes into its own run directory.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** A descriptor of the regular file at `names` below `directory`, for reading; no link is followed below it, and nothing is waited for. undefined: there is none. */
export function openBelow(directory: string, ...names: string[]): number | undefined {
  const below = walkTo(directory, names);
  if (below !== undefined && !fstatSync(below).isFile()) {
    closeSync(below);
    return undefined;
  }
  return below;
}

/** Changes owner or mode of the file or directory at `names` below `directory` by its descriptor. What is absent, a link, or a file that has another name too is left alone. */
export function changeBelow(change: (fd: number) => void, directory: string, ...names: string[]): void {
  const below = walkTo(directory, names);
  if (below === undefined) return;
  try {
    const stat = fstatSync(below);
    if (stat.isDirectory() || (stat.isFile() && stat.nlink === 1)) change(below);
  } finally {
    closeSync(below);
  }
}

function walkTo(directory: string, names: readonly string[]): number | undefined {
  let below = openOr(directory, O_RDONLY | O_DIRECTORY);
  for (const [index, name] of names.entries()) {
    if (below === undefined) return undefined;
    const last = index === names.length - 1;
    const flags = O_RDONLY | O_NOFOLLOW | (last ? O_NONBLOCK : O_DIRECTORY);
    const next = openOr(`/proc/self/fd/${below}/${name}`, flags);
    closeSync(below);
    below = next;
  }
  return below;
}

function openOr(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch {
    return undefined; // a link, a file that is none, or nothing
  }
}

/** The first `most` bytes of a regular file, as openBelow() finds it; undefined where there is none. */
export function readBelow(most: number, directory: string, ...names: string[]): Buffer | undefined {
  const fd = openBelow(directory, ...names);
  if (fd === undefined) return undefined;
  try {
    const bytes = Buffer.allocUnsafe(Math.min(fstatSync(fd).size, most));
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** JSON of a regular file, as openBelow() finds it; undefined where there is none, it is longer than `most` bytes, or no JSON. */
export function readJsonBelow(most: number, directory: string, ...names: string[]): unknown {
  const bytes = readBelow(most + 1, directory, ...names);
  if (bytes === undefined || bytes.length > most) return undefined;
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}
