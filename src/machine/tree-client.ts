// Asks one `tree serve` for everything small, in a pipeline, and gives each walk and each stream a server of its own while
// it lasts: whoever reads a walk slowly may ask other things meanwhile, and nothing waits behind a large file.
import { TranshipError } from "../base/errors.ts";
import type { Frame } from "../formats/frames.ts";
import { decodeError, treeFrame } from "../formats/tree-records.ts";
import { ioError } from "./errno.ts";
import { FrameQueue } from "./frame-queue.ts";
import { type TreePlace, TreeProcess } from "./tree-process.ts";

/** Servers kept for the next walk or stream. */
const keptIdle = 5;
/** Walks and streams that may be open at once. */
const maxOpen = 64;

export interface Answers {
  frames: Frame[];
  /** errno; 0 where the request ended well. */
  errno: number;
}

export interface Stream {
  queue: FrameQueue;
  /** Ends the request early; nothing where it has ended. */
  stop(): Promise<void>;
}

export class TreeClient {
  readonly #place: TreePlace;
  #small: TreeProcess | undefined;
  #idle: TreeProcess[] = [];
  readonly #busy = new Set<TreeProcess>();
  #closed = false;

  constructor(place: TreePlace) {
    this.#place = place;
  }

  /** All frames of the answer; END and ERROR are not among them. E_LIMIT beyond maxBytes of payload. */
  ask(type: number, payload: Uint8Array, maxBytes: number, single = false): Promise<Answers> {
    return new Promise((resolve, reject) => {
      const frames: Frame[] = [];
      let bytes = 0;
      const frame = (got: Frame): "more" | "end" => {
        if (got.type === treeFrame.error) {
          resolve({ frames, errno: decodeError(got.payload).errno });
          return "end";
        }
        if (got.type !== treeFrame.end) {
          bytes += got.payload.length;
          if (bytes <= maxBytes) frames.push(got);
          if (!single) return "more";
        }
        if (bytes <= maxBytes) resolve({ frames, errno: 0 });
        else reject(new TranshipError("E_LIMIT", `an answer of ${bytes} bytes, allowed ${maxBytes}`));
        return "end";
      };
      this.#server().request(type, payload, { frame, fail: reject });
    });
  }

  /** The answers as they come; the server stops while nobody takes them. END is the last frame. */
  stream(type: number, payload: Uint8Array, errorEnds: boolean): Stream {
    const server = this.#take();
    const queue = new FrameQueue(() => server.resume());
    server.request(type, payload, {
      frame: (got) => {
        const room = queue.push(got);
        if (got.type === treeFrame.end || (errorEnds && got.type === treeFrame.error)) {
          queue.end();
          this.#give(server);
          return "end";
        }
        return room ? "more" : "pause";
      },
      fail: (error) => {
        this.#busy.delete(server);
        queue.fail(error);
      },
    });
    const stop = async (): Promise<void> => {
      if (queue.ended) return;
      this.#busy.delete(server);
      await server.kill();
    };
    return { queue, stop };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const open = [...this.#busy].map((server) => server.kill());
    const idle = [...this.#idle, ...(this.#small === undefined ? [] : [this.#small])].map((s) => s.close());
    this.#idle = [];
    await Promise.all([...open, ...idle]);
  }

  /** Pids of all servers: for tests. */
  pids(): number[] {
    const all = [...this.#busy, ...this.#idle, ...(this.#small === undefined ? [] : [this.#small])];
    return all.flatMap((server) => (server.pid === undefined ? [] : [server.pid]));
  }

  /** A server of the caller's own, for a pipeline of many requests; given back by kill() or close() of itself. */
  lend(): TreeProcess {
    const server = this.#take();
    return server;
  }

  giveBack(server: TreeProcess): void {
    if (server.broken === undefined) this.#give(server);
    else this.#busy.delete(server);
  }

  #server(): TreeProcess {
    this.#refuseClosed();
    this.#small ??= new TreeProcess(this.#place);
    return this.#small;
  }

  #take(): TreeProcess {
    this.#refuseClosed();
    if (this.#busy.size >= (this.#place.maxOpen ?? maxOpen)) {
      throw new TranshipError("E_LIMIT", `${this.#busy.size} walks and streams are open at once`, {
        hint: "read each to its end, or return it, before opening more",
      });
    }
    let server = this.#idle.pop();
    while (server !== undefined && server.broken !== undefined) server = this.#idle.pop();
    server ??= new TreeProcess(this.#place);
    this.#busy.add(server);
    return server;
  }

  #give(server: TreeProcess): void {
    this.#busy.delete(server);
    if (this.#closed || server.broken !== undefined || this.#idle.length >= keptIdle) void server.close();
    else this.#idle.push(server);
  }

  #refuseClosed(): void {
    if (this.#closed) throw new TranshipError("E_INTERNAL", `the machine at ${this.#place.name} is closed`);
  }
}

/** What an ERROR frame says, as an error to throw. */
export function errorOfFrame(frame: Frame): TranshipError {
  const { errno, path } = decodeError(frame.payload);
  return ioError(errno, path);
}
