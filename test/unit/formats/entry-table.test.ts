import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Entry, EntryKind } from "../../../src/formats/entry.ts";
import { EntryTable } from "../../../src/formats/entry-table.ts";

const kinds: EntryKind[] = ["file", "directory", "symlink", "fifo", "socket", "character", "block"];
const word = fc.nat({ max: 0xffff_ffff });
const entries: fc.Arbitrary<Entry> = fc.record(
  {
    path: fc.string({ unit: "binary", maxLength: 3 }),
    kind: fc.constantFrom(...kinds),
    mode: fc.nat({ max: 0o7777 }),
    uid: word,
    gid: word,
    nlink: word,
    dev: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    ino: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    size: fc.maxSafeNat(),
    blocks: fc.maxSafeNat(),
    mtime: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
    ctime: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
    rdevMajor: fc.constantFrom(0, 1, 259),
    rdevMinor: fc.constantFrom(0, 3),
    target: fc.constantFrom("", "x"),
    xattrs: fc.constantFrom([], [["user.a", "b"] as const]),
    extents: fc.constantFrom(undefined, [], [{ offset: 0, length: 4 }]),
  },
  { noNullPrototype: true },
);

test("a table of entries is a Map of them", () => {
  fc.assert(
    fc.property(fc.array(entries, { maxLength: 300 }), (list) => {
      const map = new Map<string, Entry>();
      const table = new EntryTable();
      for (const entry of list) {
        map.set(entry.path, entry);
        table.set(entry.path, entry);
      }
      assert.deepEqual([...table], [...map]);
      assert.deepEqual([...table.keys()], [...map.keys()]);
      assert.deepEqual([...table.values()], [...map.values()]);
      assert.equal(table.size, map.size);
      for (const path of map.keys()) {
        assert.deepEqual(table.get(path), map.get(path));
        assert.equal(table.kindOf(path), map.get(path)?.kind);
      }
      assert.equal(table.get("/not there"), undefined);
    }),
    { numRuns: 30 },
  );
});

test("a table of more rows than stand together", () => {
  const [one] = fc.sample(entries, { numRuns: 1, seed: 1 });
  assert.ok(one !== undefined);
  const table = new EntryTable();
  const entryOf = (row: number): Entry => ({
    ...one,
    path: `/${row}`,
    kind: "file",
    size: row,
    ino: BigInt(row),
  });
  for (let row = 0; row < 20_000; row++) table.set(`/${row}`, entryOf(row));
  for (const row of [0, 63, 64, 65, 8191, 8192, 8193, 16_383, 16_384, 19_999])
    assert.deepEqual(table.get(`/${row}`), entryOf(row));
  assert.equal(table.size, 20_000);
});
