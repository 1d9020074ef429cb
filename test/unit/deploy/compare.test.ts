import assert from "node:assert/strict";
import { test } from "node:test";
import { compareSides, firstDifference } from "../../../src/deploy/compare.ts";
import { ExerciseOutput } from "../../../src/deploy/exercise-output.ts";
import type { ParityReport, Side } from "../../../src/deploy/parity.ts";
import { parityHtml, parityText } from "../../../src/deploy/parity-report.ts";
import { newDescriptor } from "../../../src/package/descriptor.ts";

const descriptor = newDescriptor(
  { id: "x", name: "x", version: "1", publisher: "" },
  { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" },
);

function side(more: Partial<Side> = {}): Side {
  return {
    name: "side",
    status: 0,
    output: "",
    results: new Map(),
    probes: new Map(),
    written: new Map(),
    startTime: 1,
    ...more,
  };
}

test("equal sides are the same, masks hide what may differ", () => {
  const a = side({ output: "at 12:30 ok\n", results: new Map([["p", new Uint8Array([1])]]) });
  const b = side({ output: "at 12:31 ok\n", results: new Map([["p", new Uint8Array([1])]]) });
  const masks = [/\d\d:\d\d/g];
  assert.ok(compareSides(a, b, { masks, descriptor }).every((one) => one.same));
  assert.ok(compareSides(a, b, { masks: [], descriptor }).some((one) => !one.same));
});

test("every kind of difference is found", () => {
  const a = side({
    results: new Map([["only-here", new Uint8Array()]]),
    probes: new Map([[80, { open: true, status: "HTTP/1.1 200 OK", body: "x" }]]),
    written: new Map([["/a", { size: 1, digest: "1" }]]),
  });
  const b = side({ status: 3, probes: new Map([[80, { open: false, status: "", body: "" }]]), written: new Map([["/a", { size: 1, digest: "2" }], ["/b", { size: 1, digest: "1" }]]) }); // biome-ignore format: short
  const different = compareSides(a, b, { masks: [], descriptor }).filter((one) => !one.same).map((one) => one.name); // biome-ignore format: short
  assert.deepEqual(different, ["port 80", "exercise", "only-here", "/a", "/b"]);
});

test("without an original an open port and a good exercise are healthy", () => {
  const good = side({ probes: new Map([[80, { open: true, status: "", body: "" }]]) });
  assert.ok(compareSides(undefined, good, { masks: [], descriptor }).every((one) => one.same));
  assert.ok(compareSides(undefined, side({ status: 1 }), { masks: [], descriptor }).some((one) => !one.same));
});

test("an application that ends by itself is held against the original's end", () => {
  const ended = (status: number, output: string) => side({ status: undefined, end: { status, output } });
  const differing = (a: Side | undefined, b: Side) => compareSides(a, b, { masks: [], descriptor }).filter((one) => !one.same).map((one) => one.name); // biome-ignore format: short
  assert.deepEqual(differing(ended(3, "x\n"), ended(3, "x\n")), []);
  assert.deepEqual(differing(ended(3, "x\n"), ended(0, "y\n")), ["application", "output of the application"]);
  assert.deepEqual(differing(side({ status: undefined }), ended(0, "")), ["application"]);
  assert.deepEqual(differing(ended(0, ""), side({ status: undefined })), ["application"]);
  assert.deepEqual(differing(undefined, ended(1, "")), ["application"]);
  assert.deepEqual(differing(undefined, ended(0, "")), []);
});

test("differences name the line", () => {
  assert.deepEqual(firstDifference("a\nb\n", "a\nc\n"), ["-2: b", "+2: c"]);
});

test("reports escape foreign names", () => {
  const comparisons = compareSides(side({ results: new Map([["<script>", new Uint8Array()]]) }), side(), {
    masks: [],
    descriptor,
  });
  const report: ParityReport = {
    schema: "tranship/parity",
    version: 1,
    reference: "x",
    against: "rootfs:/x",
    verdict: "differs",
    comparisons,
    sides: [],
  };
  assert.ok(!parityHtml(report).includes("<script>"));
  assert.match(parityText(report), /differ/);
});

test("alone, a port that answers with an error of the server is not healthy", () => {
  const alone = (status: string) =>
    compareSides(undefined, side({ probes: new Map([[80, { open: true, status, body: "" }]]) }), {
      masks: [],
      descriptor,
    })[0]?.same;
  assert.equal(alone("HTTP/1.0 500 Internal Server Error"), false);
  assert.equal(alone("HTTP/1.1 404 Not Found"), true);
  assert.equal(alone(""), true);
});

test("the streams of an exercise are told one after the other, however they came", () => {
  const text = (...pieces: ["stdout" | "stderr", string][]) => {
    const output = new ExerciseOutput();
    for (const [stream, piece] of pieces) output.add(stream, piece);
    return output.text();
  };
  assert.equal(
    text(["stdout", "a"], ["stderr", "e"], ["stdout", "b"]),
    text(["stderr", "e"], ["stdout", "ab"]),
  );
  assert.match(text(["stdout", "x".repeat((16 << 20) + 1)]), /^\n\[cut at /);
});
