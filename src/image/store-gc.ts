// Removes what no name leads to. Safe beside writers: see store-session.ts for the order that makes it so.
import { lstatSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type ErrorCode, isTranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { type Descriptor, isIndexType, isManifestType, refNameAnnotation } from "../formats/oci.ts";
import { type Digest, isDigest } from "../formats/oci-reference.ts";
import { errnoOf } from "../host/files.ts";
import { acquireLock } from "../host/lock.ts";
import { step } from "../host/steps.ts";
import { isWorkedOn, makeWorkDirectory } from "../host/work.ts";
import { inheritedName, layerNote } from "./layer-note.ts";
import type { ImageStore } from "./store.ts";
import { collectorLock, sessionPurpose } from "./store-session.ts";
import { asideSuffix } from "./unpack.ts";

export interface Removed {
  blobs: Digest[];
  /** Of the blobs. */
  bytes: number;
  /** diffIDs of unpacked layers. */
  layers: Digest[];
  /** Of what they have unpacked. Counted where `sizes` is asked for. */
  layerBytes: number;
}

export interface CollectOptions {
  /** Layers that instances have mounted or will mount. */
  keepLayers?: ReadonlySet<Digest>;
  /** Change nothing; the result says what would be removed. */
  dryRun?: boolean;
  /** Count the bytes of unpacked layers too. */
  sizes?: boolean;
  log: Log;
}

/** Removes blobs, referrers of what is gone, and unpacked layers of no image. */
export async function removeUnreferenced(store: ImageStore, options: CollectOptions): Promise<Removed> {
  const lock = await acquireLock(join(store.root.locks, collectorLock), "remove what is unreferenced");
  try {
    const needed = neededBySessions(store);
    const removed: Removed = { blobs: [], bytes: 0, layers: [], layerBytes: 0 };
    const live = new Live(store);
    try {
      for (const entry of await dropOrphanReferrers(store, needed, options.dryRun === true))
        live.follow(entry);
    } catch (error) {
      // A document that cannot be read may name anything: then nothing is safe to remove.
      if (isTranshipError(error) && !unreadable.has(error.code)) throw error;
      options.log.warn(`nothing was removed, because ${(error as Error).message}`);
      return removed;
    }
    const what = { store, options, removed };
    removeBlobs(what, (digest) => live.blobs.has(digest) || needed.has(digest));
    removeLayers(what, (id) => live.layers.has(id) || options.keepLayers?.has(id) === true, live.lists);
    return removed;
  } finally {
    lock.release();
  }
}

/** What is said of documents; a disk that fails says it in its own words. */
const unreadable: ReadonlySet<string> = new Set<ErrorCode>([
  "E_IMAGE_CORRUPT",
  "E_IMAGE_UNSUPPORTED",
  "E_LIMIT",
  "E_IO",
]);

/** What sessions of running processes have written down. */
function neededBySessions(store: ImageStore): Set<Digest> {
  const needed = new Set<Digest>();
  for (const name of readdirSync(store.root.work)) {
    if (!name.startsWith(`${sessionPurpose}-`)) continue;
    const directory = join(store.root.work, name);
    if (!isWorkedOn(directory)) continue;
    for (const digest of namesIn(join(directory, "needs"))) needed.add(digest.replace("-", ":"));
  }
  return needed;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw cause;
  }
}

/** Manifests without a name live as long as their subject. Returns what the index then holds. */
async function dropOrphanReferrers(
  store: ImageStore,
  needed: ReadonlySet<Digest>,
  dryRun: boolean,
): Promise<readonly Descriptor[]> {
  const living = (manifests: readonly Descriptor[]): Descriptor[] => {
    const subjects = new Set<Digest>();
    const named = manifests.filter((entry) => entry.annotations?.[refNameAnnotation] !== undefined);
    for (const entry of named) {
      subjects.add(entry.digest);
      if (isIndexType(entry.mediaType) && store.hasBlob(entry.digest)) {
        for (const member of store.readIndexBlob(entry).manifests) subjects.add(member.digest);
      }
    }
    return manifests.filter((entry) => {
      if (named.includes(entry) || needed.has(entry.digest) || !isManifestType(entry.mediaType)) return true;
      if (!store.hasBlob(entry.digest)) return false;
      const subject = store.readManifest(entry).subject?.digest;
      return subject === undefined || subjects.has(subject);
    });
  };
  const now = store.index().manifests;
  // Mostly there is nothing to drop, and the index stays as it is.
  if (dryRun || living(now).length === now.length) return living(now);
  await store.updateIndex("drop referrers", living);
  return store.index().manifests;
}

