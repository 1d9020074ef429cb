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
      const { entries, damaged } = parseListing(`noise\n${mark}5${text}${mark}6`, mark);
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

test("what find found and no shell described is noticed, whatever the names are and however the words come", () => {
  const described = (...names: string[]) =>
    `${mark}5${names.map((name) => `${mark}1${name}${mark}2${line}`).join("")}${mark}6`;
  const of = (text: string) => parseListing(text, mark).allDescribed;
  assert.equal(of(""), true);
  assert.equal(of(`/a\n/b\nc\n${described("/a", "/b\nc")}`), true);
  assert.equal(of(`/a\n/b${described("/a")}\n/c\n${described("/b", "/c")}`), true);
  assert.equal(of(`/a\n${mark}5${mark}1/a${mark}2${mark}6`), true, "gone since is no loss");
  assert.equal(of(`/a\n/b\n${described("/a")}`), false);
  assert.equal(of(`/a\n/b\n/c\n${described("/a")}${described("/c")}`), false);
  assert.equal(of("/a\n"), false);
  assert.equal(of(described("/a")), false);
});

test("a directory that may not be read is told apart from its line and its link", () => {
  const directory = line.replace("81a4", "41c0");
  const { entries, closed } = parseListing(
    `${mark}5${mark}1/a${mark}2${directory}${mark}7${mark}1/b${mark}2${directory}${mark}6`,
    mark,
  );
  assert.deepEqual([entries.map((one) => one.path), [...closed]], [["/a", "/b"], ["/a"]]);
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
