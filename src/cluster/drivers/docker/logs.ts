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
    (piece, begins) => stdout.add(piece, begins),
    (piece, begins) => stderr.add(piece, begins),
  );
  try {
    for await (const chunk of response) {
      if (inspected.Config.Tty) stdout.add(chunk, false);
      else pieces.add(chunk);
      yield* found.splice(0);
    }
    for (const each of [stdout, stderr]) each.end();
    yield* found.splice(0);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The engine takes seconds with a fraction. */
function secondsOf(since: string): string {
  const [, fraction = ""] = /\.(\d{1,9})Z$/.exec(since) ?? [];
  return `${Math.floor(Date.parse(since) / 1000)}.${fraction.padEnd(9, "0")}`;
}

/** Characters of a line that are given at once, as the engine cuts them too: a program may never end its line. */
const longest = 16 << 10;

/** Exported for tests. */
export class Stamped {
  readonly #stream: Stream;
  readonly #found: ContainerLine[];
  readonly #decoder = new TextDecoder();
  #rest = "";
  /** Of the line that goes on; "" where it had none that could be read, so that it is left out. */
  #time: string | undefined;

  constructor(stream: Stream, found: ContainerLine[]) {
    this.#stream = stream;
    this.#found = found;
  }

  /** `begins`: a new time stands before it, whether the line before it had ended or not. */
  add(chunk: Uint8Array, begins: boolean): void {
    if (begins) this.end();
    const parts = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = parts.pop() ?? "";
    for (const part of parts) {
      this.#tell(`${part}\n`, false);
      this.#time = undefined;
    }
    if (this.#rest.length < longest) return;
    this.#tell(this.#rest, true);
    this.#rest = "";
  }

  /** What has come of a line without an end. */
  end(): void {
    this.#rest += this.#decoder.decode();
    if (this.#rest !== "") this.#tell(this.#rest, true);
    this.#rest = "";
    this.#time = undefined;
  }

  #tell(words: string, partial: boolean): void {
    let text = words;
    if (this.#time === undefined) {
      const space = words.indexOf(" ");
      const time = words.slice(0, space);
      this.#time = /^\d{4}-[\d:T.-]{5,32}Z$/.test(time) ? time : "";
      text = words.slice(space + 1);
    }
    if (this.#time === "") return;
    const line = { time: this.#time, stream: this.#stream, text };
    this.#found.push(partial ? { ...line, partial } : line);
  }
}
