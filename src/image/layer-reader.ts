// A layer of any make as a stream of objects: blob -> (zstd, gzip, plain) -> tar -> items with checked names. Memory is
// constant; bytes, entries and the ratio of packed to unpacked are bounded; digest and diffID are checked at the end,
// so nothing that was read counts before the iteration has ended.
import { open } from "node:fs/promises";
import { isTranshipError, TranshipError } from "../base/errors.ts";
import { harmlessDevices, isLeftOut } from "../formats/device.ts";
import type { ByteString, Entry, EntryKind } from "../formats/entry.ts";
import { type Descriptor, layerCompression } from "../formats/oci.ts";
import type { Digest } from "../formats/oci-reference.ts";
import type { TarEntry } from "../formats/tar-entry.ts";
import { endEvent, TarData, type TarSink } from "../formats/tar-event.ts";
import { TarReader } from "../formats/tar-reader.ts";
import type { ArrivingBlob } from "./arriving-blob.ts";
import { Digester } from "./digest.ts";
import { giveBack } from "./give-back.ts";
import { allowedRatio, UnpackBound, unpackBounded } from "./layer-bound.ts";
import type { LayerData } from "./layer-item.ts";
import { hostile, layerName, layerPath } from "./layer-path.ts";
import { machineXattr } from "./layer-writer.ts";
import type { StoredLayer } from "./store.ts";
import type { BlobStore } from "./store-blobs.ts";

export interface LayerLimits {
  /** Bytes of the tar. Default 256 GiB. */
  maxBytes: number;
  /** Default 10 million. */
  maxEntries: number;
  /** Of the tar to the whole blob, beyond the first GiB. Default 1000, or what the environment says. */
  maxRatio: number;
  /** Device nodes that may be in the layer: "c 1:3". Default the harmless ones. */
  devices: ReadonlySet<string>;
  /** Others are left out, and told here; without it they are refused, but for those below /dev, which are left out. */
  leftOut?: (path: ByteString, device: string) => void;
  /** Told of those below /dev instead. */
  leftOutOfDev?: (path: ByteString, device: string) => void;
}

export const defaultLimits: LayerLimits = {
  maxBytes: 256 * 2 ** 30,
  maxEntries: 10_000_000,
  get maxRatio() {
    return allowedRatio();
  },
  devices: harmlessDevices,
};

const readSize = 1 << 20;
/** Of the tar, whose objects are given together: small enough that what is made of them does not pile up. */
const batchSize = 256 << 10;

export type LayerEvent =
  | { type: "entry"; entry: Entry; hardlinkTo: ByteString | undefined }
  /** Content of the last entry, in ascending order. */
  | ({ type: "data" } & LayerData)
  /** After the content of a regular file, also of an empty one. */
  | { type: "end" }
  | { type: "whiteout"; path: ByteString }
  | { type: "opaque"; path: ByteString };

export interface LayerSource {
  store: BlobStore;
  layer: StoredLayer;
  /** Its blob, where the store does not have it yet. */
  arriving?: ArrivingBlob | undefined;
}

/**
 * The objects of a layer in the order of the archive, many at once: what a piece of it holds. They are valid until the next are asked for.
 * The last step throws where digest or diffID are wrong.
 */
export async function* readLayer(
  source: LayerSource,
  options: Partial<LayerLimits> = {},
): AsyncGenerator<LayerEvent[], void, void> {
  const limits = { ...defaultLimits, ...options };
  const { layer } = source;
  const bound = boundOf(layer.descriptor, limits);
  try {
    yield* readTarObjects(readLayerTar(source, limits), limits, bound);
  } catch (error) {
    throw withLayer(error, layer.descriptor);
  }
}

/** The objects of any tar, held to the same rules. `bound`: what its entries may announce together. */
export async function* readTarObjects(
  chunks: AsyncIterable<Uint8Array>,
  options: Partial<LayerLimits> = {},
  bound?: UnpackBound,
): AsyncGenerator<LayerEvent[], void, void> {
  const tar = new TarReader();
  const translator = new Translator({ ...defaultLimits, ...options }, bound);
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += batchSize) {
      tar.push(chunk.subarray(at, at + batchSize), translator);
      const events = translator.take();
      if (events.length > 0) yield events;
    }
  }
  tar.finish();
}

