// The objects of an unpacked layer, for those who hold it against its archive.
import type { Entry } from "../../formats/entry.ts";
import { isUnreadable } from "../../machine/machine.ts";
import { TreeFiles } from "../../machine/tree-files.ts";

/** What cannot be read is passed over, and so counts as gone. */
export async function* walkUnpacked(directory: string): AsyncGenerator<Entry> {
  const files = new TreeFiles(directory);
  try {
    for await (const entry of files.walk("/")) if (!isUnreadable(entry)) yield entry;
  } finally {
    await files.close();
  }
}
