import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../src/formats/entry.ts";
import { FieldReader, FieldWriter } from "../../src/formats/fields.ts";
import {
  encodeFrame,
  encodeFrameHeader,
  encodeMagic,
  FrameReader,
  maxFrame,
  traceMagic,
  treeMagic,
} from "../../src/formats/frames.ts";
import { decodeEntry, encodeEntry, encodeWalk } from "../../src/formats/tree-records.ts";

const file: Entry = {
  path: "/etc/caf\xe9",
  kind: "file",
  mode: 0o4755,
  uid: 3_000_000,
  gid: 33,
  nlink: 2,
  dev: 0xfe00n,
  ino: 0xffff_ffff_ffffn,
  size: 10,
  blocks: 8,
  mtime: -1n,
  ctime: 1_700_000_000_123_456_789n,
  rdevMajor: 0,
  rdevMinor: 0,
  target: "",
  xattrs: [["user.a", "\0\xff"]],
  extents: [{ offset: 2, length: 8 }],
};

test("a frame is u32 length, u8 type, u32 id, payload, little-endian", () => {
  const bytes = encodeFrame({ type: 17, id: 0x01020304, payload: Uint8Array.of(9, 8) });
  assert.deepEqual([...bytes], [2, 0, 0, 0, 17, 4, 3, 2, 1, 9, 8]);
});

test("a time before 1970 keeps its nanoseconds", () => {
  const payload = encodeEntry(file);
  const r = new FieldReader(payload.subarray(48));
  assert.equal(r.i64(), -1n);
  assert.equal(r.u32(), 999_999_999);
  assert.deepEqual(decodeEntry(payload), file);
});

test("no extents and nothing but a hole are told apart", () => {
  assert.equal(decodeEntry(encodeEntry({ ...file, extents: undefined })).extents, undefined);
  assert.deepEqual(decodeEntry(encodeEntry({ ...file, extents: [] })).extents, []);
});

test("extents that overlap, are empty or pass the end are refused", () => {
  for (const extents of [
    [{ offset: 0, length: 11 }],
    [{ offset: 4, length: 0 }],
    [
      { offset: 4, length: 2 },
      { offset: 5, length: 2 },
    ],
  ]) {
    assert.throws(() => decodeEntry(encodeEntry({ ...file, extents })), { code: "E_PROTOCOL" });
  }
});

test("a walk request lists its prefixes", () => {
  const r = new FieldReader(encodeWalk("/a", true, ["/proc", "/sys"]));
  assert.deepEqual([r.u8(), r.bytes16(), r.u16(), r.bytes16(), r.bytes16()], [1, "/a", 2, "/proc", "/sys"]);
  r.end();
});

test("another version and another stream are refused by name", () => {
  const newer = new FrameReader(treeMagic);
  newer.push(encodeMagic("TRTREE\0\x02"));
  assert.throws(() => newer.next(), { code: "E_PROTOCOL", message: /version 2, version 1 is understood/ });
  const other = new FrameReader(treeMagic);
  other.push(encodeMagic(traceMagic));
  assert.throws(() => other.next(), { code: "E_PROTOCOL", message: /not a record stream/ });
});

test("a frame above 1 MiB is refused before it is read or written", () => {
  assert.throws(() => encodeFrameHeader(1, 1, maxFrame + 1), { code: "E_LIMIT" });
  const reader = new FrameReader(treeMagic);
  const header = encodeFrameHeader(1, 1, 0);
  new DataView(header.buffer).setUint32(0, maxFrame + 1, true);
  reader.push(Buffer.concat([encodeMagic(treeMagic), header]));
  assert.throws(() => reader.next(), { code: "E_PROTOCOL" });
});

test("a stream that breaks off is told from one that ends", () => {
  const whole = Buffer.concat([
    encodeMagic(treeMagic),
    encodeFrame({ type: 1, id: 1, payload: new Uint8Array(5) }),
  ]);
  for (let length = 0; length <= whole.length; length++) {
    const reader = new FrameReader(treeMagic);
    reader.push(whole.subarray(0, length));
    while (reader.next() !== undefined);
    if (length === 8 || length === whole.length) reader.end();
    else assert.throws(() => reader.end(), { code: "E_PROTOCOL" }, `at ${length}`);
  }
});

test("text beyond one byte a char, and names beyond bytes16, are refused when written", () => {
  assert.throws(() => new FieldWriter().bytes16("\u0100"), { code: "E_INTERNAL" });
  assert.throws(() => new FieldWriter().bytes16("a".repeat(65_536)), { code: "E_LIMIT" });
});
