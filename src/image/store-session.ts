// Writing blobs. A session is a work directory of this process: its temporary files and the list of blobs that it
// needs lie in it, so that a crash leaves nothing behind and the collector leaves alone what is not yet named.
//
// Order that makes this safe without a lock per blob (the collector is in store-gc.ts): a session first writes down
// that it needs a blob, then waits while a collector is at work, then looks whether the blob is there. The collector
// first takes its lock, then reads what sessions need, then index.json, then removes.
import { existsSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import type { Descriptor } from "../formats/oci.ts";
import { type Digest, splitDigest } from "../formats/oci-reference.ts";
import { createExclusive, ioError, makeDirectory, syncDirectory } from "../host/files.ts";
import { acquireLock } from "../host/lock.ts";
import { step } from "../host/steps.ts";
import { makeWorkDirectory, type WorkDirectory } from "../host/work.ts";
import { Digester, digestOf } from "./digest.ts";
import { DigestedFile } from "./digested-file.ts";
import { isSameContent } from "./same-content.ts";
import { Spool } from "./spool.ts";
import type { ImageStore } from "./store.ts";

export const sessionPurpose = "store";
export const collectorLock = "store-collector";

export interface Expected {
  digest: Digest;
  size: number;
}

export interface SessionOptions {
  /** Also write what is there already with the right size: its content may be damaged. */
  replace?: boolean;
}

export class StoreSession {
  readonly store: ImageStore;
  readonly replaces: boolean;
  readonly #work: WorkDirectory;
  readonly #spools: Spool[] = [];
  #files = 0;

  constructor(store: ImageStore, options: SessionOptions = {}) {
    this.store = store;
    this.replaces = options.replace === true;
    this.#work = makeWorkDirectory(store.root, sessionPurpose);
    makeDirectory(join(this.#work.path, "needs"));
  }

  /** From now until close() the blob will not be removed. True where the store has it. */
  async retain(digest: Digest): Promise<boolean> {
    const file = this.store.blobPath(digest); // also refuses what is no digest
    createExclusive(join(this.#work.path, "needs", splitDigest(digest).join("-")), "");
    const lock = join(this.store.root.locks, collectorLock);
    if (existsSync(lock)) (await acquireLock(lock, "store a blob")).release();
    return existsSync(file);
  }

  /** As retain(); false also where what is there has another size, or has to be replaced. */
  async has({ digest, size }: Expected): Promise<boolean> {
    const known = await this.retain(digest);
    return known && !this.replaces && this.store.blobSize(digest) === size;
  }

  /** A new blob, filled by append() and put in place by commit(). */
  async create(): Promise<BlobFile> {
    const path = join(this.#work.path, `blob-${this.#files++}`);
    try {
      return new BlobFile(this, await open(path, "wx+", 0o644), path);
    } catch (cause) {
      throw ioError(`cannot create ${path}`, cause);
    }
  }

  /** For what is known of many files, until close(). */
  spool(): Spool {
    const made = new Spool(this.#work.path);
    this.#spools.push(made);
    return made;
  }

  async put(mediaType: string, bytes: Uint8Array | string): Promise<Descriptor> {
    const content = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    const descriptor = { mediaType, digest: digestOf(content), size: content.length };
    if ((await this.has(descriptor)) && this.store.holds(descriptor, content)) return descriptor;
    const file = await this.create();
    try {
      await file.append(content);
      return await file.commit(mediaType);
    } finally {
      await file.discard();
    }
  }

  /** Stores what flows; E_IMAGE_CORRUPT where it is not what was expected. Stops reading beyond the expected size. */
  async putStream(
    mediaType: string,
    source: AsyncIterable<Uint8Array>,
    expected?: Expected,
  ): Promise<Descriptor> {
    const file = await this.create();
    try {
      for await (const chunk of source) {
        if (expected !== undefined && file.size + chunk.length > expected.size) {
          throw new TranshipError(
            "E_IMAGE_CORRUPT",
            `blob ${expected.digest} is longer than ${expected.size} bytes`,
          );
        }
        await file.append(chunk);
      }
      return await file.commit(mediaType, expected);
    } finally {
      await file.discard();
    }
  }

  /** Puts a finished file of the state root in place as a blob; the caller has checked that it is what the descriptor says. */
  async adopt(path: string, { digest, size }: Expected): Promise<void> {
    if (!(await this.has({ digest, size }))) await putInPlace(this.store, path, digest);
  }

  /** Removes temporary files and gives up what was retained. Call when the blobs are named, or given up. */
  close(): void {
    for (const one of this.#spools.splice(0)) one.close();
    this.#work.remove();
  }
}

export class BlobFile {
  readonly #session: StoreSession;
  readonly #made: DigestedFile;
  #closed = false;

  constructor(session: StoreSession, file: FileHandle, path: string) {
    this.#session = session;
    this.#made = new DigestedFile(file, path);
  }

  get size(): number {
    return this.#made.size;
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.#made.append(bytes);
  }

  /** Flushes, checks and puts the blob in its place, and closes it. A blob that is there already is left as it is, unless it is damaged. */
  async commit(mediaType: string, expected?: Expected): Promise<Descriptor> {
    const descriptor = { mediaType, digest: await this.#digestLike(expected?.digest), size: this.size };
    try {
      if (expected !== undefined) checkExpected(descriptor, expected);
      if ((await this.#session.has(descriptor)) && (await this.#isStored(descriptor.digest)))
        return descriptor;
      await this.#made.file.sync();
      await putInPlace(this.#session.store, this.#made.path, descriptor.digest);
      return descriptor;
    } catch (cause) {
      throw ioError(`cannot store blob ${descriptor.digest}`, cause);
    } finally {
      await this.discard();
    }
  }

  #isStored(digest: Digest): Promise<boolean> {
    return isSameContent(this.#session.store.blobPath(digest), this.#made.file, this.size);
  }

  /** By the algorithm of `like`; what was not collected on the way is read again. */
  async #digestLike(like: Digest = "sha256:"): Promise<Digest> {
    if (splitDigest(like)[0] === "sha256") return this.#made.digest();
    const digester = new Digester(like);
    const buffer = Buffer.allocUnsafe(1 << 20);
    for (let at = 0; at < this.size; ) {
      const { bytesRead } = await this.#made.file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) break;
      digester.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    return digester.digest();
  }

  /** As discard(); the file does not wait for the session's end. */
  async giveUp(): Promise<void> {
    await this.discard();
    await rm(this.#made.path, { force: true });
  }

  /** Gives the blob up where it was not committed; after a commit it does nothing. */
  async discard(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#made.file.close();
  }
}

/** The content has to be on the disk already. */
async function putInPlace(store: ImageStore, from: string, digest: Digest): Promise<void> {
  const path = store.blobPath(digest);
  makeDirectory(dirname(path), 0o755);
  step(`put the blob ${digest.slice(0, 19)} in place`);
  await rename(from, path);
  syncDirectory(dirname(path));
}

function checkExpected(descriptor: Descriptor, expected: Expected): void {
  if (descriptor.size !== expected.size) {
    throw new TranshipError(
      "E_IMAGE_CORRUPT",
      `blob ${expected.digest}: size is ${descriptor.size}, expected ${expected.size}`,
    );
  }
  if (descriptor.digest !== expected.digest) {
    throw new TranshipError(
      "E_IMAGE_CORRUPT",
      `blob ${expected.digest}: content has the digest ${descriptor.digest}`,
    );
  }
}

/** Runs `work` in a session that is closed whatever happens. */
export async function withSession<T>(
  store: ImageStore,
  work: (session: StoreSession) => Promise<T>,
): Promise<T> {
  const session = new StoreSession(store);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}
