// What the headers of one tar entry say together: ustar block, PAX records, GNU long names, sparse maps.
import type { ByteString, Extent } from "./entry.ts";
import { nanoseconds, type PaxRecord, parsePaxNumber, parsePaxTime, xattrPrefix } from "./pax.ts";
import { aclOfText } from "./posix-acl.ts";
import {
  checkSum,
  isPosix,
  isUstar,
  malformed,
  readNumber,
  readOwner,
  readSize,
  readTarType,
  readText,
  type TarHeader,
} from "./tar-header.ts";
import { pairs } from "./tar-sparse.ts";

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
export const noExtensions: Extensions = {
  records: [],
  longName: undefined,
  longLink: undefined,
};

/** `stored` is how many bytes of content follow the headers; `mtime` counts before what the records say (nanoseconds). */
export function entryOf(
  header: TarHeader,
  extensions: Extensions,
  mtime: bigint | undefined,
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
    mtime: mtime ?? (time === undefined ? nanoseconds(header.mtime) : parsePaxTime(time)),
    linkName: pax.get("linkpath") ?? extensions.longLink ?? header.linkName,
    devMajor: header.devMajor,
    devMinor: header.devMinor,
    xattrs: xattrsOf(records),
    extents: undefined,
  };
  if (records.length > 0) addAccessLists(entry, pax);
  // Links, directories and nodes have no content, whatever the size field says.
  return { entry, sparse, stored: hasContent ? size : 0 };
}

/** As entryOf() of a header that stands alone, or with nothing but a time beside it: that is most of them. `stored` is the entry's size. */
export function readPlainEntry(block: Uint8Array, at: number, mtime: bigint | undefined): TarEntry {
  checkSum(block, at);
  const ustar = block[at + 345] !== 0 && isPosix(block, at);
  const base = readText(block, at, 100);
  const name = ustar ? `${readText(block, at + 345, 155)}/${base}` : base;
  const type = readTarType(block, at);
  const kind = kindOf(type, name);
  const size = readSize(block, at + 124, "size");
  const seconds = readNumber(block, at + 136, 12, "mtime");
  const device = (kind === "character" || kind === "block") && isUstar(block, at);
  const owner = readOwner(block, at);
  return {
    name,
    kind,
    type,
    mode: owner.mode,
    uid: owner.uid,
    gid: owner.gid,
    size: kind === "file" || kind === "unknown" ? size : 0,
    mtime: mtime ?? nanoseconds(seconds),
    linkName: block[at + 157] === 0 ? "" : readText(block, at + 157, 100),
    devMajor: device ? readNumber(block, at + 329, 8, "device") : 0,
    devMinor: device ? readNumber(block, at + 337, 8, "device") : 0,
    xattrs: none,
    extents: undefined,
  };
}

/** Most entries have none, and nobody changes the list of one. */
const none: TarEntry["xattrs"] = [];

const noRecords: ReadonlyMap<string, string> = new Map();
function kindOf(type: string, name: ByteString): TarKind {
  const kind = type === "0" ? "file" : (kinds.get(type) ?? "unknown");
  // v7 knows no directories: a file whose name ends in a slash is one.
  return kind === "file" && name.charCodeAt(name.length - 1) === 0x2f ? "directory" : kind;
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

/** Access lists in the words of star; where the kernel's own value is there too, that counts. */
function addAccessLists(entry: TarEntry, pax: ReadonlyMap<string, string>): void {
  for (const kind of ["access", "default"] as const) {
    const text = pax.get(`SCHILY.acl.${kind}`);
    const name = `system.posix_acl_${kind}`;
    const acl = text === undefined ? undefined : aclOfText(text);
    if (acl === undefined || entry.xattrs.some(([known]) => known === name)) continue;
    entry.xattrs = [...entry.xattrs, [name, acl.value] as [string, ByteString]].sort(([a], [b]) =>
      a < b ? -1 : 1,
    );
    // Writers differ in what the mode says of the group: the list's mask, or the owning group's part.
    if (kind === "access") entry.mode = (entry.mode & ~0o777) | acl.mode;
  }
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
