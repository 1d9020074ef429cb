// The table of paths against a map of full paths, with any sequence of what layers do.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Entry } from "../../src/formats/entry.ts";
import { MergedTree } from "../../src/image/merged-tree.ts";
import { PathTable } from "../../src/image/path-table.ts";

type Step = ["set" | "remove" | "clear", string, boolean];

/** What overlays show, in the simplest form: every path on its own. */
class Model {
  readonly names = new Map<string, number>();
  readonly directories = new Set<number>();

  set(path: string, number: number): void {
    const parts = path.split("/").slice(1, -1);
    for (let i = 1; i <= parts.length; i++) {
      const above = `/${parts.slice(0, i).join("/")}`;
      const is = this.names.get(above);
      if (is === undefined || (is !== 0 && !this.directories.has(is))) this.names.set(above, 0);
    }
    if (!this.directories.has(number)) this.clear(path);
    this.names.set(path, number);
  }

  clear(path: string): void {
    for (const name of [...this.names.keys()]) if (name.startsWith(`${path}/`)) this.names.delete(name);
  }

  remove(path: string): void {
    this.clear(path);
    this.names.delete(path);
  }
}

const name = fc.constantFrom("a", "b", "c");
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join("/")}`);
const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom("set" as const, "set" as const, "set" as const, "remove" as const, "clear" as const),
  path,
  fc.boolean(),
);

/** A layer's steps in the order of its archive; what it removes is lower layers', so the model does that first. */
function addLayer(model: Model, steps: readonly Step[], before: number): void {
  for (const [what, at] of steps) if (what !== "set") model[what](at);
  for (const [i, [what, at, isDirectory]] of steps.entries()) {
    if (what !== "set") continue;
    if (isDirectory) model.directories.add(before + i + 1);
    model.set(at, before + i + 1);
  }
}

const layers = fc.array(fc.array(step, { maxLength: 15 }), { maxLength: 5 });

test("paths are what they are in a map of full paths, after any layers", () => {
  fc.assert(
    fc.property(layers, fc.array(path), (all, asked) => {
      const model = new Model();
      const table = new PathTable((number) => model.directories.has(number));
      let before = 0;
      for (const steps of all) {
        addLayer(model, steps, before);
        table.beginLayer(before);
        for (const [i, [what, at]] of steps.entries())
          if (what === "set") table.set(at, before + i + 1);
          else table[what](at);
        before += steps.length;
        for (const one of [...asked, ...steps.map(([, at]) => at)])
          assert.equal(table.get(one), model.names.get(one), one);
      }
    }),
    { numRuns: 1000 },
  );
});

test("a merged tree shows the same as the map", () => {
  fc.assert(
    fc.property(layers, (all) => {
      const model = new Model();
      const tree = new MergedTree();
      let before = 0;
      for (const steps of all) {
        addLayer(model, steps, before);
        tree.beginLayer();
        for (const [i, [what, at, isDirectory]] of steps.entries()) {
          if (what === "set")
            tree.add({
              type: "entry",
              entry: entryOf(at, before + i + 1, isDirectory),
              hardlinkTo: undefined,
            });
          else tree.add({ type: what === "clear" ? "opaque" : "whiteout", path: at });
        }
        before += steps.length;
        const shown = [...tree.all()].map(([at, { entry }]) => [at, entry.size]);
        const known = [...model.names].filter(([, number]) => number !== 0);
        assert.deepEqual(shown.sort(), known.sort());
        for (const at of model.names.keys()) assert.ok(tree.has(at), at);
      }
    }),
    { numRuns: 1000 },
  );
});

/** Its size is its number. */
function entryOf(at: string, number: number, isDirectory: boolean): Entry {
  const kind = isDirectory ? "directory" : "symlink";
  const ids = { uid: 0, gid: 0, nlink: 1, dev: 0n, ino: 0n, blocks: 0, rdevMajor: 0, rdevMinor: 0 };
  const rest = { mode: 0o755, mtime: 0n, ctime: 0n, target: "", xattrs: [], extents: undefined };
  return { ...ids, ...rest, path: at, kind, size: number };
}

test("many names, and names that nobody came by", () => {
  const table = new PathTable((number) => number % 1000 === 0);
  const nameOf = (i: number) => `/d${Math.floor(i / 1000)}/n${i}`;
  for (let i = 1; i < 20_000; i++) table.set(nameOf(i), i);
  for (let i = 1; i < 20_000; i++) assert.equal(table.get(nameOf(i)), i);
  assert.equal(table.get("/d3/none"), undefined);
  assert.equal(table.get("/d3"), 0);
  for (let i = 1; i < 20_000; i++) if (i !== 777) table.visit(nameOf(i));
  assert.equal(table.allVisited(), false);
  assert.equal(table.isVisited(nameOf(777)), false);
  assert.equal(table.isVisited(nameOf(778)), true);
  table.visit(nameOf(777));
  assert.equal(table.allVisited(), true);
});
