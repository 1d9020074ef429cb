// Removing a directory of ours whatever modes the programs that wrote in it have left.
import { chmodSync, readdirSync, rmSync } from "node:fs";
import { errnoOf } from "./files.ts";

/** With all below it; absent: nothing to do. Root can do it at once; of an ordinary user's own files, directories may be closed. */
export function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (errnoOf(error) !== "EACCES") throw error;
    openUp(Buffer.from(path));
    rmSync(path, { recursive: true, force: true });
  }
}

function openUp(directory: Buffer): void {
  chmodSync(directory, 0o700);
  for (const entry of readdirSync(directory, { withFileTypes: true, encoding: "buffer" }))
    if (entry.isDirectory()) openUp(Buffer.concat([directory, Buffer.from("/"), entry.name]));
}
