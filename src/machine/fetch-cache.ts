// Content of a far machine, kept in the state root: ROOT/fetched/MACHINE/xx/KEY, where the key is made of path, device, inode, size and
// times. What a broken-off capture had read is not read again, nor is what did not change since an earlier one. A file that is under way
// is KEY.part; its size tells how far it came. Nothing else depends on the cache: it may be removed at any time.
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { encodeText, escapeBytes } from "../formats/escape.ts";
import { errnoOf, ioError, makeDirectory } from "../host/files.ts";
import { acquireLock } from "../host/lock.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { errnoName, isAbsent } from "./errno.ts";
import type { Fetched, FetchedContent, FetchOptions } from "./machine.ts";
import { type Reconnecting, restOf, sameFile } from "./resuming-files.ts";
import type { BulkFiles } from "./tree-files.ts";

/** What was not used for this long is removed: milliseconds. */
const keptFor = 14 * 24 * 3600 * 1000;
/** A part shorter than this is not worth going on with. */
const shortPart = 256 << 10;
const piece = 4 << 20;

export class FetchCache implements FetchedContent {
  readonly #directory: string;
  readonly #lock: string;
  readonly #source: Reconnecting<BulkFiles>;
  readonly #address: string;

  constructor(root: StateRoot, address: string, source: Reconnecting<BulkFiles>, log: Log) {
    const name = createHash("sha256").update(address).digest("hex").slice(0, 24);
    this.#directory = join(root.fetched, name);
    this.#lock = join(root.locks, `fetch-${name}`);
    this.#source = source;
    this.#address = address;
    removeOld(this.#directory, log);
  }

  async fetch(entries: readonly Entry[], options: FetchOptions = {}): Promise<Fetched> {
    const fetched: Fetched = { moved: 0, kept: 0, changed: [], unreadable: [] };
    const lock = await acquireLock(this.#lock, `read ${this.#address}`);
    try {
      let wanted = entries.filter((entry) => entry.kind === "file" && entry.size > 0);
      wanted = wanted.filter((entry) => !this.#isHere(entry, fetched, options));
      while (wanted.length > 0) {
        const files = await this.#source.current();
        const round = new Round(files, wanted, (entry) => this.#path(entry), fetched, options);
        try {
          await round.run();
        } catch (error) {
          if (!this.#source.isLost(error)) throw error;
        }
        if (round.done > 0) this.#source.works();
        wanted = round.left();
      }
      return fetched;
    } finally {
      lock.release();
    }
  }

  async *open(entry: Entry): AsyncGenerator<{ offset: number; bytes: Uint8Array }, void, void> {
    if (entry.size === 0) return;
    const path = this.#path(entry);
    const fd = openContent(path, entry);
    try {
      for (const { offset, length } of restOf(entry, 0)) {
        for (let at = offset; at < offset + length; ) {
          const bytes = Buffer.allocUnsafe(Math.min(1 << 20, offset + length - at));
          const count = fs.readSync(fd, bytes, 0, bytes.length, at);
          if (count === 0)
            throw new TranshipError("E_IO", `${path} is shorter than ${escapeBytes(entry.path)}`);
          yield { offset: at, bytes: bytes.subarray(0, count) };
          at += count;
        }
      }
    } finally {
      fs.closeSync(fd);
    }
  }

  placeOf(entry: Entry): ByteString {
    return encodeText(this.#path(entry));
  }

  #isHere(entry: Entry, fetched: Fetched, options: FetchOptions): boolean {
    const path = this.#path(entry);
    if (fs.statSync(path, { throwIfNoEntry: false })?.size !== entry.size) return false;
    const now = new Date();
    fs.utimesSync(path, now, now);
    fetched.kept += entry.size;
    options.onProgress?.(entry.size, entry.path);
    return true;
  }

  #path(entry: Entry): string {
    const { path, dev, ino, size, mtime, ctime } = entry;
    const hash = createHash("sha256").update(`${[dev, ino, size, mtime, ctime].join(":")}\0`);
    const key = hash.update(Buffer.from(path, "latin1")).digest("hex").slice(0, 40);
    return join(this.#directory, key.slice(0, 2), key.slice(2));
  }
}

/** All that is wanted, over one connection. */
class Round {
  readonly #files: BulkFiles;
  readonly #wanted: readonly Entry[];
  readonly #path: (entry: Entry) => string;
  readonly #fetched: Fetched;
  readonly #options: FetchOptions;
  readonly #finished = new Set<Entry>();
  #fd = -1;
  #expected = true;

  constructor(
    files: BulkFiles,
    wanted: readonly Entry[],
    path: (entry: Entry) => string,
    fetched: Fetched,
    options: FetchOptions,
  ) {
    this.#files = files;
    this.#wanted = wanted;
    this.#path = path;
    this.#fetched = fetched;
    this.#options = options;
  }

  get done(): number {
    return this.#finished.size;
  }

  left(): Entry[] {
    return this.#wanted.filter((entry) => !this.#finished.has(entry));
  }

  async run(): Promise<void> {
    try {
      for (const entry of this.#wanted) if (partSize(this.#path(entry)) >= shortPart) await this.#goOn(entry);
      const rest = this.left();
      await this.#files.streamAll(
        rest.map((entry) => entry.path),
        {
          begin: (index, now) => this.#begin(at(rest, index), now),
          data: (index, offset, bytes) => this.#data(at(rest, index), offset, bytes),
          end: (index, changed) => this.#end(at(rest, index), changed),
          failed: (index, errno) => this.#failed(at(rest, index), errno),
        },
      );
    } finally {
      this.#close();
    }
  }

  /** Behind what a broken connection left of the file, where the file is still the same. */
  async #goOn(entry: Entry): Promise<void> {
    const path = this.#path(entry);
    const from = partSize(path);
    this.#fetched.kept += from;
    this.#options.onProgress?.(from, entry.path);
    this.#fd = fs.openSync(`${path}.part`, "r+", 0o600);
    for (const { offset, length } of restOf(entry, from)) {
      for (let position = offset; position < offset + length; ) {
        this.#refuseInterrupted();
        const bytes = await this.#files.readRange(
          entry.path,
          position,
          Math.min(piece, offset + length - position),
        );
        if (bytes === undefined || bytes.length === 0) {
          this.#end(entry, true);
          return;
        }
        this.#data(entry, position, bytes);
        position += bytes.length;
      }
    }
    this.#end(entry, !sameFile(await this.#files.stat(entry.path), entry));
  }

  #begin(entry: Entry, now: Entry): void {
    this.#refuseInterrupted();
    this.#expected = sameFile(now, entry);
    if (!this.#expected) return;
    const path = this.#path(entry);
    step("fetch a file");
    try {
      fs.mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
      this.#fd = fs.openSync(`${path}.part`, "w", 0o600);
    } catch (cause) {
      throw ioError(`cannot write ${path}.part`, cause);
    }
  }

  #data(entry: Entry, offset: number, bytes: Uint8Array): void {
    if (this.#fd < 0) return;
    if (offset + bytes.length > entry.size) {
      throw new TranshipError("E_PROTOCOL", `${escapeBytes(entry.path)} has more bytes than it said`);
    }
    try {
      for (let done = 0; done < bytes.length; )
        done += fs.writeSync(this.#fd, bytes, done, bytes.length - done, offset + done);
    } catch (cause) {
      throw ioError(`cannot keep ${escapeBytes(entry.path)}`, cause);
    }
    this.#fetched.moved += bytes.length;
    this.#options.onProgress?.(bytes.length, entry.path);
  }

  #end(entry: Entry, changed: boolean): void {
    const path = this.#path(entry);
    if (this.#fd >= 0 && !changed && this.#expected) {
      fs.ftruncateSync(this.#fd, entry.size);
      this.#close();
      fs.renameSync(`${path}.part`, path);
    } else {
      this.#close();
      fs.rmSync(`${path}.part`, { force: true });
      this.#fetched.changed.push(entry.path);
    }
    this.#expected = true;
    this.#finished.add(entry);
  }

  #failed(entry: Entry, errno: number): void {
    this.#close();
    fs.rmSync(`${this.#path(entry)}.part`, { force: true });
    if (isAbsent(errno)) this.#fetched.changed.push(entry.path);
    else this.#fetched.unreadable.push({ path: entry.path, error: errnoName(errno) });
    this.#finished.add(entry);
  }

  #refuseInterrupted(): void {
    if (this.#options.signal?.aborted === true)
      throw new TranshipError("E_INTERRUPTED", "reading the machine was stopped");
  }

  #close(): void {
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
  }
}

function at(entries: readonly Entry[], index: number): Entry {
  const entry = entries[index];
  if (entry === undefined) throw new TranshipError("E_INTERNAL", `no file ${index} was asked for`);
  return entry;
}

function partSize(path: string): number {
  return fs.statSync(`${path}.part`, { throwIfNoEntry: false })?.size ?? 0;
}

function openContent(path: string, entry: Entry): number {
  try {
    return fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  } catch (cause) {
    throw new TranshipError(
      "E_IO",
      `the content of ${escapeBytes(entry.path)} was not fetched: ${errnoOf(cause) ?? ""}`,
      { cause },
    );
  }
}

function removeOld(directory: string, log: Log): void {
  makeDirectory(directory);
  const oldest = Date.now() - keptFor;
  for (const shelf of fs.readdirSync(directory)) {
    for (const name of fs.readdirSync(join(directory, shelf))) {
      const path = join(directory, shelf, name);
      const stats = fs.lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined || stats.mtimeMs >= oldest) continue;
      log.debug(`removed what was not used for long: ${path}`);
      fs.rmSync(path, { force: true });
    }
  }
}
