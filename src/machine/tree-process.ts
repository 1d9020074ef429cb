// One running `tree serve`: requests go out as they come, answers come back in the same order.
// It never outlives this process: the end of its stdin ends it; here the kernel kills it, too, when its parent dies.
import { Socket } from "node:net";
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";
import { encodeFrame, encodeMagic, type Frame, FrameReader, treeMagic } from "../formats/frames.ts";
import { spawnError, statusOf } from "../host/process.ts";
import { spawnTree, type TreeChild, type TreeWithin } from "../host/tree-spawn.ts";

/** Who gets the answers to one request. */
export interface Answer {
  /** "end" after the last frame; "pause" where no more should be read until resume(). */
  frame(frame: Frame): "more" | "end" | "pause";
  fail(error: TranshipError): void;
}

/** Where a `tree serve` runs, and how one is started there. */
export interface TreePlace {
  /** For messages: the directory or the address. */
  readonly name: string;
  start(): TreeChild;
  /** The records begin after this text, which `start` makes it say first: a login shell may have talked before. */
  readonly preamble?: ByteString;
  /** The error for a server that ended unasked. Default E_TOOL_FAILED. */
  died?(status: number, words: string): TranshipError;
  /** Walks and streams that may be open at once. Default 64. */
  readonly maxOpen?: number;
}

export interface TreeProcessOptions {
  /** For tests: never use openat2. */
  noOpenat2?: boolean;
  /** A process: see spawnTree(). */
  within?: TreeWithin;
}

/** A directory of this host. */
export function hostTree(root: string, options: TreeProcessOptions = {}): TreePlace {
  const args = ["serve", ...(options.noOpenat2 ? ["--no-openat2"] : []), root];
  return {
    name: root,
    start: () => spawnTree(args, true, options.within),
  };
}

const keptStderr = 4096;
/** Of what a login shell says before the records begin. */
const maxPreamble = 64 << 10;

export class TreeProcess {
  readonly #child: TreeChild;
  readonly #place: TreePlace;
  readonly #reader = new FrameReader(treeMagic);
  readonly #closed: Promise<void>;
  /** What came before the preamble has been seen; undefined after it. */
  #before: Uint8Array | undefined;
  #pending = new Map<number, Answer>();
  #nextId = 1;
  #firstId = 1;
  #paused = false;
  #corked = false;
  #stderr = "";
  #broken: TranshipError | undefined;
  #ending = false;

