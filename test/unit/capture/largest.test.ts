import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { largestOf } from "../../../src/capture/plan/largest.ts";
import type { Entry } from "../../../src/formats/entry.ts";

const fileEntry = (path: string, size: number): Entry => ({
  path, kind: "file", mode: 0o644, uid: 0, gid: 0, nlink: 1, dev: 1n, ino: 1n, size, blocks: 0, mtime: 0n, ctime: 0n, rdevMajor: 0,
  rdevMinor: 0, target: "", xattrs: [], extents: undefined,
}); // biome-ignore format: a record

test("the largest files are those that a sort of all of them puts first", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(300), { maxLength: 400 }), (sizes) => {
      const files = sizes.map((_, i) => `/srv/${i}`);
      const entries = new Map<string, Entry>(files.map((path, i) => [path, fileEntry(path, sizes[i] ?? 0)]));
      const half = Math.floor(files.length / 2);
      const groups = [files.slice(0, half), files.slice(half)].map((some, i) => {
        return { name: `group ${i}`, layer: "app", why: "", bytes: 0, files: some } as const;
      });
      const told = largestOf(
        groups.map((one) => ({ ...one, files: [...one.files] })),
        entries,
        () => "why",
      );
      const right = files
        .map((path, i) => ({ path, bytes: sizes[i] ?? 0, why: "why" }))
        .filter((one) => one.bytes > 0)
        .sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1))
        .slice(0, 20);
      assert.deepEqual(told.files, right);
    }),
  );
});
