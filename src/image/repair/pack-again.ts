// A layer is packed again from its content: the blob that comes out has to have the digest that is wanted.
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import { type Descriptor, isIndexType, isManifestType, layerCompression } from "../../formats/oci.ts";
import type { Digest } from "../../formats/oci-reference.ts";
import { step } from "../../host/steps.ts";
import { type Compression, Compressor } from "../compress.ts";
import { Digester } from "../digest.ts";
import type { LayerItem } from "../layer-item.ts";
import { readLayerTar } from "../layer-reader.ts";
import { writeLayer } from "../layer-writer.ts";
import type { StoredLayer } from "../store.ts";
import type { BlobStore } from "../store-blobs.ts";
import { unpackedLayer } from "../unpack.ts";
import type { Origin } from "./registry-copies.ts";
import type { RepairWork } from "./repair.ts";

/** A tar of the layer's diffID, and where it comes from. */
interface TarSource {
  from: string;
  tar: AsyncIterable<Uint8Array>;
}

/** From what lies on this host. */
export async function packAgain(work: RepairWork, layer: StoredLayer): Promise<string | undefined> {
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

/** From a layer of the same diffID that a registry has in another form: a dry run goes by the word of the registry. */
export async function packAgainFromRegistry(
  work: RepairWork,
  layer: StoredLayer,
  origin: Origin,
): Promise<string | undefined> {
  for await (const { from, layer: other } of work.remote.otherForms(layer, origin)) {
    if (work.options.dryRun === true) return from;
    const tar = readLayerTar({ store: work.store, layer: other });
    if (await tried(work, from, () => packTar(work, layer, tar))) return from;
  }
  return undefined;
}

/** What does not give the blob that is wanted leaves the store as it is. */
async function tried(work: RepairWork, from: string, make: () => Promise<void>): Promise<boolean> {
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
  work: RepairWork,
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
async function packItems(
  work: RepairWork,
  layer: StoredLayer,
  items: AsyncIterable<LayerItem>,
): Promise<void> {
  // Nothing is written for a dry run: whether it can be packed as it was is seen when it is tried.
  if (work.options.dryRun === true) return;
  const { descriptor, diffId } = await writeLayer(items, work.session);
  if (diffId !== layer.diffId) throw new TranshipError("E_IMAGE_CORRUPT", `it gives the diffID ${diffId}`);
  if (descriptor.digest === layer.descriptor.digest) return;
  await packTar(work, layer, readLayerTar({ store: work.store, layer: { descriptor, diffId } }));
}

function* tarSources(work: RepairWork, layer: StoredLayer): Generator<TarSource> {
  const { store } = work;
  for (const { layer: other } of work.layers.values()) {
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
