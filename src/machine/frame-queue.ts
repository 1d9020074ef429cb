// Frames between a process that gives and a reader that takes: holds a bounded amount, asks for a pause beyond it.
import type { Frame } from "../formats/frames.ts";

const highWater = 2 << 20;

export class FrameQueue {
  #frames: Frame[] = [];
  #bytes = 0;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;
  readonly #resume: () => void;

  /** `resume` is called when there is room again after push() said no. */
  constructor(resume: () => void) {
    this.#resume = resume;
  }

  /** False where no more should come until `resume`. */
  push(frame: Frame): boolean {
    this.#frames.push(frame);
    this.#bytes += frame.payload.length + 64;
    this.#notify();
    return this.#bytes < highWater;
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.end();
  }

  /** Whether the last frame has come; some may still wait to be taken. */
  get ended(): boolean {
    return this.#ended;
  }

  /** All that is there, waiting for at least one; undefined at the end. */
  async take(): Promise<Frame[] | undefined> {
    while (this.#frames.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const frames = this.#frames;
    const full = this.#bytes >= highWater;
    this.#frames = [];
    this.#bytes = 0;
    if (full) this.#resume();
    return frames;
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
