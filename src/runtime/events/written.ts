// How many files an instance wrote in one run: those of its own directory that changed since it was started.
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** More are not looked at: it is a figure for people, and an end must not wait for it. */
export const mostCounted = 20_000;

/** What OCI runtimes make for mounts. */
const made = new Set(["etc/hosts", "etc/hostname", "etc/resolv.conf"]);

/** `since`: milliseconds since the epoch. Removed files count, directories do not. */
export function filesWritten(upper: string, since: number): number {
  let looked = 0;
  let count = 0;
  const open = [""];
  for (let below = open.pop(); below !== undefined && looked < mostCounted; below = open.pop()) {
    for (const entry of entriesOf(join(upper, below))) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (path === ".tranship" || made.has(path)) continue;
      if (++looked > mostCounted) break;
      if (entry.isDirectory()) open.push(path);
      else if ((lstatSync(join(upper, path), { throwIfNoEntry: false })?.ctimeMs ?? 0) >= since) count++;
    }
  }
  return count;
}

function entriesOf(directory: string): ReturnType<typeof readDirectory> {
  try {
    return readDirectory(directory);
  } catch {
    return []; // gone meanwhile
  }
}

function readDirectory(directory: string) {
  return readdirSync(directory, { withFileTypes: true });
}
