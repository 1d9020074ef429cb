// A blob while it is fetched: who downloads it tells how much of its file is written, who unpacks it reads that file behind him and learns
// at the end whether it is what was asked for. What is read before that is anybody's: nothing made of it may stay.
//
// The file between the two is on purpose: neither waits for the other, memory does not grow with what one of them is behind, what an earlier
// command had fetched is read in the same way, and so is a blob that the other begins with late.
import { closeSync, openSync, read as readInto } from "node:fs";
import { promisify } from "node:util";
import { TranshipError } from "../base/errors.ts";
import type { Descriptor } from "../formats/oci.ts";
import { ioError } from "../host/files.ts";
import { giveBack } from "./give-back.ts";

const readSize = 1 << 20;
const readAt = promisify(readInto);

export class ArrivingBlob {
  readonly descriptor: Descriptor;
  #path: string | undefined;
  #fd: number | undefined;
  /** Bytes of the file that are written. */
  #size = 0;
  /** Counts how often it was begun from the start: what readers of an earlier time have seen is void. */
  #begun = 0;
  #checked = false;
  #failure: Error | undefined;
  #waiting: (() => void)[] = [];
  readonly #changed: () => void;

  /** `changed` is called whenever what is known of it has changed. */
  constructor(descriptor: Descriptor, changed: () => void = () => {}) {
    this.descriptor = descriptor;
    this.#changed = changed;
  }

  /** The file that it is written to, from its beginning on. */
  begin(path: string): void {
    this.#path = path;
    this.#size = 0;
    this.#begun++;
    this.#tell();
  }

  advance(bytes: number): void {
    this.#size += bytes;
    this.#tell();
  }

  /** The file goes to another place now; who has it open goes on reading it. */
  end(): void {
    this.#path = undefined;
  }

  /** Size and digest are what was asked for, and the store has it. */
  check(): void {
    this.#checked = true;
    this.#tell();
  }

  fail(cause: unknown): void {
    this.#failure = cause instanceof Error ? cause : new Error(String(cause));
    this.#tell();
  }

  /** Whether there is something that can be read already. */
  get isReadable(): boolean {
    return this.#path !== undefined && this.#size > 0;
  }

  get isChecked(): boolean {
    return this.#checked;
  }

  get isFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Changes where what was read so far is void. */
  get generation(): number {
    return this.#begun;
  }

  /** Opens what isReadable, for read(). To be closed by release(). */
  hold(): void {
    if (this.#path === undefined || this.#fd !== undefined)
      throw new TranshipError("E_INTERNAL", `${this.descriptor.digest} cannot be read while it is fetched`);
    try {
      this.#fd = openSync(this.#path, "r");
    } catch (cause) {
      throw ioError(`cannot read ${this.#path}`, cause);
    }
  }

  release(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** The bytes as they come, each piece valid until the next is asked for. It throws where no more will come, or others in their place. */
  async *read(): AsyncGenerator<Uint8Array, void, void> {
    const begun = this.#begun;
    const fd = this.#fd;
    if (fd === undefined) throw new TranshipError("E_INTERNAL", `${this.descriptor.digest} is not held`);
    const buffer = Buffer.allocUnsafeSlow(Math.min(readSize, Math.max(1, this.descriptor.size)));
    try {
      for (let at = 0; at < this.descriptor.size; ) {
        await this.#until(() => this.#size > at || this.#begun !== begun);
        const most = Math.min(buffer.length, this.#size - at);
        const bytesRead = this.#begun === begun ? (await readAt(fd, buffer, 0, most, at)).bytesRead : 0;
        // Begun anew meanwhile: what was read may be of before or of after.
        if (this.#begun !== begun || bytesRead === 0) throw superseded(this.descriptor);
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      giveBack(buffer);
    }
  }

  /** Ends when it is known to be what was asked for; throws what the download ended with where it is not. */
  async checked(): Promise<void> {
    await this.#until(() => this.#checked);
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #tell(): void {
    for (const wake of this.#waiting.splice(0)) wake();
    this.#changed();
  }
}

function superseded({ digest }: Descriptor): TranshipError {
  return new TranshipError("E_IMAGE_CORRUPT", `blob ${digest} was fetched anew while it was read`);
}
