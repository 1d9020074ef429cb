// Makes damaged and missing blobs whole again, from whatever still holds their content:
//
//   another layout or state root      the same blob, or a layer of the same diffID
//   another image of this store       a layer of the same diffID that is packed in another way
//   layers/DIFFID/fs                  the layer as it was unpacked, packed again
//   a registry                        the same blob, or a layer of the same diffID
//
// A blob takes its place only when digest and size are those of its name, so a repair makes nothing worse and may be repeated.
import { createReadStream } from "node:fs";
import { isTranshipError } from "../../base/errors.ts";
import type { Log, Progress } from "../../base/log.ts";
import {
  type Descriptor,
  isIndexType,
  isManifestType,
  layerCompression,
  refNameAnnotation,
} from "../../formats/oci.ts";
import { type Digest, formatReference, parseReference } from "../../formats/oci-reference.ts";
import { step } from "../../host/steps.ts";
import type { LayerItem } from "../layer-item.ts";
import { placesOf } from "../places.ts";
import type { ImageStore, StoredLayer } from "../store.ts";
import { BlobStore } from "../store-blobs.ts";
import { StoreSession } from "../store-session.ts";
import type { WalkTree } from "../unpacked-check.ts";
import { damageOf } from "./damage.ts";
import { packAgain, packAgainFromRegistry } from "./pack-again.ts";
import { type Origin, type RegistryChoice, RegistryCopies } from "./registry-copies.ts";
import { repairInherited, repairTree } from "./repair-tree.ts";

