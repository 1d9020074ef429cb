// What reading a tar tells of, in the order of the archive.
import type { TarEntry } from "./tar-entry.ts";

export type TarEvent =
  | { type: "entry"; entry: TarEntry }
  /** Content of the last entry; `offset` is where it lies in the file. */
  | { readonly type: "data"; readonly offset: number; readonly bytes: Uint8Array }
  | { type: "end" };

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
