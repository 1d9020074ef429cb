// Removes what no name leads to. Safe beside writers: see store-session.ts for the order that makes it so.
import { lstatSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { type Descriptor, isIndexType, isManifestType, refNameAnnotation } from "../formats/oci.ts";
import { type Digest, isDigest } from "../formats/oci-reference.ts";
import { errnoOf, readText } from "../host/files.ts";
import { acquireLock, processAlive } from "../host/lock.ts";
import { step } from "../host/steps.ts";
import { makeWorkDirectory } from "../host/work.ts";
import { inheritedFor } from "./inherited-directories.ts";
import type { ImageStore } from "./store.ts";
import { collectorLock, sessionPurpose } from "./store-session.ts";

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
    const kept = await dropOrphanReferrers(store, needed, options.dryRun === true);
    const live = new Live(store, options.log);
    for (const entry of kept) live.follow(entry);
    const removed: Removed = { blobs: [], bytes: 0, layers: [], layerBytes: 0 };
    // A document that cannot be read may name anything: then nothing is safe to remove.
    if (live.unreadable) return removed;
    const what = { store, options, removed };
    removeBlobs(what, (digest) => live.blobs.has(digest) || needed.has(digest));
    removeLayers(what, (id) => live.layers.has(id) || options.keepLayers?.has(id) === true);
    return removed;
  } finally {
    lock.release();
  }
}

/** What sessions of running processes have written down. */
function neededBySessions(store: ImageStore): Set<Digest> {
  const needed = new Set<Digest>();
  for (const name of readdirSync(store.root.work)) {
    if (!name.startsWith(`${sessionPurpose}-`)) continue;
    const directory = join(store.root.work, name);
    const [pid = "0", startTime = ""] = (readText(join(directory, "owner")) ?? "").trim().split(" ");
    if (!processAlive(Number(pid), startTime)) continue;
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
  unreadable = false;
  readonly #store: ImageStore;
  readonly #log: Log;

  constructor(store: ImageStore, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  follow(entry: Descriptor): void {
    if (this.blobs.has(entry.digest)) return;
    this.blobs.add(entry.digest);
    try {
      if (isIndexType(entry.mediaType)) {
        for (const member of this.#store.readIndexBlob(entry).manifests) this.follow(member);
      } else if (isManifestType(entry.mediaType)) this.#manifest(entry);
    } catch (error) {
      this.unreadable = true;
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn(`nothing was removed, because ${reason}`);
    }
  }

  #manifest(entry: Descriptor): void {
    const manifest = this.#store.readManifest(entry);
    for (const blob of [manifest.config, ...manifest.layers]) this.blobs.add(blob.digest);
    if (entry.artifactType !== undefined || manifest.artifactType !== undefined) return;
    for (const id of this.#store.readConfig(manifest.config).rootfs.diff_ids) this.layers.add(id);
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
function removeLayers({ store, options, removed }: Removal, keep: (diffId: Digest) => boolean): void {
  // Moved away first: whoever unpacks the same layer meanwhile finds its place free, or whole.
  const work = makeWorkDirectory(store.root, "remove");
  try {
    for (const hex of namesIn(store.root.layers)) {
      const diffId = `sha256:${hex}`;
      if (!isDigest(diffId) || keep(diffId)) continue;
      const path = join(store.root.layers, hex);
      if (inheritedFor(path)?.every(keep) === true) continue;
      if (options.sizes === true) removed.layerBytes += bytesBelow(path);
      if (options.dryRun !== true) {
        step(`remove the unpacked layer ${hex.slice(0, 12)}`);
        renameSync(path, join(work.path, hex));
      }
      removed.layers.push(diffId);
    }
  } finally {
    work.remove();
  }
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
