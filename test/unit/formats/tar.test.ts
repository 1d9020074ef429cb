import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../../src/base/errors.ts";
import { isUtf8 } from "../../../src/formats/byte-string.ts";
import { decodePax, encodePax, formatPaxTime, parsePaxTime } from "../../../src/formats/pax.ts";
import { encodeTarHeader, tarEnd } from "../../../src/formats/tar.ts";
import { TarEvents } from "../../../src/formats/tar-event.ts";
import { putTarHeader, readTarHeader, splitName, tarBlock } from "../../../src/formats/tar-header.ts";
import { TarReader } from "../../../src/formats/tar-reader.ts";
import { blankEntry, padded, readTar, readTarFiles, tarMember, tarOf } from "../../support/tar.ts";

const corrupt = (error: unknown): boolean => isTranshipError(error, "E_IMAGE_CORRUPT");

test("an entry that ustar can hold needs one block, none of PAX", () => {
  const { bytes } = encodeTarHeader({
    ...blankEntry,
    path: "/etc/passwd",
    mtime: 1_600_000_000_000_000_000n,
  });
  assert.equal(bytes.length, tarBlock);
  assert.equal(readTarHeader(bytes, 0).name, "etc/passwd");
});

test("what ustar cannot say goes into PAX, and only that", () => {
  const cases: [Partial<typeof blankEntry>, string[]][] = [
    [{ mtime: 1_600_000_000_000_000_001n }, ["mtime"]],
    [{ mtime: -1n }, ["mtime"]],
    [{ uid: 3_000_000 }, ["uid"]],
    [{ gid: 0xfffffffe }, ["gid"]],
    [{ path: `/${"a".repeat(101)}` }, ["path"]],
    [{ path: `/${"d".repeat(100)}/${"f".repeat(100)}` }, []],
    [{ path: "/caf\xc3\xa9" }, ["path"]],
    [{ path: "/caf\xe9" }, []],
    [{ path: `/${"\xe9".repeat(150)}` }, ["hdrcharset", "path"]],
    [{ kind: "symlink", target: "t".repeat(101) }, ["linkpath"]],
    [{ xattrs: [["user.a", "\x00\xff"]] }, ["SCHILY.xattr.user.a"]],
  ];
  for (const [change, keys] of cases) {
    const { bytes } = encodeTarHeader({ ...blankEntry, ...change });
    const first = readTarHeader(bytes, 0);
    const records = first.type === "x" ? decodePax(bytes.subarray(tarBlock, tarBlock + first.size)) : [];
    assert.deepEqual(
      records.map(([key]) => key),
      keys,
      JSON.stringify(change, (_, v) => (typeof v === "bigint" ? `${v}` : v)),
    );
  }
});

test("a file of 9 GiB has its size in PAX, and a sparse one of 64 GiB needs a few blocks", () => {
  const large = encodeTarHeader({ ...blankEntry, size: 9 * 2 ** 30 });
  const events = new TarEvents();
  new TarReader().push(large.bytes, events);
  const [event] = events.take();
  assert.equal(event?.type === "entry" ? event.entry.size : undefined, 9 * 2 ** 30);
  const extents = [{ offset: 2 ** 35, length: 3 }];
  const sparse = encodeTarHeader({ ...blankEntry, size: 2 ** 36, extents });
  assert.ok(sparse.bytes.length <= 5 * tarBlock);
  const files = readTar(Buffer.concat([sparse.bytes, padded(Buffer.from("abc")), tarEnd]), 100);
  const entry = files[0]?.type === "entry" ? files[0].entry : undefined;
  assert.equal(entry?.size, 2 ** 36);
  const data = files.filter((each) => each.type === "data");
  assert.deepEqual(
    data.map((each) => each.offset),
    data.map((_, i) => 2 ** 35 + data.slice(0, i).reduce((n, d) => n + d.bytes.length, 0)),
  );
  assert.equal(Buffer.concat(data.map((each) => each.bytes)).toString(), "abc");
});

