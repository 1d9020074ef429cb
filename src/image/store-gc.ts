// Removes what no name leads to. Safe beside writers: see store-session.ts for the order that makes it so.
import { readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { type Descriptor, isIndexType, isManifestType, refNameAnnotation } from "../formats/oci.ts";
import { type Digest, isDigest } from "../formats/oci-reference.ts";
import { errnoOf, readText } from "../host/files.ts";
import { acquireLock, processAlive } from "../host/lock.ts";
import { makeWorkDirectory } from "../host/work.ts";
import type { ImageStore } from "./store.ts";
import { collectorLock, sessionPurpose } from "./store-session.ts";

export interface Removed {
  blobs: Digest[];
  /** Of the blobs. */
  bytes: number;
  /** diffIDs of unpacked layers. */
  layers: Digest[];
}

export interface CollectOptions {
  /** Layers that instances have mounted or will mount. */
  keepLayers?: ReadonlySet<Digest>;
  log: Log;
}

/** Removes blobs, referrers of what is gone, and unpacked layers of no image. */
export async function removeUnreferenced(store: ImageStore, options: CollectOptions): Promise<Removed> {
  const lock = await acquireLock(join(store.root.locks, collectorLock), "remove what is unreferenced");
  try {
    const needed = neededBySessions(store);
    await dropOrphanReferrers(store, needed);
    const live = new Live(store, options.log);
    for (const entry of store.index().manifests) live.follow(entry);
    const removed: Removed = { blobs: [], bytes: 0, layers: [] };
    // A document that cannot be read may name anything: then nothing is safe to remove.
    if (live.unreadable) return removed;
    removeBlobs(store, (digest) => live.blobs.has(digest) || needed.has(digest), removed);
    removeLayers(store, (id) => live.layers.has(id) || options.keepLayers?.has(id) === true, removed);
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

/** Manifests without a name live as long as their subject. */
async function dropOrphanReferrers(store: ImageStore, needed: ReadonlySet<Digest>): Promise<void> {
  await store.updateIndex("drop referrers", (manifests) => {
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
  });
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

function removeBlobs(store: ImageStore, keep: (digest: Digest) => boolean, removed: Removed): void {
  for (const algorithm of namesIn(join(store.path, "blobs"))) {
    for (const hex of namesIn(join(store.path, "blobs", algorithm))) {
      const digest = `${algorithm}:${hex}`;
      if (!isDigest(digest) || keep(digest)) continue;
      const path = store.blobPath(digest);
      removed.bytes += statSync(path).size;
      rmSync(path, { force: true });
      removed.blobs.push(digest);
    }
  }
}

function removeLayers(store: ImageStore, keep: (diffId: Digest) => boolean, removed: Removed): void {
  // Moved away first: whoever unpacks the same layer meanwhile finds its place free, or whole.
  const work = makeWorkDirectory(store.root, "remove");
  try {
    for (const hex of namesIn(store.root.layers)) {
      const diffId = `sha256:${hex}`;
      if (!isDigest(diffId) || keep(diffId)) continue;
      renameSync(join(store.root.layers, hex), join(work.path, hex));
      removed.layers.push(diffId);
    }
  } finally {
    work.remove();
  }
}
