// Entries and their content become a layer: tar -> diffID -> independent zstd frames -> blob. The same items in the same
// order give the same bytes, whoever runs it, wherever, with however many threads.
//
// Content is read a few items ahead, so that the source works while this thread copies and hashes.
import { TranshipError } from "../base/errors.ts";
import { type ProgressTask, silentProgress } from "../base/log.ts";
import { deviceName, harmlessDevices } from "../formats/device.ts";
import type { ByteString, Entry, Extent } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import { type Descriptor, mediaType } from "../formats/oci.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { encodeTarHeader, tarEnd, tarHolds, tarPadding } from "../formats/tar.ts";
import { Compressor } from "./compress.ts";
import { Digester } from "./digest.ts";
import { ExtentCursor } from "./extent-cursor.ts";
import { type ContentDigests, FileDigests } from "./file-digests.ts";
import { type HostFile, openHostFile, openKeptFile, sourceChanged } from "./host-file.ts";
import type { LayerData, LayerItem, LayerNote } from "./layer-item.ts";
import { readAhead } from "./read-ahead.ts";
import type { StoreSession } from "./store-session.ts";

export interface LayerOptions {
  /** Device nodes that may be packed, "c 1:3" or "b 7:0". Default the harmless ones. */
  devices?: ReadonlySet<string>;
  /** Frames compressed at once. The result does not depend on it. */
  concurrency?: number;
  /** Advanced by bytes of content, with the path. */
  progress?: ProgressTask;
  /** Asked between the pieces of a content; what it throws ends the layer, also in the middle of a large file. */
  check?: () => void;
  /** Told of each object when it is written. Only then are the digests of contents made. */
  onPacked?: (packed: PackedItem) => void;
}

/** An object as it went into the layer. */
export interface PackedItem {
  entry: Entry;
  hardlinkTo: ByteString | undefined;
  /** sha256 of the data of a regular file, holes left out; undefined for all else. */
  digest: Digest | undefined;
  /** Of the content with its holes. */
  content: ContentDigests | undefined;
}

export interface BuiltLayer {
  descriptor: Descriptor;
  diffId: Digest;
  /** Bytes of the tar. */
  tarSize: number;
  /** Bytes of file content. */
  contentSize: number;
  entries: number;
  /** What was left out, and why. */
  notes: LayerNote[];
}

const zeros = new Uint8Array(64 * 1024);

/** Writes one layer into the store. E_SOURCE_CHANGED where content is not what its entry says. */
export async function writeLayer(
  items: AsyncIterable<LayerItem> | Iterable<LayerItem>,
  session: StoreSession,
  options: LayerOptions = {},
): Promise<BuiltLayer> {
  const blob = await session.create();
  const tar = new TarWriter(blob, options);
  try {
    for await (const item of readAhead(items, (candidate) => tar.wants(candidate))) await tar.add(item);
    return await tar.finish();
  } catch (error) {
    await tar.abandon();
    throw error;
  } finally {
    await blob.discard();
  }
}

interface Blob {
  append(bytes: Uint8Array): Promise<void>;
  commit(type: string): Promise<Descriptor>;
}

class TarWriter {
  readonly #blob: Blob;
  readonly #options: LayerOptions;
  readonly #progress: ProgressTask;
  readonly #digester = new Digester();
  readonly #compressor: Compressor;
  /** First path by device and inode of what has several names. */
  readonly #links = new Map<string, ByteString>();
  readonly #notes: LayerNote[] = [];
  /** Of the object that is being written. */
  #content: FileDigests | undefined;
  #tarSize = 0;
  #contentSize = 0;
  #entries = 0;

