// Makes damaged and missing blobs whole again, from whatever still holds their content:
//
//   another layout or state root      the same blob, or a layer of the same diffID
//   another image of this store       a layer of the same diffID that is packed in another way
//   layers/DIFFID/fs                  the layer as it was unpacked, packed again
//
// A blob takes its place only when digest and size are those of its name, so a repair makes nothing worse and may be repeated.
import { createReadStream } from "node:fs";
import { isTranshipError, TranshipError } from "../base/errors.ts";
import type { Log, Progress } from "../base/log.ts";
import { type Descriptor, isIndexType, isManifestType, layerCompression } from "../formats/oci.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { step } from "../host/steps.ts";
import { type Compression, Compressor } from "./compress.ts";
import { Digester } from "./digest.ts";
import type { LayerItem } from "./layer-item.ts";
import { readLayerTar } from "./layer-reader.ts";
import { writeLayer } from "./layer-writer.ts";
import type { ImageStore, StoredLayer } from "./store.ts";
import { BlobStore } from "./store-blobs.ts";
import { StoreSession } from "./store-session.ts";
import { unpackedLayer } from "./unpack.ts";

export interface RepairOptions {
  /** Directories of other image layouts. */
  from?: readonly string[];
  /** The objects of an unpacked layer, in the order in which they were packed; several ways are tried. */
  itemsOf?: (directory: string) => Iterable<AsyncIterable<LayerItem>>;
  dryRun?: boolean;
  log: Log;
  progress: Progress;
  signal?: AbortSignal;
}

export interface RepairedBlob {
  digest: Digest;
  size: number;
  /** "image manifest", "layer", ... */
  what: string;
  /** "is missing", "has the digest ...". */
  damage: string;
  /** Where the content came from; undefined: nowhere has it. */
  from: string | undefined;
}

/** Reads every blob that names lead to. Returns those that were damaged. */
export async function repairStore(store: ImageStore, options: RepairOptions): Promise<RepairedBlob[]> {
  const repaired: RepairedBlob[] = [];
  const layouts = (options.from ?? []).map((path) => new BlobStore(path));
  const session = new StoreSession(store, { replace: true });
  try {
    const work: Work = {
      store,
      session,
      layouts,
      options,
      layers: new Map(),
      repaired,
      seen: new Set(),
      whole: new Map(),
    };
    // Documents first, and each before what it names: a manifest that is repaired leads on to its layers.
    for (const entry of store.index().manifests) await repairDocument(work, entry);
    for (const layer of work.layers.values()) await repairLayer(work, layer);
  } finally {
    session.close();
  }
  return repaired;
}

interface Work {
  store: ImageStore;
  session: StoreSession;
  layouts: readonly BlobStore[];
  options: RepairOptions;
  /** By digest of the blob. */
  layers: Map<Digest, StoredLayer>;
  repaired: RepairedBlob[];
  seen: Set<Digest>;
  /** Documents that were looked at, and whether they are whole now: several images share them. */
  whole: Map<Digest, boolean>;
}

async function repairDocument(work: Work, entry: Descriptor): Promise<void> {
  if (work.seen.has(entry.digest)) return;
  work.seen.add(entry.digest);
  const isIndex = isIndexType(entry.mediaType);
  if (!isIndex && !isManifestType(entry.mediaType)) {
    await repairBlob(work, entry, "blob");
    return;
  }
  if (!(await repairBlob(work, entry, isIndex ? "index" : "manifest"))) return;
  try {
    if (isIndex) {
      for (const member of work.store.readIndexBlob(entry).manifests) await repairDocument(work, member);
      return;
    }
    const manifest = work.store.readManifest(entry);
    const whole = await repairBlob(work, manifest.config, "config");
    const isImage = manifest.layers.some((layer) => layerCompression(layer.mediaType) !== undefined);
    if (isImage && whole) {
      const ids = work.store.readConfig(manifest.config).rootfs.diff_ids;
      for (const [i, descriptor] of manifest.layers.entries())
        work.layers.set(descriptor.digest, { descriptor, diffId: ids[i] ?? "" });
    } else for (const descriptor of manifest.layers) await repairBlob(work, descriptor, "artifact");
  } catch (error) {
    if (!isTranshipError(error)) throw error;
    work.options.log.warn(error.message);
  }
}

