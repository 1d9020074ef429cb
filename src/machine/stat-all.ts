// What a machine says of many paths.
import { mapLimit } from "../base/map-limit.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { EntryTable } from "../formats/entry-table.ts";
import type { MachineFiles } from "./machine.ts";

/** Enough to keep a far machine's wire full. */
const statsAtOnce = 512;

/** Told of each path as its answer comes, in no order; last components are not followed. */
export async function statEach(
  files: MachineFiles,
  paths: readonly ByteString[],
  told: (path: ByteString, entry: Entry | undefined) => void,
): Promise<void> {
  await mapLimit(paths, statsAtOnce, async (path) => told(path, await files.stat(path)));
}

/** Those that are there, in the order of the paths. */
export async function statAll(files: MachineFiles, paths: readonly ByteString[]): Promise<EntryTable> {
  const table = new EntryTable();
  for (let at = 0; at < paths.length; at += statsAtOnce) {
    const part = paths.slice(at, at + statsAtOnce);
    const entries = await Promise.all(part.map((path) => files.stat(path)));
    for (const [index, path] of part.entries()) {
      const entry = entries[index];
      if (entry !== undefined) table.set(path, entry);
    }
  }
  return table;
}
