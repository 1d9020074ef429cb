import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cksum } from "../../../src/formats/cksum.ts";
import { parseListing, parseLsLine, parseStatLine } from "../../../src/formats/shell-listing.ts";

const mark = "0123456789abcdef:";
const line = "81a4 1000 100 2 2050 77 12 8 1600000000 1600000001 0 0\n";

test("stat's line becomes an entry", () => {
  const entry = parseStatLine(line);
  assert.deepEqual(
    [
      entry?.kind,
      entry?.mode,
      entry?.uid,
      entry?.gid,
      entry?.nlink,
      entry?.dev,
      entry?.ino,
      entry?.size,
      entry?.blocks,
    ],
    ["file", 0o644, 1000, 100, 2, 2050n, 77n, 12, 8],
  );
  assert.deepEqual([entry?.mtime, entry?.ctime], [1_600_000_000_000_000_000n, 1_600_000_001_000_000_000n]);
  const device = parseStatLine("61b0 0 6 1 5 9 0 0 1 1 8 1\n");
  assert.deepEqual([device?.kind, device?.rdevMajor, device?.rdevMinor], ["block", 8, 1]);
  assert.equal(parseStatLine("stat: cannot stat"), undefined);
});

test("lines of ls of several makes", () => {
  const gnu = parseLsLine("1234 -rwsr-xr-t 1 0 0 55 2020-01-31 10:11:12.123456789 +0130 a b\n", "a b");
  assert.deepEqual(
    [gnu?.mode, gnu?.size, gnu?.mtime],
    [0o5755, 55, BigInt(Date.UTC(2020, 0, 31, 8, 41, 12)) * 1_000_000n],
  );
  const link = parseLsLine(
    " 7 lrwxrwxrwx    1 0        0                3 Jan 31  2020 /a -> b -> c\n",
    "/a -> b",
  );
  assert.deepEqual([link?.kind, link?.target], ["symlink", "c"]);
  const device = parseLsLine("9 crw-rw-rw- 1 0 0 1, 3 Jan 31 10:11 null\n", "null");
  assert.deepEqual([device?.kind, device?.rdevMajor, device?.rdevMinor], ["character", 1, 3]);
  assert.equal(parseLsLine("total 0", "x"), undefined);
});

test("names and targets of any bytes stay apart", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(bytes(), bytes()), { maxLength: 10 }), (pairs) => {
      const text = pairs
        .map(([name, target]) => `${mark}1${name}${mark}2${line}${mark}3${target}\n`)
        .join("");
      const { entries, damaged } = parseListing(`noise\n${text}`, mark);
      assert.equal(damaged, 0);
      assert.deepEqual(
        entries.map((entry) => [entry.path, entry.target]),
        pairs,
      );
    }),
  );
});

test("a listing whose program did not run says nothing of any file", () => {
  const { entries, ran } = parseListing(
    `${mark}5${mark}1/a${mark}2${line}${mark}1/b${mark}2${mark}4${mark}6`,
    mark,
  );
  assert.deepEqual([entries, ran], [[], false]);
});

test("a listing that is cut off says nothing of any file", () => {
  const whole = `${mark}5${mark}1/a${mark}2${line}${mark}6`;
  assert.deepEqual(parseListing(whole + whole, mark).shells, 2);
  const { entries, ran } = parseListing(`${whole}${mark}5${mark}1/b${mark}2`, mark);
  assert.deepEqual([entries, ran], [[], false]);
});

test("anything at all is an answer or damage, never an exception", () => {
  fc.assert(fc.property(bytes(), (text) => void parseListing(`${mark}1${text}${mark}2${text}`, mark)));
});

test("cksum is what POSIX says", () => {
  assert.equal(cksum(new Uint8Array()), 4294967295);
  assert.equal(cksum(new TextEncoder().encode("123456789")), 930766865);
});

function bytes(): fc.Arbitrary<string> {
  return fc
    .uint8Array({ minLength: 1, maxLength: 20 })
    .map((values) => String.fromCharCode(...values.map((value) => value || 1)));
}
