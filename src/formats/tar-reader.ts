// Reading tar of any make as a stream: v7, ustar, PAX (also global), GNU long names, old GNU sparse and PAX sparse
// 0.0, 0.1 and 1.0. Bytes are pushed in chunks of any size and a sink is told what they hold; memory is bounded by the caps below.
// Input is hostile: whatever does not follow the format is E_IMAGE_CORRUPT, what is too large is E_LIMIT.
import { TranshipError } from "../base/errors.ts";
import { byteStringOf } from "./byte-string.ts";
import type { ByteString, Extent } from "./entry.ts";
import { decodePax, paxTimeAlone } from "./pax.ts";
import {
  type Extensions,
  entryOf,
  noExtensions,
  readPlainEntry,
  type SparseSource,
  type TarEntry,
} from "./tar-entry.ts";
import type { TarSink } from "./tar-event.ts";
import {
  isZeroBlock,
  malformed,
  type OldSparse,
  readMetadataSize,
  readOldSparse,
  readOldSparseExtension,
  readTarHeader,
  readTarType,
  type TarHeader,
  tarBlock,
} from "./tar-header.ts";
import { checkExtents, maxExtents, parseSparseMap, tooManyExtents } from "./tar-sparse.ts";

const maxMetadata = 8 << 20;
/** Of all metadata so far: some, and what the kernel lets a file have for each entry. */
const metadataFree = 32 << 20;
const metadataOfEntry = 128 << 10;
const maxSparseMap = 4 << 20;

type State = "header" | "sparse-extension" | "metadata" | "sparse-map" | "content" | "skip" | "zeros";

export class TarReader {
  #state: State = "header";
  /** Bytes of the part being collected (a block, a metadata body); filled up to #need. */
  #held: Uint8Array = new Uint8Array(tarBlock);
  #have = 0;
  #need = tarBlock;
  /** Type of the metadata body being collected: x, g, L or K. */
  #metadata = "";
  #metadataBytes = 0;
  #entries = 0;
  #global: Extensions["records"] = [];
  #extensions: Extensions = noExtensions;
  /** Of records of times alone, which stand before most entries of precise archives; nanoseconds. The next entry has it. */
  #mtime: bigint | undefined;
  #header: TarHeader | undefined;
  #entry: TarEntry | undefined;
  #oldSparse: OldSparse | undefined;
  /** Stored bytes of the current content not seen yet, and what pads them. */
  #left = 0;
  #padding = 0;
  #extents: readonly Extent[] = [];
  /** Those of a file without holes, used again and again. */
  readonly #whole = { offset: 0, length: 0 };
  readonly #wholeExtents: readonly Extent[] = [this.#whole];
  #extent = 0;
  #inExtent = 0;

