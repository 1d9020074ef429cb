// One blob from a registry into the store. What came so far lies in ROOT/fetched/registry/, so that a broken connection, Ctrl-C and even
// kill -9 cost only what had not come yet. Size and digest are checked while it flows: nothing else becomes a blob.
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import type { ProgressTask } from "../../base/log.ts";
import type { Descriptor } from "../../formats/oci.ts";
import { splitDigest } from "../../formats/oci-reference.ts";
import { ioError } from "../../host/files.ts";
import { acquireLock, type Lock } from "../../host/lock.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import type { ArrivingBlob } from "../arriving-blob.ts";
import { Digester } from "../digest.ts";
import { giveBack } from "../give-back.ts";
import type { StoreSession } from "../store-session.ts";
import type { RegistryClient } from "./registry-client.ts";
import { connectionError, interrupted, isTransient } from "./registry-errors.ts";

/** Bytes written at once. */
const piece = 1 << 20;
/** A part that nobody went on with for this long is removed: milliseconds. */
const keptFor = 7 * 24 * 3600 * 1000;

/** Stores the blob where it is not there yet; false where it was. `arriving` is told what can be read of it. */
export async function downloadBlob(
  client: RegistryClient,
  session: StoreSession,
  descriptor: Descriptor,
  task: ProgressTask,
  arriving?: ArrivingBlob,
): Promise<boolean> {
  if (await session.has(descriptor)) {
    task.advance(descriptor.size);
    return false;
  }
  const part = await openPart(session.store.root, descriptor);
  try {
    await new Download(client, part, descriptor, task, arriving).run();
    arriving?.end();
    await session.adopt(part.path, descriptor);
    rmSync(part.path, { force: true }); // where another command had put the blob in place before
    return true;
  } catch (error) {
    if (isTranshipError(error, "E_NO_SPACE")) rmSync(part.path, { force: true });
    throw error;
  } finally {
    await part.close();
  }
}

interface Part {
  path: string;
  file: FileHandle;
  close(): Promise<void>;
}

/** The part that an earlier command left, or a new one; a private one while another command is at the same blob. */
async function openPart(root: StateRoot, { digest }: Descriptor): Promise<Part> {
  const directory = join(root.fetched, "registry");
  const name = splitDigest(digest).join("-");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  let lock: Lock | undefined;
  try {
    lock = await acquireLock(join(root.locks, `pull-${name}`), `fetch ${digest}`, 0);
  } catch (error) {
    if (!isTranshipError(error, "E_STATE_BUSY")) throw error;
  }
  const path = join(directory, lock === undefined ? `${name}.${process.pid}` : name);
  try {
    step(`open the part of ${digest.slice(0, 19)}`);
    const file = await open(path, lock === undefined ? "w+" : "a+", 0o644);
    const close = async (): Promise<void> => {
      await file.close();
      if (lock === undefined) rmSync(path, { force: true });
      lock?.release();
    };
    return { path, file, close };
  } catch (cause) {
    lock?.release();
    throw ioError(`cannot write ${path}`, cause);
  }
}

/** Removes parts that nobody will go on with. */
export function removeOldParts(root: StateRoot): void {
  const directory = join(root.fetched, "registry");
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return; // there is none
  }
  for (const name of names) {
    const path = join(directory, name);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    const pid = /\.(\d+)$/.exec(name)?.[1];
    const orphan = pid !== undefined && statSync(`/proc/${pid}`, { throwIfNoEntry: false }) === undefined;
    if (orphan || age > keptFor) rmSync(path, { force: true });
  }
}

class Download {
  readonly #client: RegistryClient;
  readonly #part: Part;
  readonly #descriptor: Descriptor;
  readonly #task: ProgressTask;
  readonly #arriving: ArrivingBlob | undefined;
  #digester: Digester;
  /** Bytes in the part, all of which the digester has seen. */
  #size = 0;
  #pending: Uint8Array[] = [];
  #pendingSize = 0;

  constructor(
    client: RegistryClient,
    part: Part,
    descriptor: Descriptor,
    task: ProgressTask,
    arriving: ArrivingBlob | undefined,
  ) {
    this.#arriving = arriving;
    this.#client = client;
    this.#part = part;
    this.#descriptor = descriptor;
    this.#task = task;
    this.#digester = new Digester(descriptor.digest);
  }

