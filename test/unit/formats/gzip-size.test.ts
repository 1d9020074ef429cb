import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, deflateRawSync, gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { GzipSize } from "../../../src/formats/gzip-size.ts";

function counted(bytes: Uint8Array, chunk = bytes.length): number {
  const size = new GzipSize();
  for (let at = 0; at < bytes.length; at += chunk) size.push(bytes.subarray(at, at + chunk), false);
  size.push(new Uint8Array(0), true);
  return size.size;
}

/** Runs, texts and noise, one behind the other. */
const content = fc
  .array(
    fc.oneof(
      fc
        .tuple(fc.nat(255), fc.integer({ min: 1, max: 70_000 }))
        .map(([byte, count]) => Buffer.alloc(count, byte)),
      fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
      fc
        .tuple(fc.string({ maxLength: 40 }), fc.nat(3000))
        .map(([text, count]) => Buffer.from(text.repeat(count))),
    ),
    { maxLength: 6 },
  )
  .map((parts) => Buffer.concat(parts));

test("gzip is counted as it unpacks, at every level and in pieces of any size", () => {
  const options = fc.record({
    level: fc.integer({ min: 0, max: 9 }),
    strategy: fc.constantFrom(
      constants.Z_DEFAULT_STRATEGY,
      constants.Z_FILTERED,
      constants.Z_HUFFMAN_ONLY,
      constants.Z_RLE,
      constants.Z_FIXED,
    ),
    memLevel: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(content, options), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 5000 }),
      (members, chunk) => {
        const packed = Buffer.concat(members.map(([bytes, each]) => gzipSync(bytes, each)));
        assert.equal(counted(packed, chunk), gunzipSync(packed).length);
      },
    ),
    { numRuns: 150 },
  );
});

test("headers with names, comments and further fields are passed over", () => {
  const body = deflateRawSync(Buffer.alloc(1000, 7));
  const fields = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 3, 0, 1, 2, 3]),
    Buffer.from("a name\0and a comment\0??"),
  ]);
  const packed = Buffer.concat([fields, body, Buffer.alloc(8), fields, body, Buffer.alloc(8)]);
  for (const chunk of [1, 7, 5000]) assert.equal(counted(packed, chunk), 2000);
});

test("what is damaged, cut off or followed by anything else is counted up to there", () => {
  const packed = gzipSync(Buffer.alloc(100_000, "some text of no great length, "));
  assert.equal(counted(Buffer.concat([packed, Buffer.from("and more")])), 100_000);
  // Bits behind the end are zeros, which may be symbols.
  for (let cut = 0; cut < packed.length; cut++)
    assert.ok(counted(packed.subarray(0, cut)) <= 100_000 + 64 * 258);
  fc.assert(
    fc.property(fc.nat(packed.length - 1), fc.nat(255), (at, byte) => {
      const damaged = Buffer.from(packed);
      damaged[at] = byte;
      assert.ok(counted(damaged) >= 0);
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => void counted(bytes)));
});
