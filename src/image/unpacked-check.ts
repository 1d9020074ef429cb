// Holds a layer as it is unpacked against its archive: whatever was changed, added or removed below it since would be seen by every instance
// of every package that shares the layer.
//
// The archive goes by first, and of each object a digest is kept. Then the tree is walked, each file read, and each object looked up. What
// the archive has and the walk has not come by is named by reading the archive once more.
import { closeSync, constants, openSync, readSync } from "node:fs";
import { dirname } from "node:path";
import { isTranshipError } from "../base/errors.ts";
import { deviceName, isLeftOut } from "../formats/device.ts";
import type { ByteString, Entry, Extent } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { errnoOf, ioError } from "../host/files.ts";
import { Digester } from "./digest.ts";
import { ImpliedDirectories } from "./implied-directories.ts";
import { type LayerNote, layerNote } from "./layer-note.ts";
import { type LayerObject, ObjectMaker } from "./layer-objects.ts";
import { type LayerEvent, readLayer } from "./layer-reader.ts";
import { machineXattr } from "./layer-writer.ts";
import { anyDevice } from "./merged-tree.ts";
import { ObjectRecords } from "./object-records.ts";
import { packedObject } from "./packed-object.ts";
import { directoryOf, PathTable } from "./path-table.ts";
import type { ImageStore, StoredLayer } from "./store.ts";
import { impliedNote, impliedText, unpackedLayer } from "./unpack.ts";

/** The objects of a directory of this host, paths from "/" on. */
export type WalkTree = (directory: string) => AsyncIterable<Entry>;

interface UnpackedPlace {
  directory: string;
  walk: WalkTree;
  /** The events of the layer, once more. */
  again: () => AsyncIterable<readonly LayerEvent[]>;
  /** The note beside it, as it is written; undefined where there is none. */
  implied: string | undefined;
  note: LayerNote | undefined;
  signal: AbortSignal | undefined;
}

/** Said of verified.json. */
export const damagedNote = "the note that says what was unpacked is damaged";

/** More are counted. */
const maxChanges = 100;
const opaqueXattr = /^(?:trusted|user)\.overlay\.opaque$/;
const pieceSize = 1 << 20;

export class UnpackedCheck {
  readonly #records = new ObjectRecords();
  readonly #paths = new PathTable((number) => this.#records.kind(number) === "directory");
  /** Where the archive has the data of files with holes. */
  readonly #sparse = new Map<number, readonly Extent[]>();
  readonly #opaque = new Set<ByteString>();
  /** Device nodes that are not unpacked, and other names of them. */
  readonly #leftOut = new Set<ByteString>();
  readonly #whiteouts = new Set<ByteString>();
  readonly #implied = new ImpliedDirectories();
  readonly #place: UnpackedPlace;
  readonly #piece = Buffer.allocUnsafeSlow(pieceSize);
  #count = 0;

  constructor(place: UnpackedPlace) {
    this.#place = place;
  }

