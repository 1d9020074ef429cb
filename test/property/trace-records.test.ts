import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTranshipError } from "../../src/base/errors.ts";
import { encodeFrame, encodeMagic, traceMagic } from "../../src/formats/frames.ts";
import { TraceDecoder } from "../../src/formats/trace-records.ts";

test("any bytes in any frame are decoded or refused, never anything else", () => {
  const frame = fc.record({
    type: fc.integer({ min: 30, max: 41 }),
    payload: fc.uint8Array({ maxLength: 80 }),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 4 }), fc.uint8Array({ maxLength: 20 }), (frames, tail) => {
      const decoder = new TraceDecoder();
      let given = 0;
      try {
        decoder.feed(encodeMagic(traceMagic));
        for (const { type, payload } of frames) {
          given++;
          assert.equal(decoder.feed(encodeFrame({ type, id: 1, payload })).length, 1);
        }
        decoder.feed(tail);
        decoder.finish();
      } catch (error) {
        assert.ok(isTranshipError(error, "E_PROTOCOL"), String(error));
      }
      assert.ok(given <= frames.length);
    }),
  );
});
