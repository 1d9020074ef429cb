// A second copy of index.json, which no digest guards and no other file can make again.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { isTranshipError } from "../base/errors.ts";
import { decodeIndex, type ImageIndex } from "../formats/oci.ts";
import { readText, writeFileAtomic } from "../host/files.ts";

const copyFile = "index.json.copy";

/** undefined where there is none, or it is damaged too. */
export function readIndexCopy(layout: string): ImageIndex | undefined {
  const file = join(layout, copyFile);
  try {
    const text = readText(file);
    return text === undefined ? undefined : decodeIndex(text, file);
  } catch (error) {
    if (!isTranshipError(error)) throw error;
    return undefined;
  }
}

/** Before index.json is written, so that the copy has whatever was acknowledged. It counts only where index.json does not: no fsync. */
export function writeIndexCopy(layout: string, text: string): void {
  try {
    writeFileAtomic(join(layout, copyFile), text, { mode: 0o644, volatile: true });
  } catch (error) {
    if (!isTranshipError(error, "E_NO_SPACE")) throw error;
    // An older copy would bring names back that are gone; and a name has to be removable where the disk is full.
    rmSync(join(layout, copyFile), { force: true });
  }
}
