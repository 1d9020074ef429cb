// Writing tar: an Entry becomes its header blocks, PAX where ustar cannot say it, GNU sparse 1.0 where there are holes.
//
// Theory: nothing depends on the time, the user or the machine of the writer, so the same entries in the same order
// give the same bytes. Names are relative ("etc/passwd", directories with a slash, the root "./"). A name that is
// valid UTF-8 but not ASCII goes into PAX; any other bytes stay raw in the ustar field where they fit, because all
// readers take them from there as they are, and go into PAX under hdrcharset=BINARY where they do not.
import { bytesOf, isAscii, isUtf8, putByteString } from "./byte-string.ts";
import type { ByteString, Entry, EntryKind, Extent } from "./entry.ts";
import { encodePax, formatPaxTime, type PaxRecord, xattrPrefix } from "./pax.ts";
import { fitsField, putTarHeader, splitName, type TarHeader, tarBlock } from "./tar-header.ts";

/** Holes that sum up to less are written as zeros. */
const leastHole = 64 * 1024;

const types: Partial<Record<EntryKind, string>> = {
  file: "0",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

export interface EncodedHeader {
  /** Header blocks, with the sparse map where there is one. */
  bytes: Uint8Array;
  /** Where the content that follows lies in the file, in order; their sum, padded to a block, follows the header. */
  extents: readonly Extent[];
}

/** "/etc" -> "etc" or "etc/". */
export function tarName(path: ByteString, directory: boolean): ByteString {
  if (path === "/") return "./";
  const name = path.replace(/^\/+/, "");
  return directory ? `${name}/` : name;
}

/** How many bytes pad content of this size to a whole block. */
export function tarPadding(size: number): number {
  return (tarBlock - (size % tarBlock)) % tarBlock;
}

/** The two zero blocks that end an archive. */
export const tarEnd: Uint8Array = new Uint8Array(2 * tarBlock);

/** Whether tar has a type for it (sockets have none). */
export function tarHolds(kind: EntryKind): boolean {
  return types[kind] !== undefined;
}

/** Header of an entry; with `hardLinkTo` (absolute path) it is a link to that earlier entry and has no content. */
export function encodeTarHeader(entry: Entry, hardLinkTo?: ByteString): EncodedHeader {
  const link = hardLinkTo !== undefined;
  const sparse = link ? undefined : sparseExtents(entry);
  const whole = link || entry.kind !== "file" || entry.size === 0 ? [] : [{ offset: 0, length: entry.size }];
  const extents = sparse ?? whole;
  const map = sparse === undefined ? "" : encodeSparseMap(sparse, entry.size);
  const stored = map.length + sizeOf(extents);
  const header: TarHeader = {
    name: tarName(entry.path, entry.kind === "directory"),
    mode: entry.mode & 0o7777,
    uid: entry.uid,
    gid: entry.gid,
    size: stored,
    mtime: Number(entry.mtime / 1_000_000_000n),
    type: link ? "1" : (types[entry.kind] ?? "0"),
    linkName:
      hardLinkTo !== undefined ? tarName(hardLinkTo, false) : entry.kind === "symlink" ? entry.target : "",
    devMajor: entry.kind === "character" || entry.kind === "block" ? entry.rdevMajor : 0,
    devMinor: entry.kind === "character" || entry.kind === "block" ? entry.rdevMinor : 0,
  };
  const records = paxRecords(entry, header, link);
  if (sparse !== undefined) {
    records.push(["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"]);
    records.push(["GNU.sparse.name", header.name], ["GNU.sparse.realsize", String(entry.size)]);
  }
  return { bytes: assemble(header, encodePax(records), map), extents };
}

/** What lies between the holes of a file, where the holes are worth it. */
function sparseExtents(entry: Entry): Extent[] | undefined {
  if (entry.kind !== "file" || entry.extents === undefined) return undefined;
  const extents = entry.extents
    .map(({ offset, length }) => ({ offset, length: Math.min(length, entry.size - offset) }))
    .filter((extent) => extent.length > 0);
  return entry.size - sizeOf(extents) < leastHole ? undefined : extents;
}

function sizeOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, extent) => sum + extent.length, 0);
}

/**
 * GNU sparse 1.0: decimal count, then offset and length of each, a line each, padded to a block. An empty extent at the
 * end tells GNU tar how far a hole at the end reaches.
 */
function encodeSparseMap(extents: readonly Extent[], size: number): ByteString {
  const last = extents.at(-1);
  const marked =
    last !== undefined && last.offset + last.length === size
      ? extents
      : [...extents, { offset: size, length: 0 }];
  const lines = [marked.length, ...marked.flatMap((extent) => [extent.offset, extent.length])];
  const text = `${lines.join("\n")}\n`;
  return text + "\0".repeat(tarPadding(text.length));
}

function paxRecords(entry: Entry, header: TarHeader, link: boolean): PaxRecord[] {
  const records: PaxRecord[] = [];
  const path = needsPax(header.name, splitName(header.name) !== undefined);
  const linkPath = needsPax(header.linkName, header.linkName.length <= 100);
  if ((path && !isUtf8(header.name)) || (linkPath && !isUtf8(header.linkName)))
    records.push(["hdrcharset", "BINARY"]);
  if (path) records.push(["path", header.name]);
  if (linkPath) records.push(["linkpath", header.linkName]);
  if (!fitsField("id", header.uid)) records.push(["uid", String(header.uid)]);
  if (!fitsField("id", header.gid)) records.push(["gid", String(header.gid)]);
  if (!fitsField("size", header.size)) records.push(["size", String(header.size)]);
  if (entry.mtime % 1_000_000_000n !== 0n || !fitsField("size", header.mtime)) {
    records.push(["mtime", formatPaxTime(entry.mtime)]);
  }
  if (!link) for (const [name, value] of entry.xattrs) records.push([xattrPrefix + name, value]);
  return records;
}

function needsPax(name: ByteString, fits: boolean): boolean {
  return !fits || (!isAscii(name) && isUtf8(name));
}

function assemble(header: TarHeader, pax: ByteString, map: ByteString): Uint8Array {
  const paxSize = pax === "" ? 0 : tarBlock + pax.length + tarPadding(pax.length);
  const bytes = new Uint8Array(paxSize + tarBlock + map.length);
  if (pax !== "") {
    putTarHeader(paxHeader(header, pax.length), bytes, 0);
    bytes.set(bytesOf(pax), tarBlock);
  }
  putTarHeader(header, bytes, paxSize);
  putByteString(map, bytes, paxSize + tarBlock);
  return bytes;
}

/** Readers that know no PAX make a file of it: it gets a name that hurts nobody. */
function paxHeader(header: TarHeader, size: number): TarHeader {
  const base = header.name.replace(/\/$/, "").split("/").pop() ?? "";
  const name = `PaxHeaders/${isAscii(base) ? base.slice(0, 80) : "entry"}`;
  return {
    ...header,
    name,
    size,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0,
    type: "x",
    linkName: "",
    devMajor: 0,
    devMinor: 0,
  };
}