  constructor(blob: Blob, options: LayerOptions) {
    this.#blob = blob;
    this.#options = options;
    this.#progress = options.progress ?? silentProgress.begin("");
    this.#compressor = new Compressor("zstd", (bytes) => blob.append(bytes), {
      ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
      onPiece: (piece) => this.#digester.update(piece),
    });
  }

  /** Whether the item's content will be read: decided once, in order, because the first of several names is the file. */
  wants(item: LayerItem): boolean {
    const { entry } = item;
    if (item.hardlinkTo !== undefined || this.#refusal(entry) !== undefined) return false;
    const first = this.#firstName(entry);
    return (
      item.hostFile === undefined &&
      item.keptFile === undefined &&
      entry.kind === "file" &&
      entry.size > 0 &&
      (first === undefined || first === entry.path)
    );
  }

  async add(item: LayerItem): Promise<void> {
    const refusal = this.#refusal(item.entry);
    if (refusal !== undefined) {
      this.#notes.push({ path: item.entry.path, reason: refusal });
      return;
    }
    const first = this.#firstName(item.entry);
    const hardlinkTo = item.hardlinkTo ?? (first === item.entry.path ? undefined : first);
    const entry = this.#withoutUnfit(item.entry);
    const { bytes, extents } = encodeTarHeader(entry, hardlinkTo);
    this.#entries++;
    await this.#append(bytes);
    const isContent =
      this.#options.onPacked !== undefined && entry.kind === "file" && hardlinkTo === undefined;
    this.#content = isContent ? new FileDigests(extents, entry.size) : undefined;
    const place = item.hostFile ?? item.keptFile;
    if (place !== undefined && extents.length > 0) {
      const open = item.hostFile === undefined ? openKeptFile : openHostFile;
      await this.#writeHostFile(extents, open(place, entry));
    } else if (extents.length > 0) await this.#writeData(entry, extents, item.data);
    const made = this.#content?.finish();
    this.#options.onPacked?.({ entry, hardlinkTo, digest: made?.data, content: made?.content });
    this.#progress.advance(0, entry.path);
  }

  #firstName(entry: Entry): ByteString | undefined {
    if (entry.kind !== "file" || entry.nlink < 2 || entry.ino === 0n) return undefined;
    const key = `${entry.dev}:${entry.ino}`;
    const first = this.#links.get(key);
    if (first === undefined) this.#links.set(key, entry.path);
    return first ?? entry.path;
  }

  #refusal(entry: Entry): string | undefined {
    if (!tarHolds(entry.kind)) return `a ${entry.kind} cannot be packed; its program makes it when it starts`;
    if (entry.path.split("/").some((part) => part.startsWith(".wh."))) {
      return "names that begin with .wh. mean deletion in a layer";
    }
    const device = deviceName(entry);
    if (device === undefined) return undefined;
    const declared = (this.#options.devices ?? harmlessDevices).has(device) && device !== "c 0:0";
    return declared ? undefined : `the device ${device} is not declared`;
  }

  /** Leaves out the xattrs that belong to the machine, not to the file, or that tar cannot name. */
  #withoutUnfit(entry: Entry): Entry {
    if (entry.xattrs.length === 0) return entry;
    const unfit = (name: string) => machineXattr.test(name) || name.includes("=") || name.includes("\0");
    const dropped = entry.xattrs.filter(([name]) => unfit(name));
    if (dropped.length === 0) return entry;
    const names = dropped.map(([name]) => name).join(", ");
    this.#notes.push({ path: entry.path, reason: `left out the extended attributes ${names}` });
    return { ...entry, xattrs: entry.xattrs.filter(([name]) => !unfit(name)) };
  }

  /** Writes the extents of a file; what the source left out inside them is zeros. */
  async #writeData(
    entry: Entry,
    extents: readonly Extent[],
    data: AsyncIterable<LayerData> | undefined,
  ): Promise<void> {
    if (data === undefined)
      throw new TranshipError("E_INTERNAL", `${escapeBytes(entry.path)} has content that was not given`);
    const cursor = new ExtentCursor(extents, (bytes) => {
      this.#content?.update(bytes);
      return this.#append(bytes);
    });
    let end = 0;
    for await (const { offset, bytes } of data) {
      if (offset < end || offset + bytes.length > entry.size) throw sourceChanged(entry);
      end = offset + bytes.length;
      this.#options.check?.();
      await cursor.data(offset, bytes, () => sourceChanged(entry));
      this.#contentSize += bytes.length;
      this.#progress.advance(bytes.length);
    }
    await cursor.finish();
    await this.#append(zeros.subarray(0, tarPadding(cursor.written)));
  }

  /** From the file straight into the compressor's buffer: one copy, made by the kernel. */
  async #writeHostFile(extents: readonly Extent[], file: HostFile): Promise<void> {
    let written = 0;
    try {
      for (const extent of extents) {
        for (let at = 0; at < extent.length; ) {
          this.#options.check?.();
          const room = this.#compressor.room(extent.length - at);
          const count = file.read(room, extent.offset + at);
          this.#content?.update(room.subarray(0, count));
          at += count;
          this.#tarSize += count;
          const wait = this.#compressor.filled(count);
          if (wait !== undefined) await wait;
        }
        written += extent.length;
      }
      file.check();
    } finally {
      file.close();
    }
    this.#contentSize += written;
    this.#progress.advance(written);
    await this.#append(zeros.subarray(0, tarPadding(written)));
  }

  #append(bytes: Uint8Array): Promise<void> | undefined {
    this.#tarSize += bytes.length;
    return this.#compressor.append(bytes);
  }

  async finish(): Promise<BuiltLayer> {
    await this.#append(tarEnd);
    await this.#compressor.finish();
    const descriptor = await this.#blob.commit(mediaType.layerZstd);
    return {
      descriptor,
      diffId: this.#digester.digest(),
      tarSize: this.#tarSize,
      contentSize: this.#contentSize,
      entries: this.#entries,
      notes: this.#notes,
    };
  }

  abandon(): Promise<void> {
    return this.#compressor.abandon();
  }
}

/** Set by the machine's own overlay, its security module or its integrity checks; not part of the file. */
export const machineXattr = /^(?:trusted\.overlay\.|user\.overlay\.|security\.(?:selinux|ima|evm)$)/;