  add({ entry, hardlinkTo, content }: LayerObject): void {
    const device = deviceName(entry);
    const isOut = device !== undefined && isLeftOut(entry.path, device);
    if (isOut || (hardlinkTo !== undefined && this.#leftOut.has(hardlinkTo))) {
      this.#leftOut.add(entry.path);
      return;
    }
    this.#implied.add({ type: "entry", entry, hardlinkTo });
    const own = ++this.#count;
    const linked = hardlinkTo === undefined ? undefined : this.#paths.get(hardlinkTo);
    if (linked === undefined || linked === 0) {
      this.#records.set(own, packedObject(plain(entry), content));
      if (entry.extents !== undefined) this.#sparse.set(own, entry.extents);
    }
    this.#paths.set(entry.path, linked === undefined || linked === 0 ? own : linked);
    // A directory in the place of what the same layer removes hides what lower layers have there.
    if (this.#whiteouts.delete(entry.path) && entry.kind === "directory") this.#opaque.add(entry.path);
  }

  /** As the layer is unpacked: what it removes is lower layers', never its own. */
  mark(event: LayerEvent): void {
    this.#implied.add(event);
    if (event.type === "opaque") this.#opaque.add(event.path);
    if (event.type !== "whiteout") return;
    this.#paths.imply(directoryOf(event.path));
    const number = this.#paths.get(event.path);
    if (number === undefined) this.#whiteouts.add(event.path);
    else if (number === 0 || this.#records.kind(number) === "directory") this.#opaque.add(event.path);
  }

  /** When all of the layer has gone by: a sentence for each change. */
  async changes(): Promise<string[]> {
    const { directory, walk, again, implied, note: own, signal } = this.#place;
    const changes: string[] = own?.kind === "damaged" ? [damagedNote] : [];
    let more = 0;
    const note = (path: ByteString, what: string): void => {
      if (changes.length < maxChanges) changes.push(`${escapeBytes(path)} ${what}`);
      else more++;
    };
    for await (const entry of walk(directory)) {
      signal?.throwIfAborted();
      const what = this.#compare(entry);
      if (what !== undefined) note(entry.path, what);
    }
    for (const path of this.#whiteouts) note(path, "was removed by the layer and is no longer");
    if (!this.#paths.allVisited()) await this.#missing(again(), (path) => note(path, "is gone"));
    if (implied !== undefined && implied !== impliedText(this.#implied.paths()))
      changes.push("the note of its directories without entries tells of others");
    if (more > 0) changes.push(`${more} more objects were changed`);
    return changes;
  }

  #compare(entry: Entry): string | undefined {
    const { path } = entry;
    const isOpaque = entry.xattrs.some(([name]) => opaqueXattr.test(name));
    if (entry.kind === "character" && entry.rdevMajor === 0 && entry.rdevMinor === 0)
      return this.#whiteouts.delete(path) ? undefined : "hides what lower layers have there";
    const number = this.#paths.visit(path);
    if (isOpaque !== this.#opaque.has(path))
      return isOpaque ? "hides what lower layers have below it" : "shows what lower layers have below it";
    // Directories that the archive only implies, and the root, which it need not name.
    if (entry.kind === "directory" && (number === 0 || (number === undefined && isOpaque))) return undefined;
    if (number === undefined || number === 0) return "was added";
    if (this.#records.kind(number) !== entry.kind)
      return `is a ${entry.kind} instead of a ${this.#records.kind(number)}`;
    const content = entry.kind === "file" ? this.#digest(entry, number) : undefined;
    const found = this.#records.differences(number, packedObject(plain(entry), content));
    if (found.content) return "has other content";
    if (found.attributes) return "has other attributes, another owner or another target";
    return found.time && entry.kind === "file" ? "has another time of change" : undefined;
  }

  #digest(entry: Entry, number: number): Digest | undefined {
    const name = Buffer.concat([Buffer.from(this.#place.directory), Buffer.from(entry.path, "latin1")]);
    let fd: number;
    try {
      fd = openSync(name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT" || errnoOf(cause) === "ELOOP") return undefined;
      throw ioError(`cannot read ${escapeBytes(entry.path)} of the unpacked layer`, cause);
    }
    try {
      const digester = new Digester();
      const extents = this.#sparse.get(number);
      if (extents === undefined)
        this.#read(fd, 0, Number.POSITIVE_INFINITY, (bytes) => digester.update(bytes));
      for (const { offset, length } of extents ?? [])
        this.#read(fd, offset, length, (bytes) => digester.update(bytes));
      if (extents !== undefined && this.#hasDataIn(fd, holesOf(extents, entry))) digester.update(changed);
      return digester.digest();
    } finally {
      closeSync(fd);
    }
  }

  #read(fd: number, offset: number, length: number, use: (bytes: Uint8Array) => void): void {
    for (let at = 0; at < length; ) {
      const count = readSync(fd, this.#piece, 0, Math.min(pieceSize, length - at), offset + at);
      if (count === 0) return;
      use(this.#piece.subarray(0, count));
      at += count;
    }
  }

  #hasDataIn(fd: number, holes: readonly Extent[]): boolean {
    let found = false;
    for (const { offset, length } of holes)
      this.#read(fd, offset, length, (bytes) => {
        found ||= bytes.some((byte) => byte !== 0);
      });
    return found;
  }

  async #missing(
    again: AsyncIterable<readonly LayerEvent[]>,
    found: (path: ByteString) => void,
  ): Promise<void> {
    try {
      for await (const events of again)
        for (const event of events)
          if (event.type === "entry" && !this.#paths.isVisited(event.entry.path)) found(event.entry.path);
    } catch (error) {
      if (!isTranshipError(error)) throw error; // the layer is damaged, which is a finding of its own
    }
  }
}

const changed = Buffer.from("data where the archive has none");

/** Where the disk has data and the archive has none. */
function holesOf(extents: readonly Extent[], { extents: onDisk, size }: Entry): Extent[] {
  const holes: Extent[] = [];
  for (const one of onDisk ?? [{ offset: 0, length: size }]) {
    const end = one.offset + one.length;
    let at = one.offset;
    for (const { offset, length } of extents) {
      if (offset + length <= at || offset >= end) continue;
      if (offset > at) holes.push({ offset: at, length: offset - at });
      at = offset + length;
    }
    if (at < end) holes.push({ offset: at, length: end - at });
  }
  return holes;
}

/** What an archive and a disk say of an object in the same way: links have no mode of their own, and holes are cut to whole blocks. */
function plain(entry: Entry): Entry {
  return {
    ...entry,
    mode: entry.kind === "symlink" ? 0o777 : entry.mode,
    xattrs: entry.xattrs.filter(([name]) => !machineXattr.test(name)),
    extents: undefined,
  };
}

/** undefined where the layer is not unpacked, or not to be looked at. */
export function unpackedCheck(
  source: { store: ImageStore; layer: StoredLayer },
  options: { walkUnpacked?: WalkTree; signal?: AbortSignal },
): UnpackedCheck | undefined {
  const directory = unpackedLayer(source.store.root, source.layer.diffId);
  const walk = options.walkUnpacked;
  if (directory === undefined || walk === undefined) return undefined;
  const again = () => readLayer(source, { devices: anyDevice });
  const implied = impliedNote(source.store.root, source.layer.diffId);
  const note = layerNote(dirname(directory));
  return new UnpackedCheck({ directory, walk, again, implied, note, signal: options.signal });
}

/** What was changed below the layer as it is unpacked; [] also where it is not. E_IMAGE_CORRUPT where the archive itself is damaged. */
export async function changesOfUnpacked(
  source: { store: ImageStore; layer: StoredLayer },
  options: { walkUnpacked?: WalkTree; signal?: AbortSignal },
): Promise<string[]> {
  const check = unpackedCheck(source, options);
  if (check === undefined) return [];
  const maker = new ObjectMaker();
  for await (const events of readLayer(source, { devices: anyDevice })) {
    for (const event of events) {
      const object = maker.add(event);
      if (object !== undefined) check.add(object);
      else check.mark(event);
    }
  }
  return await check.changes();
}
