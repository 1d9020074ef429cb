import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTranshipError } from "../../src/base/errors.ts";
import type { Entry, Extent } from "../../src/formats/entry.ts";
import { decodePax, encodePax, parsePaxTime } from "../../src/formats/pax.ts";
import { encodeTarHeader, tarEnd, tarName } from "../../src/formats/tar.ts";
import { ZstdFrameWalker } from "../../src/formats/zstd-frame.ts";
import { blankEntry, padded, readTar, readTarFiles, tarMember, tarOf } from "../support/tar.ts";

const byte = fc.integer({ min: 1, max: 255 }).filter((value) => value !== 0x2f);
const name = fc.array(byte, { minLength: 1, maxLength: 255 }).map((bytes) => String.fromCharCode(...bytes));
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join("/")}`);
const value = fc.uint8Array({ maxLength: 300 }).map((bytes) => String.fromCharCode(...bytes));
const xattrs = fc
  .dictionary(fc.stringMatching(/^user\.[a-z.]{1,40}$/), value, { maxKeys: 4 })
  .map((found) => Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));

const entry: fc.Arbitrary<Entry> = fc
  .record({
    path,
    kind: fc.constantFrom(
      "file" as const,
      "directory" as const,
      "symlink" as const,
      "fifo" as const,
      "character" as const,
    ),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 0xfffffffe }),
    gid: fc.integer({ min: 0, max: 0xfffffffe }),
    mtime: fc.bigInt({ min: -(10n ** 18n), max: 10n ** 19n }),
    rdevMajor: fc.integer({ min: 0, max: 4095 }),
    rdevMinor: fc.integer({ min: 0, max: 1 << 20 }),
    target: name,
    xattrs,
  })
  .map((made) => ({ ...blankEntry, ...made, target: made.kind === "symlink" ? made.target : "" }));

const content = fc.uint8Array({ maxLength: 2000 });

function write(entries: readonly [Entry, Uint8Array][]): Buffer {
  const parts = entries.flatMap(([each, bytes]) => {
    const stored = each.kind === "file" ? padded(bytes) : Buffer.alloc(0);
    return [encodeTarHeader({ ...each, size: each.kind === "file" ? bytes.length : 0 }).bytes, stored];
  });
  return Buffer.concat([...parts, tarEnd]);
}

test("what is written is read again, with every attribute, in chunks of any size", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(entry, content), { maxLength: 5 }),
      fc.integer({ min: 1, max: 5000 }),
      (entries, chunk) => {
        const files = readTarFiles(write(entries), chunk);
        assert.equal(files.length, entries.length);
        for (const [i, [made, bytes]] of entries.entries()) {
          const found = files[i] ?? assert.fail("missing");
          const node = made.kind === "character";
          assert.equal(found.entry.name, tarName(made.path, made.kind === "directory"));
          assert.equal(found.entry.linkName, made.target);
          assert.deepEqual(
            [
              found.entry.kind,
              found.entry.mode,
              found.entry.uid,
              found.entry.gid,
              found.entry.mtime,
              found.entry.xattrs,
            ],
            [made.kind, made.mode, made.uid, made.gid, made.mtime, made.xattrs],
          );
          assert.deepEqual(
            [found.entry.devMajor, found.entry.devMinor],
            node ? [made.rdevMajor, made.rdevMinor] : [0, 0],
          );
          assert.deepEqual(found.content, made.kind === "file" ? Buffer.from(bytes) : Buffer.alloc(0));
        }
      },
    ),
    { numRuns: 150 },
  );
});

const sparse = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 200_000 }), fc.integer({ min: 1, max: 3000 })), { maxLength: 40 })
  .map((pairs) => {
    let at = 0;
    const extents: Extent[] = pairs.map(([gap, length]) => {
      const extent = { offset: at + gap, length };
      at += gap + length;
      return extent;
    });
    return { extents, end: at };
  });

test("sparse files keep their holes and their data", () => {
  fc.assert(
    fc.property(
      sparse,
      fc.integer({ min: 0, max: 300_000 }),
      fc.integer({ min: 100, max: 5000 }),
      (made, more, chunk) => {
        const size = made.end + more;
        const whole = Buffer.alloc(size);
        for (const { offset, length } of made.extents)
          whole.fill((offset % 251) + 1, offset, offset + length);
        const header = encodeTarHeader({ ...blankEntry, size, extents: made.extents });
        const stored = Buffer.concat(
          header.extents.map(({ offset, length }) => whole.subarray(offset, offset + length)),
        );
        const [file] = readTarFiles(Buffer.concat([header.bytes, padded(stored), tarEnd]), chunk);
        assert.equal(file?.entry.size, size);
        assert.ok(file?.content.equals(whole));
      },
    ),
    { numRuns: 60 },
  );
});

/** Errors of ours are answers; anything else is a crash. */
function survives(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!isTranshipError(error)) throw error;
  }
}

test("mutated archives are read or refused, never more", () => {
  const base = write([
    [{ ...blankEntry, path: "/a", mtime: 5n, xattrs: [["user.x", "\0\xff"]] }, Buffer.from("hello")],
    [
      { ...blankEntry, path: `/${"l".repeat(200)}`, kind: "symlink", target: "t".repeat(300) },
      Buffer.alloc(0),
    ],
  ]);
  const holes = {
    ...blankEntry,
    size: 1 << 20,
    extents: [
      { offset: 5000, length: 10 },
      { offset: 900_000, length: 600 },
    ],
  };
  const seed = Buffer.concat([encodeTarHeader(holes).bytes, padded(Buffer.alloc(610, 1)), base]);
  const change = fc.tuple(fc.nat(seed.length - 1), fc.nat(255));
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 3000 }),
      (changes, mend, chunk) => {
        const bytes = Buffer.from(seed);
        for (const [at, to] of changes) bytes[at] = to;
        if (mend) for (let at = 0; at < bytes.length; at += 512) mendChecksum(bytes, at);
        survives(() => readTar(bytes, chunk));
      },
    ),
    { numRuns: 2000 },
  );
});

/** Makes a changed header pass its checksum, so that what is behind it is reached. */
function mendChecksum(bytes: Buffer, at: number): void {
  if (bytes.toString("latin1", at + 257, at + 262) !== "ustar") return;
  bytes.fill(" ", at + 148, at + 156);
  const sum = bytes.subarray(at, at + 512).reduce((total, each) => total + each, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148, "latin1");
}

test("any bytes are walked as zstd frames or refused", () => {
  const start = fc.constantFrom([0x28, 0xb5, 0x2f, 0xfd], [0x50, 0x2a, 0x4d, 0x18], []);
  fc.assert(
    fc.property(
      start,
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1, max: 50 }),
      (magic, rest, chunk) => {
        const bytes = Uint8Array.from([...magic, ...rest]);
        survives(() => {
          const walker = new ZstdFrameWalker();
          for (let at = 0; at < bytes.length; at += chunk)
            for (const _ of walker.pieces(bytes.subarray(at, at + chunk)));
        });
      },
    ),
    { numRuns: 1500 },
  );
});

test("records of times alone are read in one go as they are one by one", () => {
  const digits = fc.stringMatching(/^\d{1,17}$/);
  const time = fc.oneof(
    digits,
    fc.tuple(digits, fc.stringMatching(/^\d{0,12}$/)).map(([seconds, fraction]) => `${seconds}.${fraction}`),
    fc.constantFrom("-1.5", "", ".5", "1.", "1.2.3", "0x1", " 1", "1e3"),
  );
  const record = fc.tuple(fc.constantFrom("mtime", "atime", "ctime", "mtimes", "comment"), time);
  const told = (work: () => bigint | undefined): string => {
    try {
      return String(work());
    } catch (error) {
      assert.ok(isTranshipError(error, "E_IMAGE_CORRUPT"));
      return "refused";
    }
  };
  fc.assert(
    fc.property(fc.array(record, { maxLength: 4 }), fc.integer({ min: 1, max: 1500 }), (records, chunk) => {
      const archive = tarOf(tarMember({ name: "f", mtime: 7 }, "", records));
      const slow = new Map(decodePax(Buffer.from(encodePax(records), "latin1"))).get("mtime");
      const expected = told(() => (slow === undefined ? 7_000_000_000n : parsePaxTime(slow)));
      assert.equal(
        told(() => readTarFiles(archive, chunk)[0]?.entry.mtime),
        expected,
      );
    }),
    { numRuns: 400 },
  );
});
