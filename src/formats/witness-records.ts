// Decodes the stream of native/witness: docs/internals/records.md, section 4.
// The stream is hostile input: a frame is bounded before it is kept, every length is checked against its frame.
import type { ByteString } from "./entry.ts";
import type { FieldReader } from "./fields.ts";
import { witnessMagic } from "./frames.ts";
import { RecordDecoder, type RecordStream, refuseRecord } from "./record-decoder.ts";

const uses = ["open", "exec", "written"] as const;
export type WitnessUse = (typeof uses)[number];

/** LOST: fanotify cannot be used at all. The stream ends after it. */
export const witnessUnavailable = 4;

export interface WitnessSeen {
  type: "seen";
  pid: number;
  use: WitnessUse;
  directory: boolean;
  /** Nothing has this name any more. */
  deleted: boolean;
  /** The process does not descend from the watched command. */
  outside: boolean;
  /** The process had gone when it was asked for: whether it was meant is not known. */
  gone: boolean;
  /** Absolute and canonical, as seen from the witness's root. */
  path: ByteString;
  /** Empty: the process had gone. */
  program: ByteString;
}

export interface WitnessMount {
  type: "mount";
  /** It appeared while watched: what was opened on it before it was marked is not seen. */
  later: boolean;
  marked: boolean;
  /** Why it could not be marked; 0 for a kernel file system, left out. */
  errno: number;
  target: ByteString;
  fstype: ByteString;
}

export interface WitnessLost {
  type: "lost";
  reason: number;
  text: ByteString;
}

export interface WitnessEnd {
  type: "end";
  /** As from wait(2). */
  status: number;
  events: number;
  suppressed: number;
  /** Of processes that were not meant; only without a command. */
  outside: number;
  /** Not below the root that was given. */
  elsewhere: number;
}

export type WitnessRecord =
  | { type: "ready"; marked: number }
  | WitnessSeen
  | WitnessMount
  | WitnessLost
  | WitnessEnd;

function refuse(problem: string): never {
  refuseRecord("witness", problem);
}

function readSeen(pid: number, fields: FieldReader): WitnessSeen {
  const what = fields.u8();
  const use = uses[what - 1];
  if (use === undefined) refuse(`use ${what} is unknown`);
  const flags = fields.u8();
  return {
    type: "seen",
    pid,
    use,
    directory: (flags & 1) !== 0,
    deleted: (flags & 2) !== 0,
    outside: (flags & 4) !== 0,
    gone: (flags & 8) !== 0,
    path: fields.bytes16(),
    program: fields.bytes16(),
  };
}

function readMount(fields: FieldReader): WitnessMount {
  const flags = fields.u8();
  return {
    type: "mount",
    later: (flags & 1) !== 0,
    marked: (flags & 2) === 0,
    errno: fields.u32() | 0,
    target: fields.bytes16(),
    fstype: fields.bytes16(),
  };
}

function readEnd(fields: FieldReader): WitnessEnd {
  const status = fields.u32() | 0;
  const events = fields.size();
  const suppressed = fields.size();
  const outside = fields.size();
  return { type: "end", status, events, suppressed, outside, elsewhere: fields.size() };
}

const readers: Record<number, (pid: number, fields: FieldReader) => WitnessRecord> = {
  48: (_, fields) => ({ type: "ready", marked: fields.u32() }),
  49: readSeen,
  50: (_, fields) => readMount(fields),
  51: (_, fields) => ({ type: "lost", reason: fields.u32(), text: fields.bytes16() }),
  52: (_, fields) => readEnd(fields),
};

/** `ended` tells whether the witness said all that it had to say: END, or that it cannot watch at all. */
export class WitnessDecoder extends RecordDecoder<WitnessRecord> {
  constructor() {
    super(witnessStream);
  }
}

const witnessStream: RecordStream<WitnessRecord> = {
  magic: witnessMagic,
  program: "witness",
  readers,
  isLast: (record) =>
    record.type === "end" || (record.type === "lost" && record.reason === witnessUnavailable),
};