/** Everything that documents lead to. */
class Live {
  readonly blobs = new Set<Digest>();
  readonly layers = new Set<Digest>();
  /** diffIDs of each image, lowest first. */
  readonly lists: Digest[][] = [];
  readonly #store: ImageStore;

  constructor(store: ImageStore) {
    this.#store = store;
  }

  follow(entry: Descriptor): void {
    if (this.blobs.has(entry.digest)) return;
    this.blobs.add(entry.digest);
    if (isIndexType(entry.mediaType)) {
      for (const member of this.#store.readIndexBlob(entry).manifests) this.follow(member);
    } else if (isManifestType(entry.mediaType)) this.#manifest(entry);
  }

  #manifest(entry: Descriptor): void {
    const manifest = this.#store.readManifest(entry);
    for (const blob of [manifest.config, ...manifest.layers]) this.blobs.add(blob.digest);
    if (entry.artifactType !== undefined || manifest.artifactType !== undefined) return;
    const { diff_ids: ids } = this.#store.readConfig(manifest.config).rootfs;
    this.lists.push(ids);
    for (const id of ids) this.layers.add(id);
  }
}

interface Removal {
  store: ImageStore;
  options: CollectOptions;
  removed: Removed;
}

function removeBlobs({ store, options, removed }: Removal, keep: (digest: Digest) => boolean): void {
  for (const algorithm of namesIn(join(store.path, "blobs"))) {
    for (const hex of namesIn(join(store.path, "blobs", algorithm))) {
      const digest = `${algorithm}:${hex}`;
      if (!isDigest(digest) || keep(digest)) continue;
      const path = store.blobPath(digest);
      removed.bytes += statSync(path).size;
      if (options.dryRun !== true) {
        step(`remove the blob ${digest.slice(0, 19)}`);
        rmSync(path, { force: true });
      }
      removed.blobs.push(digest);
    }
  }
}

/** What was made for several layers together is kept as long as all of them are. */
function removeLayers(
  { store, options, removed }: Removal,
  keep: (diffId: Digest) => boolean,
  lists: readonly (readonly Digest[])[],
): void {
  const isUsed = usesOf(store, options, keep, lists);
  // Moved away first: whoever unpacks the same layer meanwhile finds its place free, or whole.
  const work = makeWorkDirectory(store.root, "remove");
  try {
    for (const name of namesIn(store.root.layers)) {
      const diffId = `sha256:${name}`;
      const isLayer = isDigest(diffId);
      if ((!isLayer && !name.endsWith(asideSuffix)) || isUsed(name)) continue;
      const path = join(store.root.layers, name);
      if (options.sizes === true) removed.layerBytes += bytesBelow(path);
      if (options.dryRun !== true) {
        step(`remove the unpacked layer ${name.slice(0, 12)}`);
        renameSync(path, join(work.path, name));
      }
      if (isLayer) removed.layers.push(diffId);
    }
  } finally {
    work.remove();
  }
}

/** By its name in root.layers. What does not say any more what it was made for may be shown by any instance. */
function usesOf(
  store: ImageStore,
  { keepLayers, log }: CollectOptions,
  keep: (diffId: Digest) => boolean,
  lists: readonly (readonly Digest[])[],
): (name: string) => boolean {
  const shown = new Set(lists.map(inheritedName));
  return (name) => {
    if (keep(`sha256:${name}`) || shown.has(name)) return true;
    const note = layerNote(join(store.root.layers, name));
    if (note?.kind === "layer") return false;
    if (note?.kind === "inherited") return note.layers.every(keep);
    const mayBe = (keepLayers?.size ?? 0) > 0;
    if (mayBe && note !== undefined)
      log.warn(`layers/${name} was left: the note beside it is damaged, and there are instances`);
    return mayBe;
  };
}

/** What the files below a directory take, as `du` counts them. Names may be any bytes. */
function bytesBelow(top: string): number {
  let sum = 0;
  const todo = [Buffer.from(top)];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    sum += stat.blocks * 512;
    if (!stat.isDirectory()) continue;
    for (const name of readdirSync(path, { encoding: "buffer" }))
      todo.push(Buffer.concat([path, Buffer.from("/"), name]));
  }
  return sum;
}
