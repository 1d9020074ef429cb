// What has to be known of each object of a package to notice a change, in 40 bytes: a hash of its attributes, the digest of its content, its time, its
// kind; and the targets of symbolic links, which lead to other objects.
import type { ByteString, EntryKind } from "../formats/entry.ts";
import type { PackedObject } from "../formats/packing-list.ts";
import { hashText } from "./text-hash.ts";
import { Texts } from "./text-table.ts";

const recordSize = 40;
const chunkRecords = 1 << 14;
const kinds: readonly EntryKind[] = ["file", "directory", "symlink", "fifo", "socket", "character", "block"];

/** Numbers are the caller's: each a little larger than the one before. */
export class ObjectRecords {
  readonly #chunks: Buffer[] = [];
  readonly #key = new Uint32Array(2);
  readonly #targets = new Texts();

  set(number: number, object: PackedObject): void {
    const chunk = Math.floor(number / chunkRecords);
    while (this.#chunks.length <= chunk) this.#chunks.push(Buffer.alloc(chunkRecords * recordSize));
    const record = this.#at(number);
    this.#hash(object);
    record.writeUInt32LE(this.#key[0] ?? 0, 0);
    record.writeUInt32LE(this.#key[1] ?? 0, 4);
    record.write(object.digest, 8, "hex");
    record.writeBigInt64LE(BigInt.asIntN(64, object.mtime), 24);
    record[32] = kinds.indexOf(object.kind);
    if (object.kind === "symlink") record.writeUIntLE(this.#targets.append(object.target), 33, 6);
  }

  kind(number: number): EntryKind {
    return kinds[this.#at(number)[32] ?? 0] ?? "file";
  }

  target(number: number): ByteString {
    return this.kind(number) === "symlink" ? this.#targets.get(this.#at(number).readUIntLE(33, 6)) : "";
  }

  /** What of an object is not as it was noted. */
  differences(
    number: number,
    object: PackedObject,
  ): { attributes: boolean; content: boolean; time: boolean } {
    const record = this.#at(number);
    this.#hash(object);
    return {
      attributes: record.readUInt32LE(0) !== this.#key[0] || record.readUInt32LE(4) !== this.#key[1],
      content: record.toString("hex", 8, 24) !== (object.digest === "" ? none : object.digest),
      time: record.readBigInt64LE(24) !== BigInt.asIntN(64, object.mtime),
    };
  }

  /** All but name, time and content. */
  #hash(one: PackedObject): void {
    const { kind, mode, uid, gid, size, data, target, rdevMajor, rdevMinor, xattrs } = one;
    const attributes = xattrs.length === 0 ? "" : JSON.stringify(xattrs);
    const text = `${kind} ${mode} ${uid} ${gid} ${size} ${data} ${rdevMajor} ${rdevMinor} ${target}\0${attributes}`;
    hashText(text, 0, this.#key);
  }

  #at(number: number): Buffer {
    const chunk = this.#chunks[Math.floor(number / chunkRecords)];
    const start = (number % chunkRecords) * recordSize;
    return chunk?.subarray(start, start + recordSize) ?? Buffer.alloc(recordSize);
  }
}

const none = "0".repeat(32);
