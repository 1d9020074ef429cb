// The header of an rpm package, as its database keeps it: an index of tags, then their data. All integers are big-endian.
// Source of the format: "RPM Package File Format" of rpm's documentation; the database leaves out the leading magic.
//
// The first entry may be a region: it closes what the package came with. Entries behind it were added by rpm when the
// package was installed, and count where a tag stands twice. The digest of the header is made over the region alone.
import type { ByteString } from "./entry.ts";
import { toByteString } from "./fields.ts";

export const rpmTag = {
  region: 63, sha1Header: 269, sha256Header: 273, name: 1000, version: 1001, release: 1002, epoch: 1003, summary: 1004,
  installTime: 1008, size: 1009, licence: 1014, group: 1016, architecture: 1022, preInstall: 1023, postInstall: 1024, preRemove: 1025,
  postRemove: 1026, oldFileNames: 1027, fileSizes: 1028, fileStates: 1029, fileModes: 1030, fileDigests: 1035,
  fileLinkTargets: 1036, fileFlags: 1037, fileUsers: 1039, fileGroups: 1040, sourceRpm: 1044, provideNames: 1047,
  requireFlags: 1048, requireNames: 1049, requireVersions: 1050, preInstallProgram: 1085, postInstallProgram: 1086,
  preRemoveProgram: 1087, postRemoveProgram: 1088, provideFlags: 1112, provideVersions: 1113, directoryIndexes: 1116,
  baseNames: 1117, directoryNames: 1118, longFileSizes: 5008, longSize: 5009, digestAlgorithm: 5011, recommendNames: 5046,
  recommendVersions: 5047, recommendFlags: 5048,
} as const; // biome-ignore format: a table

interface IndexEntry {
  type: number;
  offset: number;
  count: number;
  /** Of the data: where it ends. */
  end: number;
}

const char = 1;
const int64 = 5;
const singleString = 6;
const binary = 7;
const internationalString = 9;
/** Bytes of one value; strings have no fixed size. */
const widths: readonly number[] = [0, 1, 1, 2, 4, 8, 0, 1, 0, 0];
const maxTags = 0xffff;

export type RpmHeaderResult = { header: RpmHeader } | { problem: string };

/** `hash` gives a digest in hexadecimal of the parts, one behind the other: the rooms of formats have none of their own. */
export type RpmHash = (algorithm: "sha1" | "sha256", parts: readonly Uint8Array[]) => string;

/** Reads and checks a whole header: what it gives afterwards can no longer fail. The bytes are kept, not copied. */
export function parseRpmHeader(bytes: Uint8Array): RpmHeaderResult {
  if (bytes.length < 8) return { problem: `a header of ${bytes.length} bytes` };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tags = view.getUint32(0);
  const size = view.getUint32(4);
  if (tags === 0 || tags > maxTags) return { problem: `a header of ${tags} tags` };
  const start = 8 + tags * 16;
  if (start + size !== bytes.length) {
    return { problem: `a header that says ${start + size} bytes and has ${bytes.length}` };
  }
  const data = bytes.subarray(start);
  const index = new Map<number, IndexEntry>();
  for (let i = 0; i < tags; i++) {
    const at = 8 + i * 16;
    const tag = view.getUint32(at);
    const entry = {
      type: view.getUint32(at + 4),
      offset: view.getUint32(at + 8),
      count: view.getUint32(at + 12),
    };
    const end = endOf(data, entry);
    if (end === undefined) {
      return {
        problem: `tag ${tag} with type ${entry.type} and count ${entry.count} at ${entry.offset} does not fit`,
      };
    }
    // What rpm changed when it installed stands behind the region, under the tag that it replaces; a type that it has not is damage.
    const replaced = index.get(tag);
    if (replaced !== undefined && replaced.type !== entry.type)
      return { problem: `tag ${tag} twice, with the types ${replaced.type} and ${entry.type}` };
    index.set(tag, { ...entry, end });
  }
  return { header: new RpmHeader(bytes, data, index) };
}

