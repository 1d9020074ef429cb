// Decodes the stream of native/trace: docs/internals/records.md, section 2.
// The stream is hostile input: a frame is bounded before it is kept, every length is checked against its frame.
import type { ByteString } from "./entry.ts";
import type { FieldReader } from "./fields.ts";
import { traceMagic } from "./frames.ts";
import { RecordDecoder, type RecordStream, refuseRecord } from "./record-decoder.ts";
import type { Abi } from "./syscall-numbers.ts";

export const pathOperations = [
  "read",
  "write",
  "create",
  "stat",
  "access",
  "readlink",
  "list",
  "chdir",
  "unlink",
  "rename",
  "link",
  "symlink",
  "mkdir",
  "rmdir",
  "mknod",
  "metadata",
  "getxattr",
  "truncate",
  "mount",
  "socket",
  "other",
] as const;
export type PathOperation = (typeof pathOperations)[number];

export const forkKinds = ["fork", "vfork", "clone", "thread"] as const;
export type ForkKind = (typeof forkKinds)[number];

export const bindKinds = ["bind", "listen", "connect", "inherited"] as const;
export type BindKind = (typeof bindKinds)[number];

/** Results are 0 or more for success, a negative errno, or this: the call was begun and its end not seen. */
export const resultNotAsked = -1_000_000;

/** From this reason on something was not seen and the trace is a subset of what happened. */
export const lostIncomplete = 2;

export interface TracePath {
  type: "path";
  pid: number;
  operation: PathOperation;
  result: number;
  /** Absolute, as seen from the tracer's root; may hold ".." after a name that can be a symbolic link. */
  path: ByteString;
  /** Target of rename and link, text of a symbolic link, else empty. */
  second: ByteString;
  noFollow: boolean;
  i386: boolean;
  /** Operations that change the tree: the path (rename, link: the second) was there before, or it could not be asked. */
  existed: boolean;
  /** The task lives in another mount namespace: the path is one of that namespace. */
  foreign: boolean;
  /** The result is what the tracer found when the call began, not what the task was told. */
  foretold: boolean;
  /** Opened with O_TRUNC: the content before is not read. */
  truncates: boolean;
  /** A descriptor that CMD was started with; result is its number. */
  inherited: boolean;
}

export interface TraceExec {
  type: "exec";
  pid: number;
  result: number;
  path: ByteString;
  /** At most 64 arguments, each cut at 4096 bytes. */
  args: readonly ByteString[];
  cwd: ByteString;
  /** What really runs (the interpreter of a script); empty where the exec failed. */
  executable: ByteString;
}

export interface TraceFork {
  type: "fork";
  pid: number;
  child: number;
  kind: ForkKind;
}

export interface TraceExit {
  type: "exit";
  pid: number;
  /** As from wait(2). */
  status: number;
}

export interface TraceBind {
  type: "bind";
  pid: number;
  kind: BindKind;
  result: number;
  /** AF_UNIX 1, AF_INET 2, AF_INET6 10; 0 where a listener could not be asked. */
  family: number;
  port: number;
  /** AF_INET: 4 bytes, AF_INET6: 16 bytes, AF_UNIX: a path, or a name that opens with NUL (abstract). */
  address: ByteString;
}

export interface TraceRoot {
  type: "root";
  pid: number;
  root: ByteString;
  foreign: boolean;
}

export interface TraceLost {
  type: "lost";
  pid: number;
  reason: number;
  text: ByteString;
}

/** Told once for each call that any task made. */
export interface TraceCall {
  type: "call";
  pid: number;
  abi: Abi;
  number: number;
}

/** HUP, USR1 or USR2, sent by a program to this process; once for each process and signal. */
export interface TraceSignal {
  type: "signal";
  pid: number;
  signal: number;
  /** 0: a process of another namespace. */
  sender: number;
}

export interface TraceEnd {
  type: "end";
  pid: number;
  status: number;
  records: number;
  stops: number;
  suppressed: number;
}

export type TraceRecord =
  | TracePath
  | TraceExec
  | TraceFork
  | TraceExit
  | TraceBind
  | TraceRoot
  | TraceCall
  | TraceSignal
  | TraceLost
  | TraceEnd;

function refuse(problem: string): never {
  refuseRecord("trace", problem);
}

const signed = (value: number): number => value | 0;

function choose<T>(names: readonly T[], number: number, what: string): T {
  const name = names[number - 1];
  if (name === undefined) refuse(`${what} ${number} is unknown`);
  return name;
}

function readPath(pid: number, fields: FieldReader): TracePath {
  const operation = choose(pathOperations, fields.u8(), "operation");
  const flags = fields.u8();
  const result = signed(fields.u32());
  const path = fields.bytes16();
  const second = fields.bytes16();
  return {
    type: "path",
    pid,
    operation,
    result,
    path,
    second,
    noFollow: (flags & 1) !== 0,
    i386: (flags & 2) !== 0,
    existed: (flags & 4) !== 0,
    foreign: (flags & 8) !== 0,
    foretold: (flags & 16) !== 0,
    truncates: (flags & 32) !== 0,
    inherited: (flags & 64) !== 0,
  };
}

function readExec(pid: number, fields: FieldReader): TraceExec {
  const result = signed(fields.u32());
  const path = fields.bytes16();
  const count = fields.u16();
  if (count > 64) refuse(`an exec with ${count} arguments, at most 64 are written`);
  const args = Array.from({ length: count }, () => fields.bytes16());
  return { type: "exec", pid, result, path, args, cwd: fields.bytes16(), executable: fields.bytes16() };
}

function readFork(pid: number, fields: FieldReader): TraceFork {
  const child = fields.u32();
  return { type: "fork", pid, child, kind: choose(forkKinds, fields.u8(), "kind of fork") };
}

function readBind(pid: number, fields: FieldReader): TraceBind {
  const family = fields.u16();
  const port = fields.u16();
  const address = fields.bytes16();
  const kind = choose(bindKinds, fields.u8(), "kind of bind");
  return { type: "bind", pid, kind, result: signed(fields.u32()), family, port, address };
}

function readEnd(pid: number, fields: FieldReader): TraceEnd {
  const status = signed(fields.u32());
  const records = fields.size();
  const stops = fields.size();
  return { type: "end", pid, status, records, stops, suppressed: fields.size() };
}

const readers: Record<number, (pid: number, fields: FieldReader) => TraceRecord> = {
  32: readPath,
  33: readExec,
  34: readFork,
  35: (pid, fields) => ({ type: "exit", pid, status: signed(fields.u32()) }),
  36: readBind,
  37: (pid, fields) => ({ type: "root", pid, foreign: (fields.u8() & 1) !== 0, root: fields.bytes16() }),
  38: (pid, fields) => ({ type: "lost", pid, reason: fields.u32(), text: fields.bytes16() }),
  39: readEnd,
  40: (pid, fields) => ({
    type: "call",
    pid,
    abi: fields.u8() === 1 ? "i386" : "amd64",
    number: fields.u16(),
  }),
  41: (pid, fields) => ({ type: "signal", pid, signal: fields.u8(), sender: fields.u32() }),
};

/** `ended` tells of a tracer that was killed. */
export class TraceDecoder extends RecordDecoder<TraceRecord> {
  constructor() {
    super(traceStream);
  }
}

const traceStream: RecordStream<TraceRecord> = {
  magic: traceMagic,
  program: "trace",
  readers,
  isLast: (record) => record.type === "end",
};
