// Puts objects of the source into a running instance, by `tree place`: each whole or not at all, never in the place of another.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { TranshipError } from "../../base/errors.ts";
import type { Entry } from "../../formats/entry.ts";
import { encodeFrame, encodeMagic, FrameReader, treeMagic } from "../../formats/frames.ts";
import {
  decodeError,
  encodeDataHeader,
  encodeEnd,
  encodeEntry,
  encodeError,
  treeFrame,
} from "../../formats/tree-records.ts";
import { nativePath } from "../../host/native.ts";
import { errnoName } from "../../machine/errno.ts";
import type { FileStream } from "../../machine/machine.ts";

export interface Placed {
  /** "EEXIST": somebody was first. "EXDEV": the place is on a mount of its own. undefined: it is there. */
  readonly error: string | undefined;
  /** sha256 of the data of a regular file, holes left out; "" for all else. */
  readonly digest: string;
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** Data of one frame. */
const maxData = 512 << 10;
/** Processes kept for the next object. */
const keptIdle = 4;

/** Any number of objects at once, each by a process of its own. */
export class Placer {
  readonly #root: string;
  readonly #idle: PlaceProcess[] = [];

  /** `root`: a directory of this host that is the instance's root. */
  constructor(root: string) {
    this.#root = root;
  }

  async place(stream: FileStream): Promise<Placed> {
    let process = this.#idle.pop();
    while (process?.ended === true) process = this.#idle.pop();
    process ??= new PlaceProcess(this.#root);
    const placed = await process.place(stream);
    if (this.#idle.length < keptIdle) this.#idle.push(process);
    else process.close();
    return placed;
  }

  close(): void {
    for (const process of this.#idle.splice(0)) process.close();
  }
}

class PlaceProcess {
  readonly #child: Child;
  readonly #reader = new FrameReader(treeMagic);
  #answered: ((error: string | undefined) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;
  ended = false;

  constructor(root: string) {
    this.#child = spawn(nativePath("tree"), ["place", root], {
      stdio: ["pipe", "pipe", "inherit"],
      cwd: "/",
      env: {},
    });
    this.#child.stdin.on("error", () => {}); // told by its end
    this.#child.stdin.write(encodeMagic(treeMagic));
    this.#child.stdout.on("data", (chunk: Uint8Array) => this.#received(chunk));
    this.#child.on("error", (cause) => this.#end(cause));
    this.#child.on("close", () => this.#end());
  }

  async place(stream: FileStream): Promise<Placed> {
    const answer = new Promise<string | undefined>((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
    });
    // Waited for below, also where sending fails first.
    answer.catch(() => {});
    if (this.ended) this.#end();
    const hash = createHash("sha256");
    await this.#send(encodeFrame({ type: treeFrame.entry, id: 1, payload: encodeEntry(stream.entry) }));
    try {
      for await (const { offset, bytes } of stream.data) {
        hash.update(bytes);
        for (let at = 0; at < bytes.length; at += maxData) {
          const part = bytes.subarray(at, at + maxData);
          await this.#send(encodeDataHeader(offset + at, part.length, 1));
          await this.#send(part);
        }
      }
    } catch (error) {
      await this.#send(
        encodeFrame({ type: treeFrame.error, id: 1, payload: encodeError({ errno: 5, path: "" }) }),
      );
      await answer;
      throw error;
    }
    await this.#send(encodeFrame({ type: treeFrame.end, id: 1, payload: encodeEnd() }));
    const error = await answer;
    return { error, digest: stream.entry.kind === "file" ? hash.digest("hex") : "" };
  }

  close(): void {
    this.#child.stdin.end();
  }

  async #send(bytes: Uint8Array): Promise<void> {
    if (this.ended || this.#child.stdin.destroyed) return;
    if (this.#child.stdin.write(bytes)) return;
    // One of the two is left over each time: its listeners must go.
    const over = new AbortController();
    const { signal } = over;
    await Promise.race([
      once(this.#child.stdin, "drain", { signal }),
      once(this.#child, "close", { signal }),
    ]).catch(() => {});
    over.abort();
  }

  #received(chunk: Uint8Array): void {
    try {
      this.#reader.push(chunk);
      for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next())
        this.#answered?.(
          frame.type === treeFrame.error ? errnoName(decodeError(frame.payload).errno) : undefined,
        );
    } catch (error) {
      this.#end(error instanceof Error ? error : undefined);
    }
  }

  #end(cause?: Error): void {
    this.ended = true;
    this.#failed?.(new TranshipError("E_TOOL_FAILED", "tree place has ended unasked", { cause }));
  }
}

/** A stream of what has no content. */
export function bare(entry: Entry): FileStream {
  return { entry, data: (async function* () {})(), changed: () => false };
}