  async run(): Promise<void> {
    this.#arriving?.begin(this.#part.path);
    await this.#readPart();
    const old = this.#size > 0;
    await this.#fetchRest();
    if (this.#digester.digest() === this.#descriptor.digest) return await this.#sync();
    await this.#restart();
    if (!old) throw this.#wrong("content has another digest");
    // What an earlier command had left may have been damaged.
    await this.#fetchRest();
    if (this.#digester.digest() === this.#descriptor.digest) return await this.#sync();
    await this.#restart();
    throw this.#wrong("content has another digest");
  }

  async #readPart(): Promise<void> {
    const buffer = Buffer.allocUnsafe(piece);
    for (;;) {
      const { bytesRead } = await this.#part.file.read(buffer, 0, piece, this.#size);
      if (bytesRead === 0) break;
      this.#digester.update(buffer.subarray(0, bytesRead));
      this.#size += bytesRead;
      if (this.#size > this.#descriptor.size) return await this.#restart();
      this.#arriving?.advance(bytesRead);
    }
    this.#task.advance(this.#size);
  }

  async #restart(): Promise<void> {
    this.#task.advance(-this.#size);
    this.#digester = new Digester(this.#descriptor.digest);
    this.#pending = [];
    this.#pendingSize = 0;
    this.#size = 0;
    this.#arriving?.begin(this.#part.path);
    await this.#part.file.truncate(0);
  }

  /** Until the size is reached; a try that brought something does not count against the next. */
  async #fetchRest(): Promise<void> {
    const { http } = this.#client;
    const tries = http.settings.retries ?? 5;
    for (let attempt = 0; this.#size < this.#descriptor.size; attempt++) {
      const before = this.#size;
      try {
        await this.#fetchOnce();
      } catch (cause) {
        await this.#flush();
        if (http.settings.signal?.aborted === true) throw interrupted(cause);
        if (!isTransient(cause)) throw cause;
        if (this.#size - before >= piece) attempt = -1;
        if (attempt >= tries) throw connectionError(http.base, cause);
        http.settings.log?.debug(`${this.#descriptor.digest} broke off at ${this.#size} bytes; going on`);
        await http.pause(Math.max(0, attempt));
      }
    }
  }

  async #fetchOnce(): Promise<void> {
    const { body, from, answer } = await this.#client.blob(this.#descriptor.digest, this.#size);
    if (from !== this.#size) await this.#restart();
    const promised = Number(answer.headers["content-length"] ?? Number.NaN);
    if (!Number.isNaN(promised) && this.#size + promised !== this.#descriptor.size) {
      body.on("error", () => {});
      body.destroy();
      throw this.#wrong(`the registry has ${this.#size + promised} bytes`);
    }
    await this.#take(body);
    await this.#flush();
    if (this.#size < this.#descriptor.size)
      throw Object.assign(new Error("the body ended early"), { code: "UND_ERR_BODY" });
  }

  async #take(body: Readable): Promise<void> {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      if (this.#size + this.#pendingSize + chunk.length > this.#descriptor.size)
        throw this.#wrong("the registry sends more");
      this.#pending.push(chunk);
      this.#pendingSize += chunk.length;
      if (this.#pendingSize >= piece) await this.#flush();
    }
  }

  async #flush(): Promise<void> {
    const pending = this.#pending;
    const count = this.#pendingSize;
    this.#pending = [];
    this.#pendingSize = 0;
    if (count === 0) return;
    try {
      step("write a piece of a blob");
      await writeAll(this.#part.file, pending);
    } catch (cause) {
      throw ioError(`cannot write ${this.#part.path}`, cause);
    }
    for (const bytes of pending) {
      this.#digester.update(bytes);
      // What the connection gave, each in a buffer of its own: left to the collector, it leaves a hole of tens of megabytes in the heap.
      if (bytes.length === bytes.buffer.byteLength) giveBack(bytes, 4096);
    }
    this.#size += count;
    this.#task.advance(count);
    this.#arriving?.advance(count);
  }

  async #sync(): Promise<void> {
    try {
      await this.#part.file.sync();
    } catch (cause) {
      throw ioError(`cannot write ${this.#part.path}`, cause);
    }
  }

  #wrong(what: string): TranshipError {
    const { digest, size } = this.#descriptor;
    return new TranshipError(
      "E_IMAGE_CORRUPT",
      `blob ${digest} of ${size} bytes from ${this.#client.http.base.host}: ${what}`,
      { hint: "what came is not what was asked for, and was not kept" },
    );
  }
}

/** Behind what the file has. */
async function writeAll(file: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  for (let left = [...pieces]; left.length > 0; ) {
    let { bytesWritten } = await file.writev(left);
    while (left[0] !== undefined && bytesWritten >= left[0].length) bytesWritten -= left.shift()?.length ?? 0;
    if (left[0] !== undefined) left = [left[0].subarray(bytesWritten), ...left.slice(1)];
  }
}
