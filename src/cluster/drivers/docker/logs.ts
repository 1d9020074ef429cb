// What a container of an engine wrote, as the engine tells it: with the time before each line, and the streams told apart by a header unless it has a terminal.
import type { ContainerLine, ReadOptions } from "../containers.ts";
import { type Engine, EngineError } from "./engine.ts";
import { Demultiplexer } from "./exec.ts";

type Stream = ContainerLine["stream"];

/** Nothing where the container is not there, or its driver keeps nothing that could be read. */
export async function* readLogs(
  engine: Engine,
  name: string,
  { follow, since, signal }: ReadOptions,
): AsyncGenerator<ContainerLine> {
  const inspected = await engine.get<{ Config: { Tty: boolean } }>(`/containers/${name}/json`);
  if (inspected === undefined) return;
  const query = {
    stdout: "1",
    stderr: "1",
    timestamps: "1",
    ...(follow ? { follow: "1" } : {}),
    ...(since === undefined ? {} : { since: secondsOf(since) }),
  };
  let response: AsyncIterable<Buffer>;
  try {
    response = await engine.stream(`/containers/${name}/logs`, { query }, signal);
  } catch (error) {
    if (error instanceof EngineError) return;
    throw error;
  }
  const found: ContainerLine[] = [];
  const [stdout, stderr] = [new Stamped("stdout", found), new Stamped("stderr", found)];
  const pieces = new Demultiplexer(
    (piece) => stdout.add(piece),
    (piece) => stderr.add(piece),
  );
  try {
    for await (const chunk of response) {
      if (inspected.Config.Tty) stdout.add(chunk);
      else pieces.add(chunk);
      yield* found.splice(0);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The engine takes seconds with a fraction. */
function secondsOf(since: string): string {
  const [, fraction = ""] = /\.(\d{1,9})Z$/.exec(since) ?? [];
  return `${Math.floor(Date.parse(since) / 1000)}.${fraction.padEnd(9, "0")}`;
}

class Stamped {
  readonly #stream: Stream;
  readonly #found: ContainerLine[];
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(stream: Stream, found: ContainerLine[]) {
    this.#stream = stream;
    this.#found = found;
  }

  add(chunk: Uint8Array): void {
    const parts = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = parts.pop() ?? "";
    for (const part of parts) {
      const space = part.indexOf(" ");
      const time = part.slice(0, space);
      if (/^\d{4}-.*Z$/.test(time))
        this.#found.push({ time, stream: this.#stream, text: `${part.slice(space + 1)}\n` });
    }
  }
}
