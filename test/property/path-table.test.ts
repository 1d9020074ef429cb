// The table of paths against a map of full paths, with any sequence of what layers do.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
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

test("paths are what they are in a map of full paths, after any steps", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.array(path), (steps, asked) => {
      const model = new Model();
      const table = new PathTable((number) => model.directories.has(number));
      for (const [i, [what, at, isDirectory]] of steps.entries()) {
        if (what === "set") {
          if (isDirectory) model.directories.add(i + 1);
          table.set(at, i + 1);
          model.set(at, i + 1);
        } else {
          table[what](at);
          model[what](at);
        }
        for (const one of [...asked, at]) assert.equal(table.get(one), model.names.get(one), one);
      }
    }),
    { numRuns: 500 },
  );
});

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
