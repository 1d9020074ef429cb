// What tells two images apart, file by file: as the package sees it, with all layers laid over each other.
import type { ByteString } from "../formats/entry.ts";
import type { PackedObject } from "../formats/packing-list.ts";
import { readLayer } from "./layer-reader.ts";
import { anyDevice, MergedTree } from "./merged-tree.ts";
import type { ImageStore, StoredImage, StoredLayer } from "./store.ts";

export type ChangedPart =
  | "kind"
  | "mode"
  | "owner"
  | "target"
  | "device"
  | "size"
  | "content"
  | "xattrs"
  | "time";

export interface FileDifference {
  path: ByteString;
  change: "added" | "removed" | "changed";
  /** What changed, in a fixed order; of what was added or removed nothing. */
  parts: ChangedPart[];
  /** Bytes of a regular file. */
  before: number | undefined;
  after: number | undefined;
}

export interface ImageDifference {
  files: FileDifference[];
  /** Keys of the run configuration that differ: "Env", "ExposedPorts". */
  config: string[];
  /** Layers that both have. */
  shared: number;
  layersBefore: number;
  layersAfter: number;
}

/** Times of directories are left out: they change with what is put beside. In the order of paths. */
export async function imageDifference(
  store: ImageStore,
  before: StoredImage,
  after: StoredImage,
): Promise<ImageDifference> {
  const shared = sharedLayers(before, after);
  const trees = [new MergedTree(), new MergedTree()] as const;
  // What both have at the bottom is read once.
  for (const layer of before.layers.slice(0, shared)) await fill(store, layer, trees);
  for (const [i, image] of [before, after].entries())
    for (const layer of image.layers.slice(shared)) await fill(store, layer, [trees[i] as MergedTree]);
  return {
    files: [...differences(...trees)],
    config: configDifference(before, after),
    shared,
    layersBefore: before.layers.length,
    layersAfter: after.layers.length,
  };
}

function sharedLayers(a: StoredImage, b: StoredImage): number {
  let count = 0;
  while (count < a.layers.length && a.layers[count]?.diffId === b.layers[count]?.diffId) count++;
  return count;
}

async function fill(store: ImageStore, layer: StoredLayer, trees: readonly MergedTree[]): Promise<void> {
  for (const tree of trees) tree.beginLayer();
  for await (const events of readLayer({ store, layer }, { devices: anyDevice }))
    for (const event of events) for (const tree of trees) tree.add(event);
}

function* differences(before: MergedTree, after: MergedTree): Generator<FileDifference> {
  const sides = [before.all(), after.all()] as const;
  let [old, now] = [sides[0].next(), sides[1].next()];
  while (!old.done || !now.done) {
    const order = old.done ? 1 : now.done ? -1 : comparePaths(old.value[0], now.value[0]);
    if (order < 0 && !old.done) {
      yield {
        path: old.value[0],
        change: "removed",
        parts: [],
        before: sizeOf(old.value[1].object),
        after: undefined,
      };
      old = sides[0].next();
    } else if (order > 0 && !now.done) {
      yield {
        path: now.value[0],
        change: "added",
        parts: [],
        before: undefined,
        after: sizeOf(now.value[1].object),
      };
      now = sides[1].next();
    } else if (!old.done && !now.done) {
      const [a, b] = [old.value[1].object, now.value[1].object];
      const parts = changedParts(a, b);
      if (parts.length > 0)
        yield { path: old.value[0], change: "changed", parts, before: sizeOf(a), after: sizeOf(b) };
      old = sides[0].next();
      now = sides[1].next();
    }
  }
}

/** As the tree is walked: a directory before what is in it, its names in byte order. */
function comparePaths(a: ByteString, b: ByteString): number {
  const [one, two] = [a.split("/"), b.split("/")];
  for (let i = 0; i < one.length && i < two.length; i++) {
    if (one[i] !== two[i]) return (one[i] ?? "") < (two[i] ?? "") ? -1 : 1;
  }
  return one.length - two.length;
}

function sizeOf(object: PackedObject): number | undefined {
  return object.kind === "file" ? object.size : undefined;
}

function changedParts(a: PackedObject, b: PackedObject): ChangedPart[] {
  if (a.kind !== b.kind) return ["kind"];
  const differs: [ChangedPart, boolean][] = [
    ["mode", a.mode !== b.mode],
    ["owner", a.uid !== b.uid || a.gid !== b.gid],
    ["target", a.target !== b.target],
    ["device", a.rdevMajor !== b.rdevMajor || a.rdevMinor !== b.rdevMinor],
    ["size", a.size !== b.size],
    ["content", a.digest !== b.digest],
    ["xattrs", xattrText(a) !== xattrText(b)],
    ["time", a.kind !== "directory" && a.mtime !== b.mtime],
  ];
  return differs.flatMap(([part, is]) => (is ? [part] : []));
}

function xattrText({ xattrs }: PackedObject): string {
  return JSON.stringify([...xattrs].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function configDifference(before: StoredImage, after: StoredImage): string[] {
  const [a, b] = [before.config.config ?? {}, after.config.config ?? {}];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  const text = (value: object, key: string): string =>
    JSON.stringify((value as Record<string, unknown>)[key]) ?? "";
  return keys.filter((key) => text(a, key) !== text(b, key));
}
