// Files in directories that somebody hostile may change while we read: an instance writes into its own run directory.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** A descriptor of the regular file at `names` below `directory`, for reading; no link is followed below it, and nothing is waited for. undefined: there is none. */
export function openBelow(directory: string, ...names: string[]): number | undefined {
  let below = openOr(directory, O_RDONLY | O_DIRECTORY);
  for (const [index, name] of names.entries()) {
    if (below === undefined) return undefined;
    const last = index === names.length - 1;
    const flags = O_RDONLY | O_NOFOLLOW | (last ? O_NONBLOCK : O_DIRECTORY);
    const next = openOr(`/proc/self/fd/${below}/${name}`, flags);
    closeSync(below);
    below = next;
  }
  if (below !== undefined && !fstatSync(below).isFile()) {
    closeSync(below);
    return undefined;
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

/** JSON of a regular file, as openBelow() finds it; undefined where there is none, it is longer than `most` bytes, or no JSON. */
export function readJsonBelow(most: number, directory: string, ...names: string[]): unknown {
  const fd = openBelow(directory, ...names);
  if (fd === undefined) return undefined;
  try {
    const bytes = Buffer.allocUnsafe(most + 1);
    const count = readSync(fd, bytes, 0, most + 1, 0);
    return count > most ? undefined : JSON.parse(bytes.toString("utf8", 0, count));
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}
