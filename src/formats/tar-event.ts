// What reading a tar tells of, in the order of the archive.
import type { TarEntry } from "./tar-entry.ts";

/** Is told as it is read, nothing is made for it but the entry. What it throws ends the reading. */
export interface TarSink {
  entry(entry: TarEntry): void;
  /** Content of the last entry: the bytes from `from` to `to` of the chunk, which lie at `offset` of the file. */
  data(offset: number, chunk: Uint8Array, from: number, to: number): void;
  /** The last entry has no more content. */
  end(): void;
}

export type TarEvent =
  | { type: "entry"; entry: TarEntry }
  /** Content of the last entry; `offset` is where it lies in the file. */
  | { readonly type: "data"; readonly offset: number; readonly bytes: Uint8Array }
  | { type: "end" };

export const endEvent = { type: "end" } as const;

/** A view costs as much as the rest of a small entry: it is made when somebody looks. */
export class TarData {
  readonly type = "data";
  readonly offset: number;
  private readonly chunk: Uint8Array;
  private readonly from: number;
  private readonly to: number;

  constructor(offset: number, chunk: Uint8Array, from: number, to: number) {
    this.offset = offset;
    this.chunk = chunk;
    this.from = from;
    this.to = to;
  }

  get bytes(): Uint8Array {
    return this.chunk.subarray(this.from, this.to);
  }
}

/** Keeps what it is told, for those who have to wait between events. */
export class TarEvents implements TarSink {
  #events: TarEvent[] = [];

  entry(entry: TarEntry): void {
    this.#events.push({ type: "entry", entry });
  }

  data(offset: number, chunk: Uint8Array, from: number, to: number): void {
    this.#events.push(new TarData(offset, chunk, from, to));
  }

  end(): void {
    this.#events.push(endEvent);
  }

  /** Those since it was asked last. */
  take(): TarEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}