export interface RepairOptions {
  /** Directories of other image layouts. */
  from?: readonly string[];
  /** Which registries are asked. Default none. */
  registries?: RegistryChoice;
  /** The objects of an unpacked layer, in the order in which they were packed; several ways are tried. */
  itemsOf?: (directory: string) => Iterable<AsyncIterable<LayerItem>>;
  /** Layers that are unpacked are held against their archives too, walked by this, and unpacked anew. */
  walkUnpacked?: WalkTree;
  /** Instances that have the layer mounted now, as a sentence names them: it stays as it is. Asked again directly before it is replaced. */
  usersOf?: (diffId: Digest) => string | undefined;
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

/** A layer that was changed below where it is unpacked. */
export interface RepairedTree {
  diffId: Digest;
  /** A sentence for each object. */
  changes: string[];
  /** Why it stays as it is; undefined: it was unpacked anew. */
  left: string | undefined;
}

export interface Repaired {
  /** What was wrong with index.json, which was written anew from its copy: "is missing", "is damaged". */
  index: string | undefined;
  blobs: RepairedBlob[];
  trees: RepairedTree[];
}

/** Reads every blob that names lead to, and every layer that is unpacked. Returns what was damaged. */
export async function repairStore(store: ImageStore, options: RepairOptions): Promise<Repaired> {
  const session = new StoreSession(store, { replace: true });
  const { log, progress, dryRun = false } = options;
  const choice = options.registries ?? { images: [], registries: [], known: false, settings: {} };
  const work: RepairWork = {
    store,
    session,
    layouts: (options.from ?? []).map((path) => new BlobStore(path)),
    remote: new RegistryCopies(session, choice, { log, progress, dryRun }),
    options,
    layers: new Map(),
    lists: [],
    repaired: new Map(),
    seen: new Set(),
    whole: new Set(),
  };
  const trees: RepairedTree[] = [];
  const index = store.indexDamage();
  try {
    if (index !== undefined && !dryRun)
      await store.updateIndex("repair index.json", (manifests) => [...manifests]);
    // Documents first, and each before what it names: a manifest that is repaired leads on to its layers.
    const { manifests } = store.index();
    const isNamed = (entry: Descriptor) => entry.annotations?.[refNameAnnotation] !== undefined;
    // What stands beside an image may be where any of the images is.
    const anywhere = joined(manifests.filter(isNamed).map(originOf));
    for (const entry of manifests)
      await repairDocument(work, entry, isNamed(entry) ? originOf(entry) : anywhere);
    for (const one of work.layers.values()) await repairLayer(work, one.layer, joined(one.origins));
    for (const { layer } of work.layers.values()) {
      const tree = await repairTree(store, layer, options);
      if (tree !== undefined) trees.push(tree);
    }
    const byDiffId = new Map([...work.layers.values()].map(({ layer }) => [layer.diffId, layer]));
    trees.push(...(await repairInherited(store, byDiffId, work.lists, options)));
  } finally {
    session.close();
  }
  return { index, blobs: [...work.repaired.values()], trees };
}

export interface RepairWork {
  store: ImageStore;
  session: StoreSession;
  layouts: readonly BlobStore[];
  remote: RegistryCopies;
  options: RepairOptions;
  /** By digest of the blob. */
  layers: Map<Digest, { layer: StoredLayer; origins: Origin[] }>;
  /** diffIDs of each image, lowest first. */
  lists: Digest[][];
  repaired: Map<Digest, RepairedBlob>;
  /** Documents with the origins that they were looked at for: several images share them. */
  seen: Set<string>;
  /** Blobs that are whole now. */
  whole: Set<Digest>;
}

function originOf(entry: Descriptor): Origin {
  const name = entry.annotations?.[refNameAnnotation];
  const places = placesOf(entry);
  const names = [...places.map(({ repository }) => repository)];
  try {
    if (name !== undefined) names.push(parseReference(name).repository);
  } catch (error) {
    if (!isTranshipError(error)) throw error;
  }
  return { places, repositories: [...new Set(names)] };
}

function joined(origins: readonly Origin[]): Origin {
  return {
    places: origins.flatMap(({ places }) => places),
    repositories: [...new Set(origins.flatMap(({ repositories }) => repositories))],
  };
}

async function repairDocument(work: RepairWork, entry: Descriptor, origin: Origin): Promise<void> {
  const key = [entry.digest, ...origin.places.map(formatReference), ...origin.repositories].join(" ");
  if (work.seen.has(key)) return;
  work.seen.add(key);
  const isIndex = isIndexType(entry.mediaType);
  if (!isIndex && !isManifestType(entry.mediaType)) {
    await repairBlob(work, entry, "blob", origin);
    return;
  }
  if (!(await repairBlob(work, entry, isIndex ? "index" : "manifest", origin))) return;
  try {
    if (isIndex) {
      for (const member of work.store.readIndexBlob(entry).manifests)
        await repairDocument(work, member, origin);
      return;
    }
    const manifest = work.store.readManifest(entry);
    const whole = await repairBlob(work, manifest.config, "config", origin);
    const isImage = manifest.layers.some((layer) => layerCompression(layer.mediaType) !== undefined);
    if (isImage && whole) {
      const ids = work.store.readConfig(manifest.config).rootfs.diff_ids;
      work.lists.push(ids);
      for (const [i, descriptor] of manifest.layers.entries())
        noteLayer(work, { descriptor, diffId: ids[i] ?? "" }, origin);
    } else for (const descriptor of manifest.layers) await repairBlob(work, descriptor, "artifact", origin);
  } catch (error) {
    if (!isTranshipError(error)) throw error;
    work.options.log.warn(error.message);
  }
}

function noteLayer(work: RepairWork, layer: StoredLayer, origin: Origin): void {
  const { digest } = layer.descriptor;
  const known = work.layers.get(digest);
  if (known === undefined) work.layers.set(digest, { layer, origins: [origin] });
  else known.origins.push(origin);
}

/** False where the blob is damaged and stays so. */
async function repairBlob(
  work: RepairWork,
  descriptor: Descriptor,
  what: string,
  origin: Origin,
): Promise<boolean> {
  const { digest, size } = descriptor;
  if (work.whole.has(digest)) return true;
  const damage = await damageOf(work.store, descriptor, signalOf(work));
  const from =
    damage === undefined
      ? undefined
      : ((await copyFrom(work, descriptor)) ?? (await work.remote.copy(descriptor, origin)));
  const before = work.repaired.get(digest);
  // Another image that has the same blob may have been asked for it in a dry run.
  if (damage !== undefined && before?.from === undefined)
    work.repaired.set(digest, { digest, size, what, damage, from });
  const whole = damage === undefined || (from !== undefined && work.options.dryRun !== true);
  if (whole) work.whole.add(digest);
  return whole;
}

async function repairLayer(work: RepairWork, layer: StoredLayer, origin: Origin): Promise<void> {
  const { descriptor } = layer;
  const damage = await damageOf(work.store, descriptor, {
    progress: work.options.progress,
    ...signalOf(work),
  });
  if (damage === undefined) return;
  const from =
    (await copyFrom(work, descriptor)) ??
    (await packAgain(work, layer)) ??
    (await work.remote.copy(descriptor, origin)) ??
    (await packAgainFromRegistry(work, layer, origin));
  const { digest, size } = descriptor;
  work.repaired.set(digest, { digest, size, what: "layer", damage, from });
}

const signalOf = ({ options }: RepairWork): { signal?: AbortSignal } =>
  options.signal === undefined ? {} : { signal: options.signal };

/** The same blob from another layout; returns where it was. */
async function copyFrom(work: RepairWork, descriptor: Descriptor): Promise<string | undefined> {
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
