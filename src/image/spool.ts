// What is put aside while a package is made and read again later: a file without a name, which is gone with its descriptor. In memory,
// two lines for each of some hundred thousand files were a third of what a capture takes.
import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ioError } from "../host/files.ts";
import { randomHex } from "../host/random.ts";

const chunkSize = 1 << 18;
const windowSize = 1 << 16;

export class Spool {
  readonly #directory: string;
  readonly #fd: number;
  /** What the file does not have yet. */
  readonly #chunk = Buffer.allocUnsafeSlow(chunkSize);
  #used = 0;
  #written = 0;
  /** What was read last: neighbours are asked for one after the other. */
  readonly #window = Buffer.allocUnsafeSlow(windowSize);
  #windowAt = 0;
  #windowLength = 0;

  /** directory: on a file system with room. */
  constructor(directory: string) {
    this.#directory = directory;
    const path = join(directory, `spool-${randomHex(8)}`);
    try {
      this.#fd = openSync(path, "wx+", 0o600);
      unlinkSync(path);
    } catch (cause) {
      throw ioError(`cannot create ${path}`, cause);
    }
  }

  /** Where the bytes begin. */
  append(bytes: Uint8Array): number {
    if (this.#used + bytes.length > chunkSize) this.#flush();
    const place = this.#written + this.#used;
    if (bytes.length > chunkSize) {
      this.#write(bytes);
    } else {
      this.#chunk.set(bytes, this.#used);
      this.#used += bytes.length;
    }
    return place;
  }

  /** Of what was appended; good until the next call. */
  read(place: number, length: number): Buffer {
    if (place >= this.#written)
      return this.#chunk.subarray(place - this.#written, place - this.#written + length);
    if (length > windowSize) return this.#from(Buffer.allocUnsafeSlow(length), place, length);
    const inside = place >= this.#windowAt && place + length <= this.#windowAt + this.#windowLength;
    if (!inside) {
      const most = Math.min(windowSize, this.#written - place);
      this.#from(this.#window, place, most);
      this.#windowAt = place;
      this.#windowLength = most;
    }
    return this.#window.subarray(place - this.#windowAt, place - this.#windowAt + length);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #flush(): void {
    this.#write(this.#chunk.subarray(0, this.#used));
    this.#used = 0;
  }

  #write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length; )
        at += writeSync(this.#fd, bytes, at, bytes.length - at, this.#written + at);
    } catch (cause) {
      throw ioError(`cannot write in ${this.#directory}`, cause);
    }
    this.#written += bytes.length;
  }

  #from(into: Buffer, place: number, length: number): Buffer {
    try {
      for (let at = 0; at < length; ) {
        const count = readSync(this.#fd, into, at, length - at, place + at);
        if (count === 0) throw new Error("the file was cut off");
        at += count;
      }
    } catch (cause) {
      throw ioError(`cannot read in ${this.#directory}`, cause);
    }
    return into.subarray(0, length);
  }
}