function boundOf({ digest, size }: Descriptor, limits: LayerLimits): UnpackBound {
  return new UnpackBound(`layer ${digest}`, size, limits);
}

/** Says which layer it was. */
function withLayer(error: unknown, { digest }: Descriptor): unknown {
  if (!isTranshipError(error) || error.message.includes(digest)) return error;
  const { code, details, hint, cause } = error;
  return new TranshipError(code, `layer ${digest}: ${error.message}`, {
    details,
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The tar of a layer, uncompressed; the last step throws where digest or diffID are wrong. */
export async function* readLayerTar(
  { store, layer, arriving }: LayerSource,
  limits: LayerLimits = defaultLimits,
): AsyncGenerator<Uint8Array, void, void> {
  const { descriptor, diffId } = layer;
  const compression = layerCompression(descriptor.mediaType);
  if (compression === undefined) {
    throw new TranshipError(
      "E_IMAGE_UNSUPPORTED",
      `layer ${descriptor.digest} has the media type ${descriptor.mediaType}`,
    );
  }
  // What is being fetched is hashed by whoever fetches it.
  const packed = arriving === undefined ? new Digester(descriptor.digest) : undefined;
  const unpacked = new Digester(diffId);
  const blob = {
    compression,
    size: descriptor.size,
    read: () => (arriving?.isChecked === false ? arriving.read() : readBlobFile(store, descriptor)),
    checked: async () => await arriving?.checked(),
  };
  const bound = boundOf(descriptor, limits);
  for await (const chunk of unpackBounded(blob, bound, (bytes) => packed?.update(bytes))) {
    unpacked.update(chunk);
    yield chunk;
  }
  await arriving?.checked();
  if (packed !== undefined) check(`layer ${descriptor.digest}: content`, packed.digest(), descriptor.digest);
  check(`layer ${descriptor.digest}: diffID`, unpacked.digest(), diffId);
}

/** Reads a blob of the store in large pieces, each valid until the next is asked for; E_IMAGE_CORRUPT where it is missing or has another size. */
export async function* readBlobFile(
  store: BlobStore,
  descriptor: Descriptor,
): AsyncGenerator<Uint8Array, void, void> {
  const seen = store.blobSize(descriptor.digest);
  if (seen !== descriptor.size) {
    const what = seen === undefined ? "is missing" : `has ${seen} bytes, expected ${descriptor.size}`;
    throw new TranshipError("E_IMAGE_CORRUPT", `blob ${descriptor.digest} ${what}`, {
      hint: "see all damage with `tranship verify`",
    });
  }
  const file = await open(store.blobPath(descriptor.digest));
  const buffer = Buffer.allocUnsafeSlow(Math.min(readSize, Math.max(1, seen)));
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) break;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    giveBack(buffer);
    await file.close();
  }
}

function check(what: string, found: Digest, expected: Digest): void {
  if (found !== expected)
    throw new TranshipError("E_IMAGE_CORRUPT", `${what} is ${found}, expected ${expected}`);
}

/** Names of devices that are left out, which are kept in memory for links to them. */
const maxLeftOut = 8 << 20;

/** Tar entries into objects of a layer. */
class Translator implements TarSink {
  readonly #limits: LayerLimits;
  #events: LayerEvent[] = [];
  readonly #bound: UnpackBound | undefined;
  #entries = 0;
  /** Bytes of content that the entries so far say they have. */
  #announced = 0;
  /** Other names of them go too. */
  readonly #leftOut = new Set<ByteString>();
  #leftOutBytes = 0;
  /** The current entry is a regular file: its content counts. */
  #regular = false;

  constructor(limits: LayerLimits, bound: UnpackBound | undefined) {
    this.#limits = limits;
    this.#bound = bound;
  }

  /** The objects since it was asked last. */
  take(): LayerEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  data(offset: number, chunk: Uint8Array, from: number, to: number): void {
    if (this.#regular) this.#events.push(new TarData(offset, chunk, from, to));
  }

  end(): void {
    if (this.#regular) this.#events.push(endEvent);
  }

  entry(tar: TarEntry): void {
    if (++this.#entries > this.#limits.maxEntries) {
      throw new TranshipError("E_LIMIT", `a layer has more than ${this.#limits.maxEntries} entries`);
    }
    this.#announced += contentOf(tar);
    this.#bound?.check(this.#announced);
    const name = layerName(tar.name);
    this.#regular = name.type === "object" && tar.kind === "file";
    if (name.type === "whiteout" || name.type === "opaque") this.#events.push(name);
    if (name.type === "object" && tar.kind !== "unknown" && !this.#leavesOut(tar, name.path))
      this.#events.push(this.#object(tar, name.path));
  }

  #object(tar: TarEntry, path: ByteString): LayerEvent {
    const link = tar.kind === "hardlink";
    if (path === "/" && tar.kind !== "directory") throw hostile(tar.name, `makes the root a ${tar.kind}`);
    const kind: EntryKind = tar.kind === "hardlink" || tar.kind === "unknown" ? "file" : tar.kind;
    this.#refuseDevice(tar);
    if (tar.uid < 0 || tar.gid < 0 || tar.uid > 0xfffffffe || tar.gid > 0xfffffffe)
      throw hostile(tar.name, "has an impossible owner");
    if (
      kind === "symlink" &&
      (tar.linkName === "" || tar.linkName.length > 4095 || tar.linkName.includes("\0"))
    ) {
      throw hostile(tar.name, "is a symbolic link without a usable target");
    }
    const hardlinkTo = link ? layerPath(tar.linkName) : undefined;
    if (hardlinkTo === path || hardlinkTo === "/")
      throw hostile(tar.name, "is a hard link to itself or to the root");
    return { type: "entry", entry: { ...blank, ...attributes(tar), path, kind }, hardlinkTo };
  }

  #leavesOut(tar: TarEntry, path: ByteString): boolean {
    const { leftOut, leftOutOfDev } = this.#limits;
    if (tar.kind === "hardlink") return this.#leftOut.has(layerPath(tar.linkName));
    const device = this.#undeclared(tar);
    if (device === undefined) return false;
    const below = isLeftOut(path, device);
    if (!below && leftOut === undefined) return false;
    const tell = below ? (leftOutOfDev ?? leftOut) : leftOut;
    tell?.(path, device);
    this.#leftOutBytes += path.length;
    if (this.#leftOutBytes > maxLeftOut) {
      throw new TranshipError(
        "E_LIMIT",
        `a layer has devices that take more than ${maxLeftOut} bytes to name`,
        {
          hint: "no machine has so many: build the image without them",
        },
      );
    }
    this.#leftOut.add(path);
    return true;
  }

  #refuseDevice(tar: TarEntry): void {
    const device = this.#undeclared(tar);
    if (device !== undefined)
      throw hostile(tar.name, `is the device ${device}, which the package does not declare`);
  }

  /** "c 5:2", where it may not be there. 0:0 is how overlayfs writes a deletion: it would hide what lower layers have. */
  #undeclared({ kind, devMajor, devMinor }: TarEntry): string | undefined {
    if (kind !== "character" && kind !== "block") return undefined;
    const name = `${kind === "character" ? "c" : "b"} ${devMajor}:${devMinor}`;
    return name === "c 0:0" || !this.#limits.devices.has(name) ? name : undefined;
  }
}

/** What stands in the archive: holes do not. */
function contentOf({ size, extents }: TarEntry): number {
  if (extents === undefined) return size;
  let sum = 0;
  for (const { length } of extents) sum += length;
  return sum;
}

const blank = { nlink: 1, dev: 0n, ino: 0n, blocks: 0, ctime: 0n };

function attributes(tar: TarEntry): Omit<Entry, "path" | "kind" | keyof typeof blank> {
  return {
    mode: tar.mode,
    uid: tar.uid,
    gid: tar.gid,
    size: tar.size,
    mtime: tar.mtime,
    rdevMajor: tar.devMajor,
    rdevMinor: tar.devMinor,
    target: tar.kind === "symlink" ? tar.linkName : "",
    // What would steer overlayfs itself never leaves an archive.
    xattrs: tar.xattrs.filter(([name]) => !machineXattr.test(name)),
    extents: tar.extents,
  };
}
