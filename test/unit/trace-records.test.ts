import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import { FieldWriter } from "../../src/formats/fields.ts";
import { encodeFrame, encodeMagic, traceMagic } from "../../src/formats/frames.ts";
import { TraceDecoder, type TraceRecord } from "../../src/formats/trace-records.ts";

function stream(...frames: [type: number, payload: FieldWriter][]): Uint8Array {
  const parts = [
    encodeMagic(traceMagic),
    ...frames.map(([type, payload]) => encodeFrame({ type, id: 7, payload: payload.finish() })),
  ];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const fields = (): FieldWriter => new FieldWriter();
const end: [number, FieldWriter] = [39, fields().u32(0x2a00).u64(3).u64(40).u64(5)];
const path = fields()
  .u8(1)
  .u8(0b1010001)
  .u32(-2 >>> 0)
  .bytes16("/a \xff\n")
  .bytes16("");

function decode(bytes: Uint8Array, step = bytes.length): TraceRecord[] {
  const decoder = new TraceDecoder();
  const records: TraceRecord[] = [];
  for (let at = 0; at < bytes.length; at += step) records.push(...decoder.feed(bytes.slice(at, at + step)));
  decoder.finish();
  return records;
}

function refused(bytes: Uint8Array, message: RegExp): void {
  assert.throws(
    () => decode(bytes),
    (error: unknown) => isTranshipError(error, "E_PROTOCOL") && message.test(error.message),
  );
}

test("a path record gives its bytes and flags, however the stream is cut", () => {
  const bytes = stream([32, path], end);
  const whole = decode(bytes);
  assert.deepEqual(whole[0], {
    type: "path",
    pid: 7,
    operation: "read",
    result: -2,
    path: "/a \xff\n",
    second: "",
    noFollow: true,
    i386: false,
    existed: false,
    foreign: false,
    foretold: true,
    truncates: false,
    inherited: true,
  });
  for (let step = 1; step < bytes.length; step++) assert.deepEqual(decode(bytes, step), whole);
});

test("every other kind of record is decoded", () => {
  const exec = fields()
    .u32(0)
    .bytes16("/bin/x")
    .u16(2)
    .bytes16("x")
    .bytes16("\xfe")
    .bytes16("/")
    .bytes16("/bin/y");
  const bind = fields().u16(2).u16(80).bytes16("\x7f\0\0\x01").u8(4).u32(0);
  const bytes = stream(
    [33, exec],
    [34, fields().u32(9).u8(4)],
    [35, fields().u32(9)],
    [36, bind],
    [37, fields().u8(1).bytes16("/jail")],
    [38, fields().u32(3).bytes16("why")],
    end,
  );
  assert.deepEqual(decode(bytes), [
    { type: "exec", pid: 7, result: 0, path: "/bin/x", args: ["x", "\xfe"], cwd: "/", executable: "/bin/y" },
    { type: "fork", pid: 7, child: 9, kind: "thread" },
    { type: "exit", pid: 7, status: 9 },
    { type: "bind", pid: 7, kind: "inherited", result: 0, family: 2, port: 80, address: "\x7f\0\0\x01" },
    { type: "root", pid: 7, foreign: true, root: "/jail" },
    { type: "lost", pid: 7, reason: 3, text: "why" },
    { type: "end", pid: 7, status: 0x2a00, records: 3, stops: 40, suppressed: 5 },
  ]);
});

test("a stream without its end is refused, at whatever byte it breaks off", () => {
  const bytes = stream([32, path], end);
  for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length), /./);
});

test("what is not this protocol is refused with the value", () => {
  const foreign = stream(end);
  foreign[7] = 2;
  refused(foreign, /version 2/);
  refused(encodeMagic("TRTREE\0\x01"), /not a record stream/);
  refused(stream([50, fields()], end), /record type 50/);
  refused(stream([32, fields().u8(22).u8(0).u32(0).bytes16("").bytes16("")], end), /operation 22/);
  refused(stream([32, fields().u8(0).u8(0).u32(0).bytes16("").bytes16("")], end), /operation 0/);
  refused(stream([34, fields().u32(9).u8(5)], end), /kind of fork 5/);
  refused(stream([33, fields().u32(0).bytes16("").u16(65)], end), /65 arguments/);
  refused(stream([35, fields().u32(0).u8(0)], end), /1 bytes too many/);
  refused(stream([35, fields().u16(0)], end), /breaks off/);
  refused(stream(end, end), /after END/);
});

test("a frame that says it is larger than allowed is refused before it is kept", () => {
  const bytes = stream(end);
  new DataView(bytes.buffer).setUint32(8, (1 << 20) + 1, true);
  refused(bytes, /1048577 bytes/);
});
