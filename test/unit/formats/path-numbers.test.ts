import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PathNumbers } from "../../../src/formats/path-numbers.ts";

test("numbers of paths are those that a Map would give them", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary", maxLength: 2 }), { maxLength: 500 }), (paths) => {
      const map = new Map<string, number>();
      const numbers = new PathNumbers();
      for (const path of paths) {
        if (!map.has(path)) map.set(path, map.size);
        assert.equal(numbers.add(path), map.get(path));
      }
      assert.deepEqual([...numbers.paths()], [...map.keys()]);
      assert.equal(numbers.size, map.size);
      for (const path of map.keys()) assert.equal(numbers.get(path), map.get(path));
      assert.equal(numbers.get("not there"), undefined);
    }),
  );
});

test("many paths that differ little", () => {
  const numbers = new PathNumbers();
  const path = (i: number): string => `/srv/data/part-${i % 100}/record-${String(i).padStart(6, "0")}`;
  for (let i = 0; i < 100_000; i++) assert.equal(numbers.add(path(i)), i);
  for (let i = 0; i < 100_000; i++) assert.equal(numbers.get(path(i)), i);
});
