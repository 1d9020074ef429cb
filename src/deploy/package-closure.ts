// Whether a package is closed: every library and interpreter that its programs need is inside. Works on its unpacked layers.
import { closeSync, openSync, readSync } from "node:fs";
import { type ClosureFinding, verifyClosure } from "../closure/verify.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { encodeText } from "../formats/escape.ts";
import type { StateRoot } from "../host/state-root.ts";
import { readLayer } from "../image/layer-reader.ts";
import type { ImageStore } from "../image/store.ts";
import { ensureLayer } from "../image/unpack.ts";

interface Placed {
  entry: Entry;
  /** Directory of the layer that has it on top. */
  directory: string;
}

/** Layers need not hold their own root. */
const rootEntry: Entry = {
  path: "/", kind: "directory", mode: 0o755, size: 0, uid: 0, gid: 0, nlink: 1, dev: 0n, ino: 0n, blocks: 0, mtime: 0n, ctime: 0n,
  rdevMajor: 0, rdevMinor: 0, target: "", xattrs: [], extents: undefined,
}; // biome-ignore format: a table

export async function packageClosure(
  root: StateRoot,
  store: ImageStore,
  reference: string,
): Promise<ClosureFinding[]> {
  const tree = new Map<ByteString, Placed>([["/", { entry: rootEntry, directory: "" }]]);
  for (const layer of store.image(reference).layers) {
    const directory = await ensureLayer(root, store, layer.diffId);
    for await (const events of readLayer({ store, layer })) {
      for (const event of events) {
        if (event.type === "whiteout") remove(tree, event.path);
        else if (event.type === "opaque")
          for (const path of [...tree.keys()]) if (path.startsWith(`${event.path}/`)) tree.delete(path);
        if (event.type === "entry") tree.set(event.entry.path, { entry: event.entry, directory });
      }
    }
  }
  return await verifyClosure({
    paths: tree.keys(),
    entry: (path) => tree.get(path)?.entry,
    readRange: async (path, offset, length) => {
      const placed = tree.get(path);
      return placed === undefined || placed.entry.kind !== "file"
        ? undefined
        : readPart(placed.directory, path, { offset, length });
    },
  });
}

function remove(tree: Map<ByteString, Placed>, path: ByteString): void {
  for (const one of [...tree.keys()]) if (one === path || one.startsWith(`${path}/`)) tree.delete(one);
}

/** path is canonical inside its layer: the layer's own writer made it, no link is on the way. */
function readPart(
  directory: string,
  path: ByteString,
  range: { offset: number; length: number },
): Uint8Array {
  const fd = openSync(Buffer.from(encodeText(directory) + path, "latin1"), "r");
  try {
    const bytes = Buffer.alloc(range.length);
    return bytes.subarray(0, readSync(fd, bytes, 0, range.length, range.offset));
  } finally {
    closeSync(fd);
  }
}
