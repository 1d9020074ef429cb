// How much a directory takes on disk.
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Links are not followed; what goes away meanwhile does not count. */
export function bytesBelow(path: string): number {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  let bytes = stat.blocks * 512;
  if (!stat.isDirectory()) return bytes;
  let names: string[] = [];
  try {
    names = readdirSync(path);
  } catch {} // gone
  for (const name of names) bytes += bytesBelow(join(path, name));
  return bytes;
}