  /** Tells the sink of what this chunk holds, in order. */
  push(chunk: Uint8Array, sink: TarSink): void {
    for (let at = 0; at < chunk.length; ) {
      // The usual case needs no copy: the whole header lies in this chunk.
      if (this.#state === "header" && this.#have === 0 && chunk.length - at >= tarBlock)
        at = this.#readHeader(chunk, at, sink);
      else at = this.#step(chunk, at, sink);
    }
  }

  /** Call after the last chunk: E_IMAGE_CORRUPT where the archive ends inside an entry. */
  finish(): void {
    const between = this.#state === "zeros" || (this.#state === "header" && this.#have === 0);
    if (!between || this.#extensions.records.length > 0 || this.#mtime !== undefined)
      throw malformed("the archive ends in the middle of an entry");
  }

  #step(chunk: Uint8Array, at: number, sink: TarSink): number {
    switch (this.#state) {
      case "content":
        return this.#content(chunk, at, sink);
      case "skip": {
        const count = Math.min(this.#padding, chunk.length - at);
        this.#padding -= count;
        if (this.#padding === 0) this.#expect("header", tarBlock);
        return at + count;
      }
      case "zeros":
        for (let i = at; i < chunk.length; i++)
          if (chunk[i] !== 0) throw malformed("data after the end of the archive");
        return chunk.length;
      default:
        return this.#collect(chunk, at, sink);
    }
  }

  #expect(state: State, need: number): void {
    this.#state = state;
    this.#have = 0;
    this.#need = need;
  }

  #collect(chunk: Uint8Array, at: number, sink: TarSink): number {
    if (this.#have === 0 && chunk.length - at >= this.#need) {
      const end = at + this.#need;
      this.#collected(chunk.subarray(at, end), sink);
      return end;
    }
    const count = Math.min(this.#need - this.#have, chunk.length - at);
    this.#grow(this.#have + count);
    this.#held.set(chunk.subarray(at, at + count), this.#have);
    this.#have += count;
    if (this.#have === this.#need) this.#collected(this.#held.subarray(0, this.#need), sink);
    return at + count;
  }

  /** Grows with what has come, not with what a header promises. */
  #grow(size: number): void {
    if (this.#held.length >= size) return;
    const larger = new Uint8Array(Math.max(size, Math.min(this.#held.length * 2, this.#need)));
    larger.set(this.#held.subarray(0, this.#have));
    this.#held = larger;
  }

  #collected(part: Uint8Array, sink: TarSink): void {
    switch (this.#state) {
      case "header":
        this.#readHeader(part, 0, sink);
        break;
      case "metadata":
        this.#readMetadata(part, 0, part.length - this.#padding);
        break;
      case "sparse-extension":
        this.#readSparseExtension(part, sink);
        break;
      case "sparse-map":
        this.#readSparseMap(part, sink);
        break;
    }
  }

  /** The block at `at`, and what belongs to it where the chunk holds all of it. Returns where the next part begins. */
  #readHeader(chunk: Uint8Array, at: number, sink: TarSink): number {
    const next = at + tarBlock;
    if (chunk[at] === 0 && isZeroBlock(chunk, at)) {
      this.#state = "zeros";
      return next;
    }
    const type = readTarType(chunk, at);
    if (type === "x" || type === "g" || type === "L" || type === "K") return this.#announce(type, chunk, at);
    if (this.#extensions === noExtensions && this.#global.length === 0 && type !== "S")
      return this.#plain(chunk, at, sink);
    this.#header = readTarHeader(chunk, at);
    this.#oldSparse = type === "S" ? readOldSparse(chunk, at) : undefined;
    if (this.#oldSparse?.more === true) this.#expect("sparse-extension", tarBlock);
    else this.#begin(sink);
    return next;
  }

  /** An entry that needs nothing but its block and, at most, a time. */
  #plain(chunk: Uint8Array, at: number, sink: TarSink): number {
    const entry = readPlainEntry(chunk, at, this.#mtime);
    this.#mtime = undefined;
    this.#entries++;
    const { size } = entry;
    const content = at + tarBlock;
    const end = content + size;
    const next = end + pad(size);
    if (next <= chunk.length) {
      sink.entry(entry);
      if (size > 0) sink.data(0, chunk, content, end);
      sink.end();
      this.#expect("header", tarBlock);
      return next;
    }
    this.#entry = entry;
    this.#left = size;
    this.#padding = pad(size);
    this.#start("whole", sink);
    return content;
  }

  #announce(type: string, chunk: Uint8Array, at: number): number {
    const size = readMetadataSize(chunk, at);
    if (size > maxMetadata) {
      const message = `tar metadata of ${size} bytes, at most ${maxMetadata} are accepted`;
      throw new TranshipError("E_LIMIT", message);
    }
    this.#metadataBytes += size;
    if (this.#metadataBytes > metadataFree + this.#entries * metadataOfEntry) {
      const message = `tar metadata of ${this.#metadataBytes} bytes for ${this.#entries} entries, at most ${metadataFree} and ${metadataOfEntry} for each are accepted`;
      throw new TranshipError("E_LIMIT", message);
    }
    const body = at + tarBlock;
    const next = body + size + pad(size);
    this.#metadata = type;
    this.#padding = pad(size);
    if (size === 0) this.#expect("header", tarBlock);
    else if (next <= chunk.length) this.#readMetadata(chunk, body, body + size);
    else {
      this.#expect("metadata", next - body);
      return body;
    }
    return next;
  }

  #readMetadata(bytes: Uint8Array, at: number, end: number): void {
    this.#expect("header", tarBlock);
    const time = this.#metadata === "x" ? paxTimeAlone(bytes, at, end) : undefined;
    if (time !== undefined) {
      if (this.#extensions.records.length > 0) this.#extensions = { ...this.#extensions, records: [] };
      this.#mtime = time;
      return;
    }
    const body = bytes.subarray(at, end);
    if (this.#metadata === "g") this.#global = decodePax(body);
    else {
      if (this.#extensions === noExtensions) this.#extensions = { ...noExtensions };
      if (this.#metadata === "L") this.#extensions.longName = untilNul(body);
      else if (this.#metadata === "K") this.#extensions.longLink = untilNul(body);
      else {
        this.#extensions.records = decodePax(body);
        this.#mtime = undefined;
      }
    }
  }

  #readSparseExtension(block: Uint8Array, sink: TarSink): void {
    const { extents, more } = readOldSparseExtension(block, 0);
    this.#oldSparse?.extents.push(...extents);
    if ((this.#oldSparse?.extents.length ?? 0) > maxExtents) throw tooManyExtents();
    if (more) this.#expect("sparse-extension", tarBlock);
    else this.#begin(sink);
  }

  /** All of an entry's headers are there. */
  #begin(sink: TarSink): void {
    if (this.#header === undefined) throw malformed("content without a header");
    const extensions = this.#extensions;
    const { entry, sparse, stored } = entryOf(
      this.#header,
      this.#global.length === 0
        ? extensions
        : { ...extensions, records: [...this.#global, ...extensions.records] },
      this.#mtime,
      this.#oldSparse,
    );
    this.#extensions = noExtensions;
    this.#mtime = undefined;
    this.#entries++;
    this.#entry = entry;
    this.#left = stored;
    this.#padding = pad(stored);
    if (sparse === "map-in-content") this.#expect("sparse-map", tarBlock);
    else this.#start(sparse, sink);
  }

  /** GNU sparse 1.0: the map grows block by block until its last line is there. */
  #readSparseMap(part: Uint8Array, sink: TarSink): void {
    const map = parseSparseMap(part);
    if (part.length > this.#left) throw malformed("sparse map is longer than the content");
    if (map === undefined) {
      if (part.length >= maxSparseMap) throw tooManyExtents();
      // What was not copied (the whole part lay in the chunk) is kept now.
      this.#have = 0;
      this.#grow(part.length);
      if (part.buffer !== this.#held.buffer) this.#held.set(part);
      this.#have = part.length;
      this.#need = part.length + tarBlock * Math.max(1, Math.floor(part.length / tarBlock / 4));
      if (this.#need > this.#left) this.#need = part.length + tarBlock;
      return;
    }
    this.#left -= map.size;
    this.#start(map.extents, sink);
    const rest = part.slice(map.size);
    for (let at = 0; at < rest.length; ) at = this.#step(rest, at, sink);
  }

  #start(sparse: SparseSource, sink: TarSink): void {
    const entry = this.#entry;
    if (entry === undefined) throw malformed("content without a header");
    if (Array.isArray(sparse)) {
      checkExtents(sparse, entry.size, this.#left);
      entry.extents = sparse;
      this.#extents = sparse.filter((extent) => extent.length > 0);
    } else {
      this.#whole.length = this.#left;
      this.#extents = this.#wholeExtents;
    }
    this.#extent = 0;
    this.#inExtent = 0;
    sink.entry(entry);
    this.#state = "content";
    if (this.#left === 0) this.#contentEnds(sink);
  }

  #content(chunk: Uint8Array, at: number, sink: TarSink): number {
    const extent = this.#extents[this.#extent];
    if (extent === undefined) throw malformed("more content than the sparse map says");
    const count = Math.min(chunk.length - at, this.#left, extent.length - this.#inExtent);
    sink.data(extent.offset + this.#inExtent, chunk, at, at + count);
    this.#inExtent += count;
    this.#left -= count;
    if (this.#inExtent === extent.length) {
      this.#extent++;
      this.#inExtent = 0;
    }
    if (this.#left === 0) this.#contentEnds(sink);
    return at + count;
  }

  #contentEnds(sink: TarSink): void {
    sink.end();
    if (this.#padding > 0) this.#state = "skip";
    else this.#expect("header", tarBlock);
  }
}

function pad(size: number): number {
  return (tarBlock - (size % tarBlock)) % tarBlock;
}

function untilNul(bytes: Uint8Array): ByteString {
  const end = bytes.indexOf(0);
  return byteStringOf(bytes, 0, end < 0 ? bytes.length : end);
}