/** False where the blob is damaged and stays so. */
async function repairBlob(work: Work, descriptor: Descriptor, what: string): Promise<boolean> {
  const { digest, size } = descriptor;
  const before = work.whole.get(digest);
  if (before !== undefined) return before;
  const damage = await damageOf(work.store, descriptor);
  const from = damage === undefined ? undefined : await copyFrom(work, descriptor);
  if (damage !== undefined) work.repaired.push({ digest, size, what, damage, from });
  const whole = damage === undefined || (from !== undefined && work.options.dryRun !== true);
  work.whole.set(digest, whole);
  return whole;
}

async function repairLayer(work: Work, layer: StoredLayer): Promise<void> {
  const { descriptor } = layer;
  const damage = await damageOf(work.store, descriptor, work.options);
  if (damage === undefined) return;
  const from = (await copyFrom(work, descriptor)) ?? (await packAgain(work, layer));
  const { digest, size } = descriptor;
  work.repaired.push({ digest, size, what: "layer", damage, from });
}

/** What is wrong with a blob; undefined where nothing is. Reads it whole. */
export async function damageOf(
  store: BlobStore,
  descriptor: Descriptor,
  options: Pick<RepairOptions, "progress" | "signal"> | undefined = undefined,
): Promise<string | undefined> {
  const { digest, size } = descriptor;
  const seen = store.blobSize(digest);
  if (seen === undefined) return "is missing";
  if (seen !== size) return `has ${seen} bytes instead of ${size}`;
  const task = options?.progress.begin(`checking ${digest.slice(0, 19)}`, size, "bytes");
  const digester = new Digester(digest);
  for await (const chunk of createReadStream(store.blobPath(digest), { highWaterMark: 1 << 20 })) {
    options?.signal?.throwIfAborted();
    digester.update(chunk as Uint8Array);
    task?.advance((chunk as Uint8Array).length);
  }
  task?.end();
  const found = digester.digest();
  return found === digest ? undefined : `has the digest ${found}`;
}

/** The same blob from another layout; returns where it was. */
async function copyFrom(work: Work, descriptor: Descriptor): Promise<string | undefined> {
  for (const layout of work.layouts) {
    if ((await damageOf(layout, descriptor)) !== undefined) continue;
    if (work.options.dryRun !== true) {
      step(`repair the blob ${descriptor.digest.slice(0, 19)}`);
      const source = createReadStream(layout.blobPath(descriptor.digest), { highWaterMark: 1 << 20 });
      await work.session.putStream(descriptor.mediaType, source, descriptor);
    }
    return layout.path;
  }
  return undefined;
}

/** A tar of the layer's diffID, and where it comes from. */
interface TarSource {
  from: string;
  tar: AsyncIterable<Uint8Array>;
}

async function packAgain(work: Work, layer: StoredLayer): Promise<string | undefined> {
  for (const { from, tar } of tarSources(work, layer)) {
    if (await tried(work, from, () => packTar(work, layer, tar))) return from;
  }
  const unpacked = unpackedLayer(work.store.root, layer.diffId);
  if (unpacked === undefined) return undefined;
  for (const items of work.options.itemsOf?.(unpacked) ?? []) {
    if (await tried(work, unpacked, () => packItems(work, layer, items))) return unpacked;
  }
  return undefined;
}

/** What does not give the blob that is wanted leaves the store as it is. */
async function tried(work: Work, from: string, make: () => Promise<void>): Promise<boolean> {
  try {
    await make();
    return true;
  } catch (error) {
    if (!isTranshipError(error) || error.code === "E_NO_SPACE") throw error;
    work.options.log.debug(`${from} does not give the layer back: ${error.message}`);
    return false;
  }
}

