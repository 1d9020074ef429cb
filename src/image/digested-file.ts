// A new file whose digest is made while it is written.
import type { FileHandle } from "node:fs/promises";
import type { Digest } from "../formats/oci-reference.ts";
import { ioError } from "../host/files.ts";
import { Digester } from "./digest.ts";

export class DigestedFile {
  readonly file: FileHandle;
  readonly path: string;
  readonly #digester = new Digester();
  #digest: Digest | undefined;
  /** Bytes written. */
  size = 0;

  /** Whoever made it closes the handle. */
  constructor(file: FileHandle, path: string) {
    this.file = file;
    this.path = path;
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.#digester.update(bytes);
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await this.file.write(bytes, done, bytes.length - done)).bytesWritten;
      }
    } catch (cause) {
      throw ioError(`cannot write ${this.path}`, cause);
    }
    this.size += bytes.length;
  }

  /** Of all that was written; nothing is written after it. */
  digest(): Digest {
    this.#digest ??= this.#digester.digest();
    return this.#digest;
  }
}
