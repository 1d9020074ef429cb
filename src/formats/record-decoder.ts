// A stream of frames whose types name kinds of records and whose last record says that all was told: what the tracer
// and the file witness write (docs/internals/records.md).
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "./entry.ts";
import { FieldReader } from "./fields.ts";
import { type Frame, FrameReader } from "./frames.ts";

/** One kind of stream. */
export interface RecordStream<T> {
  magic: ByteString;
  /** The program that writes it, for error messages. */
  program: string;
  /** By type of frame. */
  readers: Readonly<Record<number, (id: number, fields: FieldReader) => T>>;
  /** After it nothing may follow. */
  isLast(record: T): boolean;
}

/** What is wrong with a stream of this program, thrown as E_PROTOCOL. */
export function refuseRecord(program: string, problem: string): never {
  throw new TranshipError("E_PROTOCOL", `${program}: ${problem}`, {
    hint: `use the ${program} program of this version of Tranship and keep its output whole`,
  });
}

/** Feed the bytes as they come, in pieces of any size; each call returns the records that became complete. */
export class RecordDecoder<T> {
  readonly #stream: RecordStream<T>;
  readonly #frames: FrameReader;
  #ended = false;

  constructor(stream: RecordStream<T>) {
    this.#stream = stream;
    this.#frames = new FrameReader(stream.magic);
  }

  /** Whether the last record was seen; tells without an error of a writer that was killed. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The bytes must not be written to afterwards. */
  feed(bytes: Uint8Array): T[] {
    this.#frames.push(bytes);
    const records: T[] = [];
    for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
      records.push(this.#record(frame));
    }
    return records;
  }

  /** To be called when the stream has ended; E_PROTOCOL where it broke off. */
  finish(): void {
    this.#frames.end();
    if (!this.#ended) refuseRecord(this.#stream.program, "the stream ended without an END record");
  }

  #record(frame: Frame): T {
    const { readers, program, isLast } = this.#stream;
    if (this.#ended) refuseRecord(program, "a record after END");
    const read = readers[frame.type];
    if (read === undefined) refuseRecord(program, `record type ${frame.type} is unknown`);
    const fields = new FieldReader(frame.payload);
    const record = read(frame.id, fields);
    fields.end();
    this.#ended = isLast(record);
    return record;
  }
}
