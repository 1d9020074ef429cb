import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { strictJsonProblem } from "../../src/formats/json-strict.ts";
import { FileDigests } from "../../src/image/file-digests.ts";

const hex = (algorithm: string, bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest("hex");

test("digests of a file with holes are those of its content, however its data comes in", () => {
  const parts = fc.array(fc.tuple(fc.nat(5000), fc.integer({ min: 1, max: 3000 })), { maxLength: 8 });
  fc.assert(
    fc.property(parts, fc.nat(3000), fc.integer({ min: 1, max: 700 }), (pairs, tail, chunk) => {
      let at = 0;
      const extents = pairs.map(([gap, length]) => {
        const extent = { offset: at + gap, length };
        at += gap + length;
        return extent;
      });
      const whole = Buffer.alloc(at + tail);
      for (const { offset, length } of extents) whole.fill(1 + (offset % 200), offset, offset + length);
      const data = Buffer.concat(
        extents.map(({ offset, length }) => whole.subarray(offset, offset + length)),
      );
      const digests = new FileDigests(extents, whole.length);
      for (let i = 0; i < data.length; i += chunk) digests.update(data.subarray(i, i + chunk));
      const made = digests.finish();
      assert.equal(made.data, `sha256:${hex("sha256", data)}`);
      assert.deepEqual(made.content, { sha1: hex("sha1", whole), sha256: hex("sha256", whole) });
    }),
    { numRuns: 100 },
  );
});

test("holes of more than a GiB are not hashed", () => {
  assert.equal(new FileDigests([], 2 ** 31).finish().content, undefined);
});

test("JSON with a key twice in an object, or too deep, is told; all other is let pass", () => {
  assert.equal(strictJsonProblem('{"a":1,"b":{"a":2},"c":[{"a":1},{"a":1}],"d":"\\"a\\":"}'), undefined);
  assert.match(strictJsonProblem('{"a":1, "b":2, "a" :3}') ?? "", /"a" twice/);
  assert.match(strictJsonProblem('{"a":1,"\\u0061":2}') ?? "", /twice/);
  assert.match(strictJsonProblem("[".repeat(65) + "]".repeat(65)) ?? "", /deeper/);
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), (text) =>
      assert.equal(strictJsonProblem(JSON.stringify(JSON.parse(text))), undefined),
    ),
    { numRuns: 200 },
  );
});
