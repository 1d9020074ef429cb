// What the packing list says of an object, made from the object itself: by who packs it, and again by who looks at the package.
import type { ByteString, Entry } from "../formats/entry.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { splitDigest } from "../formats/oci-reference.ts";
import type { PackedObject } from "../formats/packing-list.ts";
import { nameLine, objectLines, packingListText } from "../formats/packing-list.ts";
import { digestOf } from "./digest.ts";
import type { ContentDigests } from "./file-digests.ts";
import type { PackedItem } from "./layer-writer.ts";
import { TextTable } from "./text-table.ts";

/** content: sha256 of the data of a regular file. */
export function packedObject(entry: Entry, content: Digest | undefined): PackedObject {
  const { path, kind, mode, uid, gid, mtime, rdevMajor, rdevMinor } = entry;
  const isDevice = kind === "character" || kind === "block";
  return {
    path,
    kind,
    mode,
    uid,
    gid,
    mtime,
    size: kind === "file" ? entry.size : 0,
    data: kind === "file" ? entry.extents?.reduce((sum, extent) => sum + extent.length, 0) : undefined,
    digest: kind === "file" ? short(content ?? emptyDigest) : "",
    target: entry.target,
    rdevMajor: isDevice ? rdevMajor : 0,
    rdevMinor: isDevice ? rdevMinor : 0,
    xattrs: entry.xattrs.map(([name, value]): [string, string] => [
      name,
      short(digestOf(Buffer.from(value, "latin1"))),
    ]),
  };
}

const emptyDigest = digestOf("");

/** 128 bits: the list guards against what tools lose, not against who would rewrite the list as well. */
function short(digest: Digest): string {
  return splitDigest(digest)[1].slice(0, 32);
}

/** Digests of regular files by each of their names; none of those whose holes are too large to hash. */
export interface ContentsByName {
  keys(): Iterable<ByteString>;
  get(path: ByteString): ContentDigests | undefined;
}

const sha1Digits = 40;

/** Collects the objects of all layers of a package that is being packed, as the lines that they will be. */
export class PackingListMaker {
  readonly #lines = new TextTable();
  readonly #digests = new TextTable();
  readonly contents: ContentsByName = {
    keys: () => this.#digests.keys(),
    get: (path) => {
      const both = this.#digests.get(path);
      return both === undefined
        ? undefined
        : { sha1: both.slice(0, sha1Digits), sha256: both.slice(sha1Digits) };
    },
  };

  /** Directories above a file are in every layer that needs them: the same each time. */
  readonly add = ({ entry, hardlinkTo, digest, content }: PackedItem): void => {
    const line =
      hardlinkTo === undefined
        ? objectLines(packedObject(entry, digest))
        : nameLine({ path: entry.path, hardlinkTo });
    this.#lines.set(entry.path, line);
    const digests = hardlinkTo === undefined ? content : this.contents.get(hardlinkTo);
    if (digests !== undefined) this.#digests.set(entry.path, digests.sha1 + digests.sha256);
  };

  /** The content of the list's file. absent: as in PackingList. */
  print(absent: readonly ByteString[]): Uint8Array[] {
    return [...packingListText(this.#lines, absent)].map((text) => Buffer.from(text));
  }
}