/** Where the data of an entry ends; undefined where it cannot be right. */
function endOf(data: Uint8Array, entry: { type: number; offset: number; count: number }): number | undefined {
  const { type, offset, count } = entry;
  if (type > internationalString || count === 0 || count > data.length || offset > data.length)
    return undefined;
  const width = widths[type] ?? 0;
  if (width > 0) return offset + count * width <= data.length ? offset + count * width : undefined;
  if (type < singleString) return offset;
  if (type === singleString && count !== 1) return undefined;
  let end = offset;
  for (let i = 0; i < count; i++) {
    const zero = data.indexOf(0, end);
    if (zero < 0) return undefined;
    end = zero + 1;
  }
  return end;
}

export class RpmHeader {
  readonly #bytes: Uint8Array;
  readonly #data: Uint8Array;
  readonly #view: DataView;
  readonly #index: ReadonlyMap<number, IndexEntry>;

  constructor(bytes: Uint8Array, data: Uint8Array, index: ReadonlyMap<number, IndexEntry>) {
    this.#bytes = bytes;
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.#index = index;
  }

  /** All strings of a tag; none where it has none, or is of another type. */
  strings(tag: number): ByteString[] {
    const entry = this.#index.get(tag);
    if (entry === undefined || entry.type < singleString || entry.type === binary) return [];
    return toByteString(this.#data.subarray(entry.offset, entry.end - 1)).split("\0");
  }

  string(tag: number): ByteString | undefined {
    const entry = this.#index.get(tag);
    if (entry === undefined || entry.type < singleString || entry.type === binary) return undefined;
    return toByteString(this.#data.subarray(entry.offset, this.#data.indexOf(0, entry.offset)));
  }

  /** All integers of a tag. Those above 2^53 lose precision. */
  numbers(tag: number): number[] {
    const entry = this.#index.get(tag);
    if (entry === undefined || entry.type < char || entry.type > int64) return [];
    const width = widths[entry.type] ?? 1;
    const numbers: number[] = [];
    for (let at = entry.offset; at < entry.end; at += width) numbers.push(this.#number(at, width));
    return numbers;
  }

  #number(at: number, width: number): number {
    if (width === 8) return Number(this.#view.getBigUint64(at));
    if (width === 4) return this.#view.getUint32(at);
    return width === 2 ? this.#view.getUint16(at) : this.#view.getUint8(at);
  }

  /**
   * Whether the digest that the package came with fits its region; "old" where there is neither (packages made before rpm 4), and
   * "unsealed" where a region has no digest: keys that were imported, else damage. A digest whose region cannot be told does not fit.
   */
  seal(hash: RpmHash): "fits" | "broken" | "unsealed" | "old" {
    const want = this.string(rpmTag.sha256Header) ?? this.string(rpmTag.sha1Header);
    if (want === undefined) return this.#index.has(rpmTag.region) ? "unsealed" : "old";
    const region = this.#region();
    if (region === undefined) return "broken";
    return hash(want.length === 64 ? "sha256" : "sha1", region) === want ? "fits" : "broken";
  }

  /** The region as it was in the package file: magic, sizes, its entries, its data. */
  #region(): Uint8Array[] | undefined {
    const entry = this.#index.get(rpmTag.region);
    if (entry === undefined || entry.type !== binary || entry.count !== 16) return undefined;
    // The trailer is an entry itself; its offset counts back over the entries of the region.
    const tags = -this.#view.getInt32(entry.offset + 8) / 16;
    if (!Number.isInteger(tags) || tags < 1 || 8 + tags * 16 > this.#bytes.length) return undefined;
    const head = new Uint8Array(16);
    head.set([0x8e, 0xad, 0xe8, 0x01]);
    const view = new DataView(head.buffer);
    view.setUint32(8, tags);
    view.setUint32(12, entry.end);
    return [head, this.#bytes.subarray(8, 8 + tags * 16), this.#data.subarray(0, entry.end)];
  }
}
