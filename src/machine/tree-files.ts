// The files of a machine, told by `tree serve`.
import { TranshipError } from "../base/errors.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import type { Frame } from "../formats/frames.ts";
import * as records from "../formats/tree-records.ts";
import { type BulkSink, streamAll } from "./bulk.ts";
import { errnoName, ioError, isAbsent } from "./errno.ts";
import type { FileStream, MachineFiles, Resolution, Unreadable, WalkOptions } from "./machine.ts";
import { errorOfFrame, type Stream, TreeClient } from "./tree-client.ts";
import { hostTree, type TreePlace, type TreeProcessOptions } from "./tree-process.ts";

const { treeFrame, treeRequest } = records;
const defaultMaxBytes = 64 << 20;
/** Of all entries of one answer: some hundred thousand names. */
const maxListing = 256 << 20;

/** Files of which many can be streamed at once. */
export interface BulkFiles extends MachineFiles {
  streamAll(paths: readonly ByteString[], sink: BulkSink): Promise<void>;
}

export class TreeFiles implements BulkFiles {
  readonly #client: TreeClient;

  /** A directory of this host, or a place that starts its servers elsewhere. */
  constructor(root: string | TreePlace, options: TreeProcessOptions = {}) {
    this.#client = new TreeClient(typeof root === "string" ? hostTree(root, options) : root);
  }

  async stat(path: ByteString, options: { follow?: boolean } = {}): Promise<Entry | undefined> {
    const payload = records.encodeStat(path, options.follow === true);
    const { frames, errno } = await this.#client.ask(treeRequest.stat, payload, maxListing, true);
    if (errno !== 0) return absent(errno, path);
    return frames.map(entryOf)[0];
  }

  async list(path: ByteString): Promise<Entry[] | undefined> {
    const { frames, errno } = await this.#client.ask(treeRequest.list, records.encodePath(path), maxListing);
    if (errno !== 0) return absent(errno, path);
    const prefix = `${path.replace(/\/+$/, "")}/`;
    return frames.map((frame) => {
      const entry = entryOf(frame);
      entry.path = prefix + entry.path;
      return entry;
    });
  }

  async *walk(path: ByteString, options: WalkOptions = {}): AsyncGenerator<Entry | Unreadable, void, void> {
    const payload = records.encodeWalk(path, options.oneFileSystem === true, options.exclude ?? []);
    const { queue, stop } = this.#client.stream(treeRequest.walk, payload, false);
    try {
      for (let frames = await queue.take(); frames !== undefined; frames = await queue.take()) {
        for (const frame of frames) {
          if (frame.type === treeFrame.error) yield unreadableOf(frame);
          else if (frame.type !== treeFrame.end) yield entryOf(frame);
        }
      }
    } finally {
      await stop();
    }
  }

  async resolve(path: ByteString): Promise<Resolution> {
    const { frames, errno } = await this.#client.ask(
      treeRequest.resolve,
      records.encodePath(path),
      maxListing,
    );
    const links = frames.map(entryOf);
    if (errno === 0) return { links, entry: links.pop() };
    absent(errno, path);
    return { links, entry: undefined };
  }

  async read(path: ByteString, options: { maxBytes?: number } = {}): Promise<Uint8Array | undefined> {
    const maxBytes = options.maxBytes ?? defaultMaxBytes;
    const bytes = await this.readRange(path, 0, maxBytes + 1);
    if (bytes !== undefined && bytes.length > maxBytes) {
      throw new TranshipError("E_LIMIT", `${escapeBytes(path)} has more than ${maxBytes} bytes`, {
        details: { path, maxBytes },
      });
    }
    return bytes;
  }

  async readRange(path: ByteString, offset: number, length: number): Promise<Uint8Array | undefined> {
    const payload = records.encodeRead(path, offset, length);
    const { frames, errno } = await this.#client.ask(treeRequest.read, payload, Number.POSITIVE_INFINITY);
    if (errno !== 0) return absent(errno, path);
    const parts = frames.map((frame) => records.decodeData(frame.payload).bytes);
    // A copy: a view would keep the whole chunk that the answer came in.
    return Buffer.concat(parts);
  }

  stream(path: ByteString): Promise<FileStream | undefined> {
    return this.#stream(treeRequest.stream, path);
  }

  opened(path: ByteString): Promise<FileStream | undefined> {
    return this.#stream(treeRequest.opened, path);
  }

  async #stream(type: number, path: ByteString): Promise<FileStream | undefined> {
    const stream = this.#client.stream(type, records.encodePath(path), true);
    const frames = (await stream.queue.take()) ?? [];
    const first = frames.shift();
    if (first === undefined) throw new TranshipError("E_PROTOCOL", `no answer for ${escapeBytes(path)}`);
    if (first.type === treeFrame.error) {
      const { errno } = records.decodeError(first.payload);
      if (type === treeRequest.opened && errnoName(errno) === "EINVAL") return undefined;
      return absent(errno, path);
    }
    const data = new StreamData(stream, frames);
    return { entry: entryOf(first), data, changed: () => data.changed };
  }

  streamAll(paths: readonly ByteString[], sink: BulkSink): Promise<void> {
    return streamAll(this.#client, paths, sink);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** Pids of the servers: for tests. */
  pids(): number[] {
    return this.#client.pids();
  }
}

class StreamData implements AsyncIterableIterator<records.TreeData> {
  readonly #stream: Stream;
  #frames: Frame[];
  #next = 0;
  changed = false;

  constructor(stream: Stream, frames: Frame[]) {
    this.#stream = stream;
    this.#frames = frames;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<records.TreeData, undefined>> {
    let frame = this.#frames[this.#next];
    while (frame === undefined) {
      const frames = await this.#stream.queue.take();
      if (frames === undefined) return { done: true, value: undefined };
      this.#frames = frames;
      this.#next = 0;
      frame = frames[0];
    }
    this.#next++;
    if (frame.type === treeFrame.data) return { done: false, value: records.decodeData(frame.payload) };
    if (frame.type === treeFrame.error) throw errorOfFrame(frame);
    this.changed = records.decodeEnd(frame.payload);
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<records.TreeData, undefined>> {
    await this.#stream.stop();
    this.#frames = [];
    return { done: true, value: undefined };
  }
}

function entryOf(frame: Frame): Entry {
  if (frame.type !== treeFrame.entry) {
    throw new TranshipError("E_PROTOCOL", `tree sent a frame of type ${frame.type}, an entry was expected`);
  }
  return records.decodeEntry(frame.payload);
}

function unreadableOf(frame: Frame): Unreadable {
  const { errno, path } = records.decodeError(frame.payload);
  return { path, error: errnoName(errno) };
}

/** undefined where the path names nothing; else it throws. */
function absent(errno: number, path: ByteString): undefined {
  if (!isAbsent(errno)) throw ioError(errno, path);
  return undefined;
}
