// Programs of ours on a far machine, among its own files: what `--in-place` needs, and nothing else uses.
import type { Readable, Writable } from "node:stream";
import type { ByteString } from "../formats/entry.ts";
import type { RunOptions, RunResult } from "../host/process.ts";

/** A private directory of a far machine, removed with the connection that it was made over. */
export interface FarPlace {
  /** On the machine: absolute, without symbolic links of ours. */
  readonly directory: ByteString;
  /** Writes an executable file into it and compares what arrived. E_MACHINE_UNREACHABLE, E_IO. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Runs a file of it as root to its end; any status is a result, 255 is also that of a link that broke: see `lost`. */
  run(name: string, options: RunOptions): Promise<RunResult>;
  /** Starts a script of it as root, with pipes. Its output is what the script writes: a login shell's talk is taken away. */
  start(name: string): FarSession;
  /** The connection has broken. */
  lost(): boolean;
}

export interface FarSession {
  input: Writable;
  output: AsyncIterable<Uint8Array>;
  errors: Readable;
  /** Of ssh; 255 where the link broke. All output was read. */
  closed: Promise<number>;
}
