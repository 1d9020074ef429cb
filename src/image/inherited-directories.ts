// What directories look like that a layer has something in and no entry for: as lower layers have them. Layers are unpacked each by itself,
// whatever is below them in an image, so such a directory is made with attributes that nobody asked for, and overlayfs shows a directory as its
// topmost layer has it. Where an image has any, a further directory is laid on top of its layers: it holds nothing but those directories and
// the ones above them, with the attributes that the layers give when each is applied to what the ones before it have made. What a layer
// removes or empties stays so: a directory on top is merged with those below it, down to the mark.
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { isTranshipError } from "../base/errors.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import type { Digest } from "../formats/oci-reference.ts";
import type { StateRoot } from "../host/state-root.ts";
import { makeWorkDirectory } from "../host/work.ts";
import { tooManyImplied } from "./implied-directories.ts";
import { hasLayerNote, inheritedName, layerNote, noteInherited } from "./layer-note.ts";
import { type LayerEvent, readLayer } from "./layer-reader.ts";
import { makeTree } from "./make-tree.ts";
import { anyDevice, MergedTree } from "./merged-tree.ts";
import { directoryOf } from "./path-table.ts";
import type { ImageStore, StoredLayer } from "./store.ts";
import { impliedIn, moveInPlace, noteImplied, treeFailure } from "./unpack.ts";
import { damagedNote, UnpackedCheck, type WalkTree } from "./unpacked-check.ts";

/** A layer, and the directories that it only implies. */
export interface ImplyingLayer {
  layer: StoredLayer;
  implied: readonly ByteString[];
}

/** Names and attributes of all layers together: they are kept in memory. */
const maxBytes = 64 << 20;

/**
 * The directory that belongs on top of the layers (lowest first, all of them unpacked); undefined where they need none. Made once for each
 * such list of layers.
 */
export async function ensureInherited(
  root: StateRoot,
  store: ImageStore,
  diffIds: readonly Digest[],
): Promise<string | undefined> {
  const place = inheritedPlace(root, diffIds);
  if (!hasLayerNote(place) && !(await makePlace(store, diffIds, place))) return undefined;
  const directory = join(place, "fs");
  return existsSync(directory) ? directory : undefined;
}

function inheritedPlace(root: StateRoot, diffIds: readonly Digest[]): string {
  return join(root.layers, inheritedName(diffIds));
}

/** False where no layer above another implies anything, or an instance has outlived its image: it starts as it did. */
async function makePlace(store: ImageStore, diffIds: readonly Digest[], place: string): Promise<boolean> {
  const { root } = store;
  const known = layersOf(store, diffIds);
  const layers: ImplyingLayer[] = [];
  for (const layer of known)
    layers.push({ layer, implied: impliedIn(root, layer.diffId) ?? (await impliedLater(store, layer)) });
  if (layers.slice(1).every(({ implied }) => implied.length === 0)) return false;
  const work = makeWorkDirectory(root, "layer");
  try {
    const made = join(work.path, "layer");
    mkdirSync(made);
    await makeInherited(store, layers, join(made, "fs"));
    noteInherited(made, diffIds);
    moveInPlace(made, place);
  } finally {
    work.remove();
  }
  return true;
}

/** None where one of them is in no image of the store any more. */
function layersOf(store: ImageStore, diffIds: readonly Digest[]): StoredLayer[] {
  try {
    return diffIds.map((diffId) => store.layer(diffId));
  } catch (error) {
    if (!isTranshipError(error, "E_IMAGE_NOT_FOUND")) throw error;
    return [];
  }
}

/** Of a layer whose note is damaged, or that was unpacked before there were any: what its archive no longer tells stays as it was. */
async function impliedLater(store: ImageStore, layer: StoredLayer): Promise<ByteString[]> {
  try {
    return await noteImplied(store, layer);
  } catch (error) {
    if (!isTranshipError(error, "E_IMAGE_CORRUPT")) throw error;
    return [];
  }
}