test("names are split at a slash so that neither part is too long", () => {
  assert.deepEqual(splitName("a/b"), ["", "a/b"]);
  assert.deepEqual(splitName(`${"p".repeat(155)}/${"n".repeat(100)}`), ["p".repeat(155), "n".repeat(100)]);
  assert.equal(splitName(`${"p".repeat(156)}/${"n".repeat(100)}`), undefined);
  assert.equal(splitName("n".repeat(101)), undefined);
  assert.equal(splitName(`/${"n".repeat(100)}`), undefined);
});

test("PAX records count their own length, at every power of ten", () => {
  for (let length = 0; length < 1100; length++) {
    const text = encodePax([["k", "v".repeat(length)]]);
    assert.deepEqual(decodePax(Buffer.from(text)), [["k", "v".repeat(length)]]);
  }
});

test("PAX records that lie about their length are refused", () => {
  for (const text of [
    "5 a=b",
    "0 a=b\n",
    "99999 a=b\n",
    "6 a=b\nx",
    "x a=b\n",
    "6 =ab\n",
    "6 aab\n",
    "3 a",
    "9999999999 a=b\n",
  ]) {
    assert.throws(() => decodePax(Buffer.from(text)), corrupt, text);
  }
});

test("times keep their nanoseconds, before the epoch too", () => {
  for (const time of [0n, 1n, -1n, 1_500_000_000_000_000_000n, -1_500_000_000n, 1_234_567_890_123_456_789n]) {
    assert.equal(parsePaxTime(formatPaxTime(time)), time);
  }
  assert.equal(formatPaxTime(-1_500_000_000n), "-1.5");
  assert.equal(parsePaxTime("1.0000000009"), 1_000_000_000n);
});

test("GNU long names and links are understood", () => {
  const name = "n".repeat(300);
  const bytes = tarOf(
    tarMember({ name: "././@LongLink", type: "K" }, `${"t".repeat(200)}\0`),
    tarMember({ name: "././@LongLink", type: "L" }, `${name}\0`),
    tarMember({ name: "cut", type: "2", linkName: "cut" }),
  );
  const entry = readTarFiles(bytes)[0]?.entry;
  assert.equal(entry?.name, name);
  assert.equal(entry?.linkName, "t".repeat(200));
});

test("old GNU sparse headers with extensions are understood", () => {
  const block = tarMember({ name: "s", type: "S", size: 6 * tarBlock });
  const octal = (value: number): string => value.toString(8).padStart(11, "0");
  const put = (into: Buffer, at: number, offset: number, length: number): void => {
    into.write(`${octal(offset)}\0${octal(length)}\0`, at, "latin1");
  };
  for (let i = 0; i < 4; i++) put(block, 386 + 24 * i, i * 10_240, tarBlock);
  block[482] = 1;
  block.write(`${octal(100_000)}\0`, 483, "latin1");
  const extension = Buffer.alloc(tarBlock);
  put(extension, 0, 4 * 10_240, tarBlock);
  put(extension, 24, 99_488, tarBlock);
  const bytes = tarOf(checksummed(block), extension, Buffer.alloc(6 * tarBlock, "x"));
  const { entry, content } = readTarFiles(bytes, 33)[0] ?? assert.fail("no entry");
  assert.equal(entry.size, 100_000);
  assert.equal(entry.extents?.length, 6);
  assert.equal(content.filter((byte) => byte === 0x78).length, 6 * tarBlock);
  assert.equal(content[99_999], 0x78);
});