  constructor(place: TreePlace) {
    this.#place = place;
    this.#before = place.preamble === undefined ? undefined : new Uint8Array(0);
    this.#child = place.start();
    const { stdin, stdout, stderr } = this.#child;
    this.#unref();
    stdin.on("error", () => {}); // told by the exit status
    stdin.write(encodeMagic(treeMagic));
    stdout.on("data", (chunk: Uint8Array) => this.#received(chunk));
    // It has ended, perhaps in the middle of an answer: why is told by its status, which is worth waiting for.
    stdout.on("end", () => this.#ref());
    stderr.on("data", (chunk: Uint8Array) => {
      if (this.#stderr.length < keptStderr) this.#stderr += new TextDecoder().decode(chunk);
    });
    this.#closed = new Promise((resolve) => {
      this.#child.on("error", (cause: NodeJS.ErrnoException) => {
        this.#fail(spawnError("tree", cause));
        resolve();
      });
      this.#child.on("close", (code, signal) => {
        this.#fail(this.#died(statusOf(code, signal)));
        resolve();
      });
    });
  }

  /** Why it can no longer be used. */
  get broken(): TranshipError | undefined {
    return this.#broken;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  request(type: number, payload: Uint8Array, answer: Answer): void {
    if (this.#broken !== undefined) {
      answer.fail(this.#broken);
      return;
    }
    const { stdin } = this.#child;
    if (this.#pending.size === 0) this.#ref();
    const id = this.#nextId;
    this.#nextId = id === 0xffffffff ? 1 : id + 1;
    this.#pending.set(id, answer);
    if (!this.#corked) {
      // What is asked in one turn goes out in one write.
      this.#corked = true;
      stdin.cork();
      process.nextTick(() => {
        this.#corked = false;
        stdin.uncork();
      });
    }
    stdin.write(encodeFrame({ type, id, payload }));
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#deliver();
    if (!this.#paused) this.#child.stdout.resume();
  }

  /** Ends it at once; what was asked fails. */
  async kill(): Promise<void> {
    this.#ending = true;
    this.#ref();
    this.#child.kill("SIGKILL");
    this.#child.stdout.destroy();
    await this.#closed;
  }

  /** Lets it answer what was asked, then ends it. */
  async close(): Promise<void> {
    this.#ending = true;
    if (this.#paused) return this.kill();
    this.#ref();
    this.#child.stdin.end();
    await this.#closed;
  }

  /** An idle server does not keep the command alive. */
  #unref(): void {
    this.#child.unref();
    const { stdin, stdout, stderr } = this.#child;
    for (const stream of [stdin, stdout, stderr]) if (stream instanceof Socket) stream.unref();
  }

  /** Its answer, or its end, is worth waiting for. */
  #ref(): void {
    this.#child.ref();
    for (const stream of [this.#child.stdout, this.#child.stderr]) if (stream instanceof Socket) stream.ref();
  }

  #received(received: Uint8Array): void {
    if (this.#broken !== undefined) return;
    const chunk = this.#before === undefined ? received : this.#afterPreamble(this.#before, received);
    if (chunk === undefined) return;
    this.#reader.push(chunk);
    this.#deliver();
    if (this.#paused) this.#child.stdout.pause();
  }

  #afterPreamble(before: Uint8Array, chunk: Uint8Array): Uint8Array | undefined {
    const text = Buffer.from(this.#place.preamble ?? "", "latin1");
    const all = Buffer.concat([before, chunk]);
    const at = all.indexOf(text);
    if (at < 0 && all.length > maxPreamble) {
      this.#fail(new TranshipError("E_PROTOCOL", `${this.#place.name} talks and does not begin to serve`));
      this.#child.kill("SIGKILL");
    }
    this.#before = at < 0 ? all : undefined;
    return at < 0 ? undefined : all.subarray(at + text.length);
  }

  #deliver(): void {
    try {
      while (!this.#paused) {
        const frame = this.#reader.next();
        if (frame === undefined) return;
        this.#dispatch(frame);
      }
    } catch (error) {
      const failure =
        error instanceof TranshipError
          ? error
          : new TranshipError("E_INTERNAL", String(error), { cause: error });
      this.#fail(failure);
      this.#child.kill("SIGKILL");
    }
  }

  #dispatch(frame: Frame): void {
    const answer = this.#pending.get(frame.id);
    if (answer === undefined || frame.id !== this.#firstId) {
      throw new TranshipError("E_PROTOCOL", `tree answers request ${frame.id}, ${this.#firstId} was next`);
    }
    const verdict = answer.frame(frame);
    if (verdict === "end") {
      this.#pending.delete(frame.id);
      this.#firstId = frame.id === 0xffffffff ? 1 : frame.id + 1;
      // While it is being closed its end is waited for, also after the last answer.
      if (this.#pending.size === 0 && !this.#ending) this.#unref();
    }
    if (verdict === "pause") this.#paused = true;
  }

  #died(status: number): TranshipError {
    if (this.#ending)
      return new TranshipError("E_TOOL_FAILED", `the machine at ${this.#place.name} was closed`);
    const words = this.#stderr.trim();
    if (this.#place.died !== undefined) return this.#place.died(status, words);
    return new TranshipError("E_TOOL_FAILED", `tree ended with status ${status}${words && `: ${words}`}`, {
      details: { program: "tree", root: this.#place.name, status },
    });
  }

  #fail(error: TranshipError): void {
    this.#broken ??= error;
    const pending = this.#pending;
    this.#pending = new Map();
    for (const answer of pending.values()) answer.fail(this.#broken);
  }
}
