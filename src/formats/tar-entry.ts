// What the headers of one tar entry say together: ustar block, PAX records, GNU long names, sparse maps.
import { byteStringOf } from "./byte-string.ts";
import type { ByteString, Extent } from "./entry.ts";
import { type PaxRecord, parsePaxNumber, parsePaxTime, xattrPrefix } from "./pax.ts";
import { malformed, type TarHeader, tarBlock } from "./tar-header.ts";

export type TarKind =
  | "file"
  | "hardlink"
  | "symlink"
  | "character"
  | "block"
  | "directory"
  | "fifo"
  | "unknown";

export interface TarEntry {
  /** As it stands in the archive: not checked, not cleaned. */
  name: ByteString;
  kind: TarKind;
  /** Type char of the header, for messages. */
  type: string;
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of the file, holes included. */
  size: number;
  /** Nanoseconds. */
  mtime: bigint;
  linkName: ByteString;
  devMajor: number;
  devMinor: number;
  /** Sorted by name; of a repeated name the last counts. */
  xattrs: [name: string, value: ByteString][];
  extents: Extent[] | undefined;
}

export interface Extensions {
  records: PaxRecord[];
  longName: ByteString | undefined;
  longLink: ByteString | undefined;
}

/** Where data lies: in one piece, as listed, or as a map at the start of the content says. */
export type SparseSource = "whole" | "map-in-content" | Extent[];

const kinds: ReadonlyMap<string, TarKind> = new Map<string, TarKind>([
  ["0", "file"],
  ["7", "file"],
  ["S", "file"],
  ["1", "hardlink"],
  ["2", "symlink"],
  ["3", "character"],
  ["4", "block"],
  ["5", "directory"],
  ["6", "fifo"],
]);

/** What an entry without extended headers has. */
export const noExtensions: Extensions = { records: [], longName: undefined, longLink: undefined };

/** `stored` is how many bytes of content follow the headers. */
export function entryOf(
  header: TarHeader,
  extensions: Extensions,
  oldSparse: { extents: Extent[]; realSize: number } | undefined,
): { entry: TarEntry; sparse: SparseSource; stored: number } {
  const { records } = extensions;
  const pax = records.length === 0 ? noRecords : new Map(records);
  const name = pax.get("GNU.sparse.name") ?? pax.get("path") ?? extensions.longName ?? header.name;
  const kind = kindOf(header.type, name);
  const paxSize = pax.get("size");
  const size = paxSize === undefined ? header.size : parsePaxNumber(paxSize, "size");
  const sparse = kind === "file" ? sparseOf(pax, records, oldSparse) : "whole";
  const realSize = sparse === "whole" ? undefined : realSizeOf(pax, oldSparse);
  const time = pax.get("mtime");
  const hasContent = kind === "file" || kind === "unknown";
  const entry: TarEntry = {
    name,
    kind,
    type: header.type,
    mode: header.mode,
    uid: numberOf(pax, "uid", header.uid),
    gid: numberOf(pax, "gid", header.gid),
    size: hasContent ? (realSize ?? size) : 0,
    mtime: time === undefined ? nanoseconds(header.mtime) : parsePaxTime(time),
    linkName: pax.get("linkpath") ?? extensions.longLink ?? header.linkName,
    devMajor: header.devMajor,
    devMinor: header.devMinor,
    xattrs: xattrsOf(records),
    extents: undefined,
  };
  // Links, directories and nodes have no content, whatever the size field says.
  return { entry, sparse, stored: hasContent ? size : 0 };
}

const noRecords: ReadonlyMap<string, string> = new Map();
let lastSeconds = 0;
let lastNanoseconds = 0n;

/** Neighbours mostly have the same time: arithmetic with bigints costs more than the rest of a header. */
function nanoseconds(seconds: number): bigint {
  if (seconds !== lastSeconds) {
    lastSeconds = seconds;
    lastNanoseconds = BigInt(seconds) * 1_000_000_000n;
  }
  return lastNanoseconds;
}

function kindOf(type: string, name: ByteString): TarKind {
  const kind = kinds.get(type) ?? "unknown";
  // v7 knows no directories: a file whose name ends in a slash is one.
  return kind === "file" && name.endsWith("/") ? "directory" : kind;
}

function numberOf(pax: ReadonlyMap<string, string>, key: string, otherwise: number): number {
  const text = pax.get(key);
  return text === undefined ? otherwise : parsePaxNumber(text, key);
}

function xattrsOf(records: readonly PaxRecord[]): [string, ByteString][] {
  if (!records.some(([key]) => key.startsWith(xattrPrefix))) return [];
  const found = new Map<string, ByteString>();
  for (const [key, value] of records) {
    if (key.startsWith(xattrPrefix)) found.set(key.slice(xattrPrefix.length), value);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function sparseOf(
  pax: ReadonlyMap<string, string>,
  records: readonly PaxRecord[],
  oldSparse: { extents: Extent[] } | undefined,
): SparseSource {
  if (oldSparse !== undefined) return oldSparse.extents;
  if (records.length === 0) return "whole";
  if (pax.get("GNU.sparse.major") === "1") return "map-in-content";
  const map = pax.get("GNU.sparse.map");
  if (map !== undefined) return pairs(map === "" ? [] : map.split(","));
  if (!pax.has("GNU.sparse.size")) return "whole";
  const keys = ["GNU.sparse.offset", "GNU.sparse.numbytes"];
  return pairs(records.filter(([key]) => keys.includes(key)).map(([, value]) => value));
}

function realSizeOf(pax: ReadonlyMap<string, string>, oldSparse: { realSize: number } | undefined): number {
  if (oldSparse !== undefined) return oldSparse.realSize;
  const text = pax.get("GNU.sparse.realsize") ?? pax.get("GNU.sparse.size");
  if (text === undefined) throw malformed("sparse file without its real size");
  return parsePaxNumber(text, "real size");
}

function pairs(numbers: readonly string[]): Extent[] {
  if (numbers.length % 2 !== 0) throw malformed("sparse map has an odd count of numbers");
  const extents: Extent[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    extents.push({
      offset: parsePaxNumber(numbers[i] ?? "", "sparse offset"),
      length: parsePaxNumber(numbers[i + 1] ?? "", "sparse length"),
    });
  }
  return extents;
}

/** The map of GNU sparse 1.0; undefined where more bytes are needed. `size` counts it with its padding. */
export function parseSparseMap(
  bytes: Uint8Array,
  maxExtents: number,
): { extents: Extent[]; size: number } | undefined {
  const numbers: string[] = [];
  let wanted = 1;
  let at = 0;
  while (numbers.length < wanted) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) {
      if (bytes.length - at > 20) throw malformed("sparse map is not made of numbers");
      return undefined;
    }
    if (end - at > 20) throw malformed("sparse map is not made of numbers");
    const text = byteStringOf(bytes, at, end);
    if (numbers.length === 0) {
      const count = parsePaxNumber(text, "count of extents");
      if (count > maxExtents) throw malformed(`sparse map names ${count} extents`);
      wanted = 1 + 2 * count;
    }
    numbers.push(text);
    at = end + 1;
  }
  const size = Math.ceil(at / tarBlock) * tarBlock;
  return size > bytes.length ? undefined : { extents: pairs(numbers.slice(1)), size };
}
