// A file that is read in pieces, in any order: how readers of large databases see it.

export interface RandomAccess {
  /** Bytes. */
  readonly size: number;
  /** `length` bytes at `offset`; fewer where the file ends before. */
  read(offset: number, length: number): Promise<Uint8Array>;
}
