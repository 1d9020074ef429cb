import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../../src/base/errors.ts";
import { parseZstdHeader, ZstdFrameWalker } from "../../../src/formats/zstd-frame.ts";

const magic = [0x28, 0xb5, 0x2f, 0xfd];
/** Single segment, content size 3, one raw block "abc". */
const small = [...magic, 0x20, 3, 0x19, 0, 0, 0x61, 0x62, 0x63];
/** Window 1 KiB, no content size, checksum; an RLE block of 5, then an empty raw one. */
const checked = [...magic, 0x04, 0x00, 0x2a, 0, 0, 0x78, 0x01, 0, 0, 1, 2, 3, 4];
const skippable = [0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9];
const emptySkippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];

interface Seen {
  kind: string;
  bytes: number[];
}

function walk(bytes: Uint8Array, chunk: number): { frames: Seen[]; between: boolean } {
  const walker = new ZstdFrameWalker();
  const frames: Seen[] = [];
  for (let at = 0; at < bytes.length; at += chunk) {
    const part = bytes.subarray(at, at + chunk);
    let next = 0;
    for (const piece of walker.pieces(part)) {
      assert.equal(piece.start, next, "no gaps");
      next = piece.end;
      if (piece.first) frames.push({ kind: piece.kind, bytes: [] });
      frames.at(-1)?.bytes.push(...part.subarray(piece.start, piece.end));
      if (piece.last) frames.at(-1)?.bytes.push(-1);
    }
    assert.equal(next, part.length);
  }
  return { frames, between: walker.between };
}

test("frames of all kinds are found, however the chunks are cut", () => {
  const all = [small, skippable, checked, emptySkippable, small];
  for (let chunk = 1; chunk < 60; chunk++) {
    const { frames, between } = walk(Uint8Array.from(all.flat()), chunk);
    assert.ok(between);
    assert.deepEqual(
      frames.map((frame) => frame.bytes),
      all.map((bytes) => [...bytes, -1]),
    );
    assert.deepEqual(
      frames.map((frame) => frame.kind),
      ["frame", "skippable", "frame", "skippable", "frame"],
    );
  }
});

test("sizes stand in the header in one, two, four and eight bytes", () => {
  const sizes: [number[], number][] = [
    [[0x20, 200], 200],
    [[0x60, 0, 1], 512],
    [[0xa0, 0, 0, 0, 1], 2 ** 24],
    [[0xe0, 0, 0, 0, 0, 1, 0, 0, 0], 2 ** 32],
  ];
  for (const [rest, size] of sizes) {
    const header = parseZstdHeader(Uint8Array.from([...magic, ...rest]));
    assert.equal(header?.contentSize, size);
    assert.equal(header?.windowSize, size);
  }
  assert.equal(parseZstdHeader(Uint8Array.from([...magic, 0x00, 0x58]))?.windowSize, 2 ** 21);
  assert.equal(parseZstdHeader(Uint8Array.from([...magic, 0x00])), undefined);
});

test("what is no zstd, or asks too much, is refused", () => {
  const cases: [number[], "E_IMAGE_CORRUPT" | "E_LIMIT"][] = [
    [[1, 2, 3, 4, 5, 6, 7, 8], "E_IMAGE_CORRUPT"],
    [[...magic, 0x28, 3, 0, 0, 0, 0, 0, 0], "E_IMAGE_CORRUPT"],
    [[...magic, 0x00, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "E_LIMIT"],
    [[...magic, 0x00, 0x58, 0x06, 0, 0, 0], "E_IMAGE_CORRUPT"],
    [[...magic, 0x00, 0x58, 0xfc, 0xff, 0xff], "E_IMAGE_CORRUPT"],
    [[...magic, 0x21, 7, 3, 0, 0, 0], "E_IMAGE_CORRUPT"],
  ];
  for (const [bytes, code] of cases) {
    assert.throws(
      () => walk(Uint8Array.from(bytes), 100),
      (error) => isTranshipError(error, code),
      bytes.join(),
    );
  }
});

test("the middle of a frame is no place to end", () => {
  for (let length = 1; length < small.length; length++) {
    assert.ok(!walk(Uint8Array.from(small.slice(0, length)), 100).between);
  }
});
