// What the packing list says of an object, made from the object itself: by who packs it, and again by who looks at the package.
import type { ByteString, Entry } from "../formats/entry.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { splitDigest } from "../formats/oci-reference.ts";
import type { PackedObject } from "../formats/packing-list.ts";
import { nameLine, objectLines, packingListText } from "../formats/packing-list.ts";
import { PathNumbers } from "../formats/path-numbers.ts";
import { digestOf } from "./digest.ts";
import type { ContentDigests } from "./file-digests.ts";
import type { PackedItem } from "./layer-writer.ts";
import type { OwnContent } from "./own-item.ts";
import type { Spool } from "./spool.ts";
import type { StoreSession } from "./store-session.ts";

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

const sha1Bytes = 20;
const digestBytes = sha1Bytes + 32;

/** Collects the objects of all layers of a package that is being packed, as the lines that they will be. */
export class PackingListMaker {
  /** Number of each path. */
  readonly #numbers = new PathNumbers();
  readonly #lines: Spool;
  readonly #digests: Spool;
  /** By number: where the path's line is, and its length; and its digests, -1 where its content is not hashed. */
  readonly #linesAt: number[] = [];
  readonly #lengths: number[] = [];
  readonly #digestsAt: number[] = [];
  readonly contents: ContentsByName = {
    keys: () => this.#hashed(),
    get: (path) => {
      const place = this.#digestsAt[this.#numbers.get(path) ?? -1] ?? -1;
      if (place < 0) return undefined;
      const both = this.#digests.read(place, digestBytes);
      return { sha1: both.toString("hex", 0, sha1Bytes), sha256: both.toString("hex", sha1Bytes) };
    },
  };

  /** What is known of each path, some hundred bytes, is put aside there until the session ends. */
  constructor(session: Pick<StoreSession, "spool">) {
    this.#lines = session.spool();
    this.#digests = session.spool();
  }

  /** Directories above a file are in every layer that needs them: the same each time. */
  readonly add = ({ entry, hardlinkTo, digest, content }: PackedItem): void => {
    const line =
      hardlinkTo === undefined
        ? objectLines(packedObject(entry, digest))
        : nameLine({ path: entry.path, hardlinkTo });
    const number = this.#numbers.add(entry.path);
    const bytes = Buffer.from(line);
    // The place of an older line of the same path is not used again.
    this.#linesAt[number] = this.#lines.append(bytes);
    this.#lengths[number] = bytes.length;
    const named = hardlinkTo === undefined ? undefined : this.#digestsAt[this.#numbers.get(hardlinkTo) ?? -1];
    this.#digestsAt[number] = named ?? (content === undefined ? -1 : this.#put(content));
  };

  /** The content of the list's file, made anew each time that it is gone through. absent: as in PackingList. */
  print(absent: readonly ByteString[]): OwnContent {
    const lines = { keys: () => this.#numbers.paths(), get: (path: ByteString) => this.#line(path) };
    function* pieces(): Generator<Uint8Array> {
      for (const text of packingListText(lines, absent)) yield Buffer.from(text);
    }
    let size = 0;
    for (const text of packingListText(lines, absent)) size += Buffer.byteLength(text);
    return { size, pieces: { [Symbol.iterator]: pieces } };
  }

  #line(path: ByteString): string | undefined {
    const number = this.#numbers.get(path);
    if (number === undefined) return undefined;
    return this.#lines.read(this.#linesAt[number] ?? 0, this.#lengths[number] ?? 0).toString();
  }

  #put({ sha1, sha256 }: ContentDigests): number {
    return this.#digests.append(Buffer.from(sha1 + sha256, "hex"));
  }

  *#hashed(): Generator<ByteString> {
    let number = 0;
    for (const path of this.#numbers.paths()) if ((this.#digestsAt[number++] ?? -1) >= 0) yield path;
  }
}
