// A command that an agent carries out, as the control plane holds it.
import type { Running } from "../driver.ts";
import type { ToAgent } from "./protocol.ts";

type Sink = (chunk: Uint8Array) => void;

interface Wire {
  session: number;
  say: (word: ToAgent) => void;
  input: Sink;
}

export class RemoteExec implements Running {
  readonly #wire: Wire;
  #stdout: Sink = () => {};
  #stderr: Sink = () => {};
  #onExit: (status: number) => void = () => {};

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  output(stream: number, chunk: Uint8Array): void {
    (stream === 2 ? this.#stderr : this.#stdout)(chunk);
  }

  exited(status: number): void {
    this.#onExit(status);
  }

  write(chunk: Uint8Array): void {
    this.#wire.input(chunk);
  }

  end(): void {
    this.#wire.say({ eof: this.#wire.session });
  }

  kill(): void {
    this.#wire.say({ kill: this.#wire.session });
  }

  pause(): void {
    this.#wire.say({ hold: this.#wire.session });
  }

  resume(): void {
    this.#wire.say({ go: this.#wire.session });
  }

  onOutput(stdout: Sink, stderr: Sink): void {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  onExit(listener: (status: number) => void): void {
    this.#onExit = listener;
  }
}