async function packTar(
  work: Work,
  { descriptor }: StoredLayer,
  tar: AsyncIterable<Uint8Array>,
): Promise<void> {
  const made = packed(layerCompression(descriptor.mediaType) ?? "none", tar);
  step(`repair the layer ${descriptor.digest.slice(0, 19)}`);
  if (work.options.dryRun !== true) {
    await work.session.putStream(descriptor.mediaType, made, descriptor);
    return;
  }
  const digester = new Digester(descriptor.digest);
  for await (const chunk of made) digester.update(chunk);
  if (digester.digest() !== descriptor.digest)
    throw new TranshipError("E_IMAGE_CORRUPT", `it gives ${digester.digest()}`);
}

/** Our own form at once, any other one from ours. The form that nobody asked for is removed by the next collection. */
async function packItems(work: Work, layer: StoredLayer, items: AsyncIterable<LayerItem>): Promise<void> {
  // Nothing is written for a dry run: whether it can be packed as it was is seen when it is tried.
  if (work.options.dryRun === true) return;
  const { descriptor, diffId } = await writeLayer(items, work.session);
  if (diffId !== layer.diffId) throw new TranshipError("E_IMAGE_CORRUPT", `it gives the diffID ${diffId}`);
  if (descriptor.digest === layer.descriptor.digest) return;
  await packTar(work, layer, readLayerTar({ store: work.store, layer: { descriptor, diffId } }));
}

function* tarSources(work: Work, layer: StoredLayer): Generator<TarSource> {
  const { store } = work;
  for (const other of work.layers.values()) {
    if (other.diffId !== layer.diffId || other.descriptor.digest === layer.descriptor.digest) continue;
    yield { from: `${other.descriptor.digest} of this store`, tar: readLayerTar({ store, layer: other }) };
  }
  for (const layout of work.layouts) {
    for (const other of layersOf(layout, layer.diffId))
      yield {
        from: `${other.descriptor.digest} of ${layout.path}`,
        tar: readLayerTar({ store: layout, layer: other }),
      };
  }
}

/** Layers of that diffID in the images of any layout; what cannot be read there is no source. */
function* layersOf(layout: BlobStore, diffId: Digest): Generator<StoredLayer> {
  const todo = [...entriesOf(layout)];
  for (let entry = todo.pop(); entry !== undefined; entry = todo.pop()) {
    try {
      if (isIndexType(entry.mediaType)) todo.push(...layout.readIndexBlob(entry).manifests);
      else if (isManifestType(entry.mediaType)) {
        const manifest = layout.readManifest(entry);
        if (layerCompression(manifest.layers[0]?.mediaType ?? "") === undefined) continue;
        const at = layout.readConfig(manifest.config).rootfs.diff_ids.indexOf(diffId);
        const descriptor = manifest.layers[at];
        if (descriptor !== undefined) yield { descriptor, diffId };
      }
    } catch (error) {
      if (!isTranshipError(error)) throw error;
    }
  }
}

function entriesOf(layout: BlobStore): readonly Descriptor[] {
  try {
    return layout.index().manifests;
  } catch (error) {
    if (!isTranshipError(error)) throw error;
    return [];
  }
}

async function* packed(
  compression: Compression | "none",
  tar: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (compression === "none") {
    yield* tar;
    return;
  }
  let ready: Uint8Array[] = [];
  const compressor = new Compressor(compression, async (bytes) => {
    ready.push(Uint8Array.from(bytes));
  });
  try {
    for await (const chunk of tar) {
      await compressor.append(chunk);
      const now = ready;
      ready = [];
      yield* now;
    }
    await compressor.finish();
  } catch (error) {
    await compressor.abandon();
    throw error;
  }
  yield* ready;
}