/** The checksum again, after a field was changed by hand. */
function checksummed(block: Buffer): Buffer {
  block.fill(" ", 148, 156);
  const sum = block.subarray(0, tarBlock).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

test("PAX sparse 0.0 and 0.1 are understood", () => {
  const zero = [
    ["GNU.sparse.size", "1000"],
    ["GNU.sparse.numblocks", "2"],
    ["GNU.sparse.offset", "10"],
    ["GNU.sparse.numbytes", "2"],
    ["GNU.sparse.offset", "500"],
    ["GNU.sparse.numbytes", "3"],
  ] as const;
  const one = [
    ["GNU.sparse.size", "1000"],
    ["GNU.sparse.map", "10,2,500,3"],
    ["GNU.sparse.name", "real"],
  ] as const;
  for (const records of [zero, one]) {
    const { entry, content } =
      readTarFiles(tarOf(tarMember({ name: "GNUSparseFile.1/x" }, "abcde", records)))[0] ?? assert.fail();
    assert.equal(entry.size, 1000);
    assert.equal(content.toString("latin1", 10, 12) + content.toString("latin1", 500, 503), "abcde");
  }
});

test("sparse maps that lie are refused", () => {
  for (const map of [
    "10,2,5,3",
    "0,6",
    "0,4",
    "999,5",
    "0,5,3,0",
    "1,2,3",
    "-1,5",
    "0,5,9007199254740993,0",
  ]) {
    const bytes = tarOf(
      tarMember({}, "abcde", [
        ["GNU.sparse.size", "1000"],
        ["GNU.sparse.map", map],
      ]),
    );
    assert.throws(() => readTar(bytes), corrupt, map);
  }
  for (const map of ["1\n0\n", "x\n", "2\n0\n5\n", "99999999\n", `${"0".repeat(30)}\n`, "1\n0\n1000\n"]) {
    const pax = [
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.realsize", "1000"],
    ] as const;
    assert.throws(() => readTar(tarOf(tarMember({}, map.padEnd(tarBlock, "\0"), pax))), corrupt, map);
  }
});

test("a global PAX header applies to what follows, an entry's own has precedence", () => {
  const bytes = tarOf(
    tarMember(
      { name: "g", type: "g" },
      encodePax([
        ["mtime", "5"],
        ["uid", "7"],
      ]),
    ),
    tarMember({ name: "a" }),
    tarMember({ name: "b" }, "", [["uid", "8"]]),
  );
  assert.deepEqual(
    readTarFiles(bytes).map(({ entry }) => [entry.name, entry.uid, entry.mtime]),
    [
      ["a", 7, 5_000_000_000n],
      ["b", 8, 5_000_000_000n],
    ],
  );
});

test("damaged archives are refused with a reason", () => {
  const good = tarOf(tarMember({}, "hello"));
  const flipped = Buffer.from(good);
  flipped[0] = 0x67;
  const cases: [string, Uint8Array][] = [
    ["wrong checksum", flipped],
    ["cut in a header", good.subarray(0, 300)],
    ["cut in the content", good.subarray(0, 515)],
    ["data after the end", Buffer.concat([good, Buffer.from("x")])],
    ["not octal", checksummed(Buffer.from(tarMember({}).fill("9", 124, 135)))],
    ["negative size", checksummed(Buffer.from(tarMember({}).fill(0xff, 124, 136)))],
    ["size beyond 2^53", checksummed(Buffer.from(tarMember({}).fill(0x7f, 125, 136).fill(0x80, 124, 125)))],
  ];
  for (const [name, bytes] of cases) assert.throws(() => readTar(bytes), corrupt, name);
});

test("metadata of more than 8 MiB is over the limit", () => {
  const bytes = tarMember({ type: "x", size: 9 << 20 });
  assert.throws(
    () => readTar(bytes),
    (error) => isTranshipError(error, "E_LIMIT"),
  );
});

test("a hard link has no content, whatever its size field says", () => {
  const block = Buffer.alloc(tarBlock);
  putTarHeader(
    {
      name: "l",
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: 700,
      mtime: 0,
      type: "1",
      linkName: "f",
      devMajor: 0,
      devMinor: 0,
    },
    block,
    0,
  );
  const files = readTarFiles(tarOf(block, tarMember({ name: "next" }, "x")));
  assert.deepEqual(
    files.map(({ entry }) => [entry.kind, entry.name, entry.size]),
    [
      ["hardlink", "l", 0],
      ["file", "next", 1],
    ],
  );
});

test("UTF-8 is told from other bytes", () => {
  for (const text of ["", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf"])
    assert.ok(isUtf8(text), text);
  for (const text of [
    "\xe9",
    "\xc0\x80",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\xe2\x82",
    "\xff",
    "\x80",
    "\xf8\x88\x80\x80\x80",
  ]) {
    assert.ok(!isUtf8(text), JSON.stringify(text));
  }
});
