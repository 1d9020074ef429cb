import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TranshipError } from "../../src/base/errors.ts";
import type { Entry, EntryKind, Extent } from "../../src/formats/entry.ts";
import { FieldReader, FieldWriter, toByteString } from "../../src/formats/fields.ts";
import { encodeFrame, encodeMagic, type Frame, FrameReader, treeMagic } from "../../src/formats/frames.ts";
import * as records from "../../src/formats/tree-records.ts";

const byteString = (maxLength: number) => fc.uint8Array({ maxLength }).map(toByteString);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const size = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const time = fc.bigInt({ min: -(1n << 62n) * 1_000_000_000n, max: (1n << 62n) * 1_000_000_000n });
const kinds: EntryKind[] = ["file", "directory", "symlink", "fifo", "socket", "character", "block"];

/** Alternating gaps and lengths become ascending extents. */
function extentsOf(steps: readonly number[]): Extent[] {
  const extents: Extent[] = [];
  let at = 0;
  for (let i = 0; i + 1 < steps.length; i += 2) {
    const offset = at + (steps[i] ?? 0);
    const length = (steps[i + 1] ?? 0) + 1;
    extents.push({ offset, length });
    at = offset + length;
  }
  return extents;
}

const extents = fc.array(fc.integer({ min: 0, max: 1 << 30 }), { maxLength: 40 }).map(extentsOf);

const entry: fc.Arbitrary<Entry> = fc
  .record({
    path: byteString(5000),
    kind: fc.constantFrom(...kinds),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: u32,
    gid: u32,
    nlink: u32,
    dev: u64,
    ino: u64,
    size,
    blocks: size,
    mtime: time,
    ctime: time,
    rdevMajor: u32,
    rdevMinor: u32,
    target: byteString(300),
    xattrs: fc.array(fc.tuple(byteString(40), byteString(20_000)), { maxLength: 4 }),
    extents: fc.option(extents, { nil: undefined }),
  })
  .map((value) => {
    const last = value.extents?.at(-1);
    return { ...value, size: last === undefined ? value.size : last.offset + last.length };
  });

const frame: fc.Arbitrary<Frame> = fc.record({
  type: fc.integer({ min: 0, max: 255 }),
  id: u32,
  payload: fc.uint8Array({ maxLength: 3000 }),
});

test("an entry survives encoding and decoding", () => {
  fc.assert(
    fc.property(entry, (value) => {
      assert.deepEqual(records.decodeEntry(records.encodeEntry(value)), value);
    }),
  );
});

test("data, end and error frames survive encoding and decoding", () => {
  fc.assert(
    fc.property(
      size,
      fc.uint8Array({ maxLength: 200 }),
      fc.boolean(),
      u32,
      (offset, bytes, changed, errno) => {
        const reader = new FrameReader(treeMagic);
        reader.push(encodeMagic(treeMagic));
        assert.equal(reader.next(), undefined);
        reader.push(Buffer.concat([records.encodeDataHeader(offset, bytes.length, 7), bytes]));
        const data = reader.next();
        assert.equal(data?.id, 7);
        assert.deepEqual(records.decodeData(data?.payload ?? new Uint8Array(0)).offset, offset);
        assert.deepEqual(Buffer.from(data?.payload.subarray(8) ?? []), Buffer.from(bytes));
        assert.equal(records.decodeEnd(records.encodeEnd(changed)), changed);
        const error = { errno, path: toByteString(bytes) };
        assert.deepEqual(records.decodeError(records.encodeError(error)), error);
      },
    ),
  );
});

test("frames come out as they went in, however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 4000 })),
      (frames, cuts) => {
        const stream = Buffer.concat([encodeMagic(treeMagic), ...frames.map(encodeFrame)]);
        const reader = new FrameReader(treeMagic);
        const got: unknown[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const length = cuts.length === 0 ? stream.length : (cuts[i % cuts.length] ?? 1);
          reader.push(stream.subarray(at, at + length));
          for (let next = reader.next(); next !== undefined; next = reader.next()) {
            got.push([next.type, next.id, Uint8Array.from(next.payload)]);
          }
          at += length;
        }
        reader.end();
        assert.deepEqual(
          got,
          frames.map(({ type, id, payload }) => [type, id, payload]),
        );
      },
    ),
  );
});

/** Runs a decoder on hostile bytes; anything but a value or a TranshipError is a defect. */
function survives(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): void {
  try {
    decode(bytes);
  } catch (error) {
    assert.ok(error instanceof TranshipError, String(error));
    assert.ok(["E_PROTOCOL", "E_LIMIT"].includes(error.code), error.code);
  }
}

const decoders = [records.decodeEntry, records.decodeData, records.decodeEnd, records.decodeError];

test("any bytes and any mutation of a record give a value or E_PROTOCOL", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
      for (const decode of decoders) survives(decode, bytes);
    }),
  );
  const mutation = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(
      entry,
      fc.array(mutation, { minLength: 1, maxLength: 5 }),
      fc.nat(),
      (value, changes, cut) => {
        const bytes = records.encodeEntry(value).slice();
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        survives(records.decodeEntry, bytes);
        survives(records.decodeEntry, bytes.subarray(0, cut % bytes.length));
      },
    ),
  );
});

test("a mutated frame stream gives frames or E_PROTOCOL", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 5 }),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      (frames, at, byte) => {
        const stream = Buffer.concat([encodeMagic(treeMagic), ...frames.map(encodeFrame)]);
        stream[at % stream.length] = byte;
        survives((bytes) => {
          const reader = new FrameReader(treeMagic);
          reader.push(bytes);
          let count = 0;
          while (reader.next() !== undefined) count++;
          reader.end();
          return count;
        }, stream);
      },
    ),
  );
});

test("fields survive writing and reading", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 255 }),
      u32,
      u64,
      size,
      byteString(70_000),
      (small, word, long, at, text) => {
        const w = new FieldWriter(1)
          .u8(small)
          .u16(small)
          .u32(word)
          .u64(long)
          .i64(-BigInt(at))
          .u64(at)
          .bytes32(text);
        const r = new FieldReader(w.finish());
        assert.deepEqual(
          [r.u8(), r.u16(), r.u32(), r.u64(), r.i64(), r.size(), r.bytes32()],
          [small, small, word, long, -BigInt(at), at, text],
        );
        r.end();
        assert.throws(() => r.u8(), { code: "E_PROTOCOL" });
      },
    ),
  );
});
