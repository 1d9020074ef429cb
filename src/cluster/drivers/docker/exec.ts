// A command in a container of an engine: its streams are told apart by a header before each piece, unless it has a terminal.
import type { Duplex } from "node:stream";
import type { Running } from "../driver.ts";
import { splitWords } from "../exec-words.ts";
import type { Engine } from "./engine.ts";

type Sink = (chunk: Uint8Array) => void;
/** `begins`: it is the first of a piece, which may come in several. */
type PieceSink = (chunk: Uint8Array, begins: boolean) => void;

export function startExec(engine: Engine, container: string, command: string, terminal: boolean): Running {
  return new EngineExec(engine, container, command, terminal);
}

/** What is written or asked before the engine has opened the stream waits for it. */
class EngineExec implements Running {
  readonly #opened: Promise<Duplex | undefined>;
  #stdout: Sink = () => {};
  #stderr: Sink = () => {};
  #onExit: (status: number) => void = () => {};

  constructor(engine: Engine, container: string, command: string, terminal: boolean) {
    this.#opened = this.#open(engine, container, command, terminal).catch((error: unknown) => {
      this.#stderr(Buffer.from(`${error instanceof Error ? error.message : String(error)}\n`));
      this.#onExit(125);
      return undefined;
    });
  }

  async #open(engine: Engine, container: string, command: string, terminal: boolean): Promise<Duplex> {
    const { Id } = await engine.post<{ Id: string }>(`/containers/${container}/exec`, {
      body: {
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
        Tty: terminal,
        Cmd: splitWords(command),
      },
    });
    const stream = await engine.hijack(`/exec/${Id}/start`, { Detach: false, Tty: terminal });
    const demultiplexer = new Demultiplexer(
      (chunk) => this.#stdout(chunk),
      (chunk) => this.#stderr(chunk),
    );
    stream.on("data", (chunk: Buffer) => {
      if (terminal) this.#stdout(chunk);
      else demultiplexer.add(chunk);
    });
    stream.on("error", () => {}); // closing follows
    stream.on("close", () => void this.#ended(engine, Id));
    stream.on("end", () => stream.end());
    return stream;
  }

  async #ended(engine: Engine, id: string): Promise<void> {
    const seen = await engine.get<{ ExitCode: number | null }>(`/exec/${id}/json`).catch(() => undefined);
    this.#onExit(seen?.ExitCode ?? 125);
  }

  write(chunk: Uint8Array): void {
    void this.#opened.then((stream) => stream?.write(chunk));
  }

  end(): void {
    void this.#opened.then((stream) => stream?.end());
  }

  /** The engine has no call to end a command: it loses its streams. */
  kill(): void {
    void this.#opened.then((stream) => stream?.destroy());
  }

  pause(): void {
    void this.#opened.then((stream) => stream?.pause());
  }

  resume(): void {
    void this.#opened.then((stream) => stream?.resume());
  }

  onOutput(stdout: Sink, stderr: Sink): void {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  onExit(listener: (status: number) => void): void {
    this.#onExit = listener;
  }
}

/** Eight bytes before each piece: 1 or 2, three zeros, and the length, most significant byte first (Engine API, "attach"). */
export class Demultiplexer {
  readonly #sinks: readonly [PieceSink, PieceSink];
  #rest: Buffer = Buffer.alloc(0);
  /** Bytes that still belong to the piece under way. */
  #left = 0;
  #stream = 1;
  #begins = false;

  constructor(stdout: PieceSink, stderr: PieceSink) {
    this.#sinks = [stdout, stderr];
  }

  add(chunk: Buffer): void {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      if (this.#left > 0 && data.length > 0) {
        const piece = data.subarray(0, this.#left);
        this.#left -= piece.length;
        data = data.subarray(piece.length);
        this.#sinks[this.#stream === 2 ? 1 : 0](piece, this.#begins);
        this.#begins = false;
      }
      if (this.#left > 0 || data.length < 8) break;
      this.#stream = data[0] ?? 1;
      this.#left = data.readUInt32BE(4);
      this.#begins = true;
      data = data.subarray(8);
    }
    this.#rest = Buffer.from(data);
  }
}
