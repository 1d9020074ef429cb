// Lines as the streams of a command carry them: one JSON text a line on its standard output. So logs travel from a node as the output of commands does.
import type { Running } from "../drivers/driver.ts";
import type { LogEvent } from "./log-event.ts";
import { textLines } from "./text-lines.ts";

type Sink = (chunk: Uint8Array) => void;

/** Characters that are sent together at most. */
const most = 16 << 10;
/** Chunks that may wait at the receiving end. */
const highWater = 64;

/** `make` is called once output is asked for; its signal is raised by `kill`. */
export function runningLines(make: (signal: AbortSignal) => AsyncIterable<LogEvent>): Running {
  const ended = new AbortController();
  let held: PromiseWithResolvers<void> | undefined;
  let onExit: (status: number) => void = () => {};
  const pump = async (stdout: Sink): Promise<void> => {
    let text = "";
    let timer: NodeJS.Timeout | undefined;
    const flush = (): void => {
      clearTimeout(timer);
      timer = undefined;
      if (text !== "") stdout(Buffer.from(text));
      text = "";
    };
    try {
      for await (const event of make(ended.signal)) {
        if (ended.signal.aborted) break;
        text += `${JSON.stringify(event)}\n`;
        timer ??= setTimeout(flush, 20);
        if (text.length < most) continue;
        flush();
        await held?.promise;
        // Whoever wants it held up must have a chance to say so.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      flush();
    }
  };
  return {
    write: () => {},
    end: () => {},
    kill: () => {
      ended.abort();
      held?.resolve();
    },
    pause: () => {
      held ??= Promise.withResolvers();
    },
    resume: () => {
      held?.resolve();
      held = undefined;
    },
    onOutput: (stdout) => {
      pump(stdout).then(
        () => onExit(0),
        () => onExit(1),
      );
    },
    onExit: (listener) => {
      onExit = listener;
    },
  };
}

/** Ends when the other side does, after `onLost` where that did not tell all of its lines. Leaving it kills the other side. What comes before it is read waits. */
export function linesFrom(running: Running, onLost: () => void): AsyncGenerator<LogEvent> {
  const chunks = new ChunkQueue(running);
  const lines = read(running, chunks, onLost);
  const leave = lines.return.bind(lines);
  // One that waits for a line would wait on.
  lines.return = (value) => {
    chunks.close();
    return leave(value);
  };
  return lines;
}

async function* read(running: Running, chunks: ChunkQueue, onLost: () => void): AsyncGenerator<LogEvent> {
  try {
    for await (const line of textLines(chunks.all())) yield parseEvent(line);
  } catch {
    onLost();
  } finally {
    running.kill();
  }
}

/** A node that says something else must not upset who puts lines of all in order. */
function parseEvent(line: string): LogEvent {
  const event = JSON.parse(line) as LogEvent | null;
  for (const member of ["time", "text", "task", "container"] as const)
    if (typeof event?.[member] !== "string") throw new Error(`a line of a log without ${member}`);
  return event as LogEvent;
}

class ChunkQueue {
  readonly #running: Running;
  readonly #chunks: Uint8Array[] = [];
  #status: number | undefined;
  #news = Promise.withResolvers<void>();

  constructor(running: Running) {
    this.#running = running;
    running.onExit((status) => {
      this.#status = status;
      this.#news.resolve();
    });
    running.onOutput(
      (chunk) => {
        this.#chunks.push(chunk);
        if (this.#chunks.length === highWater) running.pause();
        this.#news.resolve();
      },
      () => {},
    );
  }

  close(): void {
    this.#running.kill();
    this.#status ??= 0;
    this.#chunks.length = 0;
    this.#news.resolve();
  }

  async *all(): AsyncGenerator<Uint8Array> {
    for (;;) {
      for (let chunk = this.#chunks.shift(); chunk !== undefined; chunk = this.#chunks.shift()) {
        if (this.#chunks.length === highWater >> 1) this.#running.resume();
        yield chunk;
      }
      if (this.#status !== undefined) break;
      this.#running.resume();
      await this.#news.promise;
      this.#news = Promise.withResolvers();
    }
    if (this.#status !== 0) throw new Error("the node did not tell all of its lines");
  }
}
