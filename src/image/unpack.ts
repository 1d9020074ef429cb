// Layers on disk: each is unpacked once, by `tree unpack`, into root.layers/DIFFID/fs, as a lower directory of overlays.
//
// A layer appears whole or not at all: it is made in a work directory, digest and diffID are checked, and the directory
// is renamed. Of two that unpack the same layer at once, the second finds the name taken and drops its own.
//
// Beside it implied.json tells of directories that the layer has something in and no entry for: see inherited-directories.ts.
import { chmodSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";
import { type Digest, splitDigest } from "../formats/oci-reference.ts";
import { errnoOf, ioError, readText, writeFileAtomic } from "../host/files.ts";
import { randomHex } from "../host/random.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { makeWorkDirectory } from "../host/work.ts";
import type { ArrivingBlob } from "./arriving-blob.ts";
import { ImpliedDirectories } from "./implied-directories.ts";
import { hasLayerNote, noteLayer } from "./layer-note.ts";
import { type LayerLimits, readLayer } from "./layer-reader.ts";
import { makeTree, type TreeFailure } from "./make-tree.ts";
import type { ImageStore, StoredLayer } from "./store.ts";

/** The directory that an unpacked layer is in; undefined where it is not unpacked. */
export function unpackedLayer(root: StateRoot, diffId: Digest): string | undefined {
  const path = layerDirectory(root, diffId);
  return hasLayerNote(path) ? join(path, "fs") : undefined;
}

function layerDirectory(root: StateRoot, diffId: Digest): string {
  return join(root.layers, splitDigest(diffId)[1]);
}

/** Unpacks the layer where it is not there yet; returns its directory. Safe for any number of processes at once. */
export async function ensureLayer(
  root: StateRoot,
  store: ImageStore,
  diffId: Digest,
  limits: Partial<LayerLimits> = {},
): Promise<string> {
  return unpackedLayer(root, diffId) ?? (await makeOnce(store, store.layer(diffId), limits));
}

/** As ensureLayer(), for a layer of an image that has no name yet. */
export async function ensureStoredLayer(
  store: ImageStore,
  layer: StoredLayer,
  limits: Partial<LayerLimits> = {},
): Promise<string> {
  return unpackedLayer(store.root, layer.diffId) ?? (await makeOnce(store, layer, limits));
}

/** As ensureStoredLayer(), while its blob is being fetched; E_IMAGE_CORRUPT, or what else the download ends with, where it becomes no blob of the store. */
export async function ensureArrivingLayer(
  store: ImageStore,
  layer: StoredLayer,
  arriving: ArrivingBlob,
  limits: Partial<LayerLimits> = {},
): Promise<string> {
  return unpackedLayer(store.root, layer.diffId) ?? (await makeLayer({ store, layer, arriving }, limits));
}

/** A layer of a store, which may be one whose blob is only being fetched. */
interface Source {
  store: ImageStore;
  layer: StoredLayer;
  arriving?: ArrivingBlob | undefined;
}

/** By directory: layers that this process unpacks now. Fifty tasks of an image that is new here are one unpacking, not fifty of which one counts. */
const making = new Map<string, Promise<string>>();

function makeOnce(store: ImageStore, layer: StoredLayer, limits: Partial<LayerLimits>): Promise<string> {
  // Whoever has limits of his own wants to see them kept.
  if (Object.keys(limits).length > 0) return makeLayer({ store, layer }, limits);
  const place = layerDirectory(store.root, layer.diffId);
  let made = making.get(place);
  if (made === undefined) {
    made = makeLayer({ store, layer }, limits).finally(() => making.delete(place));
    making.set(place, made);
  }
  return made;
}

async function makeLayer(source: Source, limits: Partial<LayerLimits>): Promise<string> {
  const { root } = source.store;
  const { layer } = source;
  const work = makeWorkDirectory(root, "layer");
  try {
    const made = join(work.path, "layer");
    await makeLayerAt(source, made, limits);
    moveInPlace(made, layerDirectory(root, layer.diffId));
  } finally {
    work.remove();
  }
  return join(layerDirectory(root, layer.diffId), "fs");
}

/** The directory of a layer as it lies in root.layers, at another place of the same file system. */
export async function makeLayerAt(
  source: Source,
  made: string,
  limits: Partial<LayerLimits> = {},
): Promise<void> {
  mkdirSync(join(made, "fs"), { recursive: true });
  // Whatever the umask: most layers have no entry for their root, and instances show it.
  chmodSync(join(made, "fs"), 0o755);
  const implied = await unpackLayer(source, join(made, "fs"), limits);
  const { diffId, descriptor } = source.layer;
  step(`note the unpacked layer ${diffId.slice(0, 19)}`);
  writeFileAtomic(join(made, impliedFile), impliedText(implied));
  noteLayer(made, { diffId, blob: descriptor.digest });
}

const impliedFile = "implied.json";

/** What the note says where a layer has these. */
export function impliedText(implied: readonly ByteString[]): string {
  return `${JSON.stringify(implied)}\n`;
}

/** The note of an unpacked layer, as it is written. */
export function impliedNote(root: StateRoot, diffId: Digest): string | undefined {
  return readText(join(layerDirectory(root, diffId), impliedFile));
}

/** Directories that an unpacked layer has something in and no entry for; undefined where that is not noted, or the note is damaged. */
export function impliedIn(root: StateRoot, diffId: Digest): ByteString[] | undefined {
  const note = impliedNote(root, diffId);
  if (note === undefined) return undefined;
  try {
    const paths: unknown = JSON.parse(note);
    return Array.isArray(paths) && paths.every((path) => typeof path === "string") ? paths : undefined;
  } catch {
    return undefined;
  }
}

/** Reads them from the layer's archive, and notes them beside the layer as it is unpacked. */
export async function noteImplied(store: ImageStore, layer: StoredLayer): Promise<ByteString[]> {
  const implied = new ImpliedDirectories();
  for await (const events of readLayer({ store, layer })) for (const event of events) implied.add(event);
  writeFileAtomic(join(layerDirectory(store.root, layer.diffId), impliedFile), impliedText(implied.paths()));
  return implied.paths();
}

/**
 * Of two that make the same, the second finds the place taken: what it made goes with its work directory. What lies there without its note
 * was not left so by us and may be anything: it is put aside, where an instance may still show it, until gc takes it.
 */
export function moveInPlace(made: string, place: string): void {
  try {
    if (!hasLayerNote(place)) putAside(place);
    step(`put the unpacked layer ${place.slice(place.lastIndexOf("/") + 1).slice(0, 12)} in place`);
    renameSync(made, place);
  } catch (cause) {
    if (errnoOf(cause) === "ENOTEMPTY" || errnoOf(cause) === "EEXIST") return;
    throw ioError(`cannot put the layer at ${place}`, cause);
  }
}

function putAside(place: string): void {
  try {
    renameSync(place, `${place}-${randomHex(4)}${asideSuffix}`);
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw cause; // as mostly, or another command was faster
  }
}

/** Ends the names of directories of root.layers that hold no layer any more. */
export const asideSuffix = ".aside";

/**
 * Makes the layer's tree in an existing empty directory; OCI whiteouts become those of overlayfs. Returns the directories that the layer has
 * something in and no entry for.
 */
export async function unpackLayer(
  source: Source,
  destination: string,
  limits: Partial<LayerLimits> = {},
): Promise<ByteString[]> {
  const implied = new ImpliedDirectories();
  const events = implied.watch(readLayer(source, limits));
  await makeTree(destination, events, limits, treeFailure(`the layer ${source.layer.diffId}`));
  return implied.paths();
}

/** What it means that `tree unpack` refused a part of `what`. */
export function treeFailure(what: string): TreeFailure {
  return (reason, path) => {
    // The words of strerror(3): the layer is not to blame for the disk.
    if (/No space left on device|Disk quota exceeded/.test(reason)) {
      return new TranshipError("E_NO_SPACE", `cannot unpack ${what}: ${reason}`, {
        hint: "free space or choose another state root with --root",
      });
    }
    if (process.geteuid?.() !== 0 && reason.includes("Operation not permitted")) {
      return new TranshipError("E_NEEDS_ROOT", `cannot unpack ${what}: ${reason}`, {
        hint: "layers are unpacked with their owners and devices: run the command as root",
      });
    }
    return new TranshipError("E_LAYER_HOSTILE", `cannot unpack ${what}: ${reason}`, {
      hint: "the layer holds something that does not fit here; the sentence above names it",
      details: path === undefined ? {} : { path },
    });
  };
}
