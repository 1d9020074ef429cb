import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTranshipError } from "../../../src/base/errors.ts";
import type { Plan } from "../../../src/capture/plan/plan.ts";
import { parsePlan } from "../../../src/capture/plan/plan-file.ts";
import { printPlan } from "../../../src/capture/plan/print-plan.ts";
import { newDescriptor } from "../../../src/package/descriptor.ts";

const descriptor = newDescriptor(
  { id: "shop", name: "shop", version: "1", publisher: "" },
  { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" },
);

function planOf(files: string[]): Plan {
  return {
    source: { machine: "rootfs:/mnt/old", asOf: 1_700_000_000_123_456_789n, evidence: undefined },
    package: descriptor,
    groups: [{ name: "used", layer: "app", why: "used", bytes: 12, files }],
    excluded: [{ path: "/etc/key\xff", why: "secret" }],
    candidates: [],
    // Of a library only the name is known, where no search found it.
    missing: ["/etc/absent", "libman-2.11.2.so", "libz.so.9"].map((path) => ({
      path,
      why: "needed by /usr/bin/man",
    })),
    absent: ["/etc/over\xffride.conf"],
    coverage: [],
    writes: [],
    data: [],
    unmet: [{ path: "libold.so.1", why: "nowhere" }],
    largest: { files: [], directories: [] },
  };
}

test("a plan survives printing and parsing, whatever bytes its paths hold", () => {
  const path = fc
    .uint8Array({ minLength: 1, maxLength: 20, min: 1 })
    .map((bytes) => String.fromCharCode(...bytes).replaceAll("/", "_"))
    .filter((name) => name !== "." && name !== "..")
    .map((name) => `/${name}`);
  fc.assert(
    fc.property(fc.array(path, { minLength: 1, maxLength: 5 }), (files) => {
      const plan = planOf(files);
      assert.deepEqual(parsePlan(printPlan(plan), "plan.yaml"), plan);
    }),
    { numRuns: 60 },
  );
});

test("problems of a plan are told with their line", () => {
  const text = printPlan(planOf(["/a"]))
    .replace("layer: app", "layer: kernel")
    .replace("files: |\n      /a", "files: |\n      a");
  assert.throws(
    () => parsePlan(text, "plan.yaml"),
    (error) =>
      isTranshipError(error, "E_PLAN_INVALID") &&
      /line \d+: groups\[0\]\.layer/.test(error.message) &&
      /absolute path/.test(error.message),
  );
});

test("what is no YAML, an alias bomb and an empty file are refused", () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefghi"].map((name, i) => `${name}: &${name} [${`*${"abcdefghi"[i]},`.repeat(9)}]`).join("\n")}\n`;
  for (const text of ["", "{", "\t- x\n\t\t: [", bomb, "[]", "null", "\u0000"]) {
    assert.throws(
      () => parsePlan(text, "plan.yaml"),
      (error) => isTranshipError(error),
    );
  }
});

test("a plan that a person edited: comments, blank lines, lists, other indents; lines of problems are the file's", () => {
  const text = printPlan(planOf(["/a", "/b", "/c\xff"]));
  const files = (edited: string) => parsePlan(edited, "plan.yaml").groups.flatMap((group) => group.files);
  assert.deepEqual(files(text.replace("      /b\n", "\n      # /b\n        /d e \r\n")), [
    "/a",
    "/d e ",
    "/c\xff",
  ]);
  assert.deepEqual(files(text.replace(/files: \|\n( {6}.*\n)+/, 'files: [/x, "/y"]\n')), ["/x", "/y"]);
  assert.deepEqual(files(text.replace(/files: \|\n {6}\/a\n {6}\/b\n {6}/, "files: |\n     /a\n     ")), [
    "/a",
    "/c\xff",
  ]);
  const lines = text.split("\n");
  const line = lines.indexOf("candidates: []") + 1;
  const message = (edited: string) => {
    try {
      return String(parsePlan(edited, "p"));
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.match(message(text.replace("candidates: []", "candidates: 3")), new RegExp(`line ${line}: `));
  assert.match(
    message(text.replace("      /b\n", "      b\n")),
    new RegExp(`line ${lines.indexOf("      /b") + 1}: "b" must be`),
  );
});