/** Makes `directory` where the layers (lowest first) need it; true then. */
export async function makeInherited(
  store: ImageStore,
  layers: readonly ImplyingLayer[],
  directory: string,
): Promise<boolean> {
  const entries = await inheritedEntries(store, layers);
  if (entries.length === 0) return false;
  mkdirSync(directory);
  chmodSync(directory, 0o755);
  const events = entryEvents(entries);
  await makeTree(directory, events, {}, treeFailure("what its directories inherit from lower layers"));
  return true;
}

/** What was changed since in what was made for the layers (lowest first); [] also where nothing was. */
export async function changesOfInherited(
  store: ImageStore,
  layers: readonly StoredLayer[],
  { walkUnpacked, signal }: { walkUnpacked?: WalkTree; signal?: AbortSignal },
): Promise<string[]> {
  const place = inheritedPlace(
    store.root,
    layers.map(({ diffId }) => diffId),
  );
  const note = layerNote(place);
  if (walkUnpacked === undefined || note === undefined) return [];
  if (note.kind === "damaged") return [damagedNote];
  const directory = join(place, "fs");
  const implying = layers.map((layer) => ({ layer, implied: impliedIn(store.root, layer.diffId) ?? [] }));
  const entries = await inheritedEntries(store, implying);
  if (existsSync(directory) !== entries.length > 0)
    return [entries.length > 0 ? "all is gone" : "it is not needed"];
  if (entries.length === 0) return [];
  const again = (): AsyncIterable<LayerEvent[]> => entryEvents(entries);
  const check = new UnpackedCheck({
    directory,
    walk: walkUnpacked,
    again,
    implied: undefined,
    note,
    signal,
  });
  for (const entry of entries) check.add({ entry, hardlinkTo: undefined, content: undefined });
  return await check.changes();
}

async function* entryEvents(entries: readonly Entry[]): AsyncGenerator<LayerEvent[], void, void> {
  yield entries.map((entry) => ({ type: "entry", entry, hardlinkTo: undefined }));
}

async function inheritedEntries(store: ImageStore, layers: readonly ImplyingLayer[]): Promise<Entry[]> {
  /** Of each the topmost layer that only implies it. */
  const impliedAt = new Map<ByteString, number>();
  for (const [at, { implied }] of layers.entries())
    if (at > 0) for (const path of implied) impliedAt.set(path, at);
  const wanted = withParents(impliedAt.keys());
  let bytes = 0;
  const count = (more: number): void => {
    bytes += more;
    if (bytes > maxBytes) throw tooManyImplied("an image", maxBytes);
  };
  for (const path of wanted) count(path.length);
  const tree = new MergedTree();
  const namedAt = new Map<ByteString, number>();
  for (const [at, { layer }] of layers.entries()) {
    tree.beginLayer();
    for await (const events of readLayer({ store, layer }, { devices: anyDevice }))
      for (const event of events) {
        const path = event.type === "entry" ? event.entry.path : "path" in event ? event.path : undefined;
        if (path === undefined || !wanted.has(path)) continue;
        tree.add(event);
        if (event.type !== "entry") continue;
        for (const [name, value] of event.entry.xattrs) count(name.length + value.length);
        namedAt.set(path, at);
      }
  }
  const isInherited = (path: ByteString, at: number): boolean =>
    tree.at(path)?.entry.kind === "directory" && (namedAt.get(path) ?? at) < at;
  const inherited = [...impliedAt].filter(([path, at]) => isInherited(path, at)).map(([path]) => path);
  const shown = withParents(inherited);
  return [...tree.all()].filter(([path]) => shown.has(path)).map(([path, { entry }]) => ({ ...entry, path }));
}

function withParents(paths: Iterable<ByteString>): Set<ByteString> {
  const all = new Set<ByteString>();
  for (const one of paths) {
    for (let path = one; !all.has(path); path = directoryOf(path)) all.add(path);
  }
  return all;
}
