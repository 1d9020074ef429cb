// Objects of a layer that are ours and come from no machine: root's, without a time, the same for everybody.
import type { Entry } from "../formats/entry.ts";
import type { LayerItem } from "./layer-item.ts";

export function ownDirectory(path: string, mode = 0o755): LayerItem {
  return { entry: ownEntry(path, "directory", mode, 0) };
}

/** Content in pieces, one behind the other, that need not be there all at once. */
export interface OwnContent {
  size: number;
  pieces: Iterable<Uint8Array>;
}

export function ownFile(path: string, content: Uint8Array | OwnContent, mode: number): LayerItem {
  const { size, pieces } =
    content instanceof Uint8Array ? { size: content.length, pieces: [content] } : content;
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
