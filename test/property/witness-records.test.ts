import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTranshipError } from "../../src/base/errors.ts";
import { encodeFrame, encodeMagic, witnessMagic } from "../../src/formats/frames.ts";
import { WitnessDecoder } from "../../src/formats/witness-records.ts";

test("any bytes in any frame are decoded or refused, never anything else", () => {
  const frame = fc.record({
    type: fc.integer({ min: 47, max: 53 }),
    payload: fc.uint8Array({ maxLength: 80 }),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 4 }), fc.uint8Array({ maxLength: 20 }), (frames, tail) => {
      const decoder = new WitnessDecoder();
      try {
        decoder.feed(encodeMagic(witnessMagic));
        for (const { type, payload } of frames)
          assert.equal(decoder.feed(encodeFrame({ type, id: 1, payload })).length, 1);
        decoder.feed(tail);
        decoder.finish();
      } catch (error) {
        assert.ok(isTranshipError(error, "E_PROTOCOL"), String(error));
      }
    }),
  );
});

test("what was written is read, cut anywhere", () => {
  const bytes16 = (text: string): number[] => [
    text.length & 255,
    text.length >> 8,
    ...Buffer.from(text, "latin1"),
  ];
  const name = fc.string({ unit: "binary-ascii", maxLength: 300 });
  const record = fc.record({
    use: fc.integer({ min: 1, max: 3 }),
    flags: fc.integer({ min: 0, max: 15 }),
    path: name,
    program: name,
    pid: fc.integer({ min: 1, max: 0x7fffffff }),
  });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 8 }), fc.integer({ min: 1, max: 60 }), (records, step) => {
      const frames = records.map(({ use, flags, path, program, pid }) =>
        encodeFrame({
          type: 49,
          id: pid,
          payload: Uint8Array.from([use, flags, ...bytes16(path), ...bytes16(program)]),
        }),
      );
      const end = encodeFrame({ type: 52, id: 0, payload: new Uint8Array(36) });
      const stream = Buffer.concat([encodeMagic(witnessMagic), ...frames, end]);
      const decoder = new WitnessDecoder();
      const got = [];
      for (let at = 0; at < stream.length; at += step)
        got.push(...decoder.feed(stream.subarray(at, at + step)));
      decoder.finish();
      assert.deepEqual(got, [
        ...records.map(({ use, flags, path, program, pid }) => ({
          type: "seen",
          pid,
          use: ["open", "exec", "written"][use - 1],
          directory: (flags & 1) !== 0,
          deleted: (flags & 2) !== 0,
          outside: (flags & 4) !== 0,
          gone: (flags & 8) !== 0,
          path,
          program,
        })),
        { type: "end", status: 0, events: 0, suppressed: 0, outside: 0, elsewhere: 0 },
      ]);
    }),
  );
});
