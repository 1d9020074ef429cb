// Objects of a layer that are ours and come from no machine: root's, without a time, the same for everybody.
import type { Entry } from "../formats/entry.ts";
import type { LayerItem } from "./layer-item.ts";

export function ownDirectory(path: string, mode = 0o755): LayerItem {
  return { entry: ownEntry(path, "directory", mode, 0) };
}

/** Content in one piece or several, one behind the other. */
export function ownFile(path: string, content: Uint8Array | readonly Uint8Array[], mode: number): LayerItem {
  const pieces = content instanceof Uint8Array ? [content] : content;
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const data = (async function* () {
    let offset = 0;
    for (const bytes of pieces) {
      yield { offset, bytes };
      offset += bytes.length;
    }
  })();
  return { entry: ownEntry(path, "file", mode, size), data };
}

function ownEntry(path: string, kind: Entry["kind"], mode: number, size: number): Entry {
  return {
    path, kind, mode, size, uid: 0, gid: 0, nlink: 1, dev: 0n, ino: 0n, blocks: 0, mtime: 0n, ctime: 0n, rdevMajor: 0, rdevMinor: 0,
    target: "", xattrs: [], extents: undefined,
  }; // biome-ignore format: a table
}
