// The engine's stream of a container's log, as bytes: docs of the Engine API, "attach" and "logs".
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerLine } from "../../src/cluster/drivers/containers.ts";
import { Demultiplexer } from "../../src/cluster/drivers/docker/exec.ts";
import { Stamped } from "../../src/cluster/drivers/docker/logs.ts";

const stamp = (second: number): string => `2026-11-29T10:00:0${second}.000000001Z`;

function frame(stream: 1 | 2, text: string | Uint8Array): Buffer {
  const body = Buffer.from(text as string);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

function read(chunks: readonly Buffer[]): ContainerLine[] {
  const found: ContainerLine[] = [];
  const [stdout, stderr] = [new Stamped("stdout", found), new Stamped("stderr", found)];
  const pieces = new Demultiplexer(
    (piece, begins) => stdout.add(piece, begins),
    (piece, begins) => stderr.add(piece, begins),
  );
  for (const chunk of chunks) pieces.add(chunk);
  for (const each of [stdout, stderr]) each.end();
  return found;
}

test("lines have their time and stream, wherever the bytes are cut", () => {
  const whole = Buffer.concat([
    frame(1, `${stamp(1)} first é\n`),
    frame(2, `${stamp(2)} wrong\n`),
    frame(1, `${stamp(3)} \n`),
  ]);
  const wanted = [
    { time: stamp(1), stream: "stdout", text: "first é\n" },
    { time: stamp(2), stream: "stderr", text: "wrong\n" },
    { time: stamp(3), stream: "stdout", text: "\n" },
  ];
  for (let at = 0; at < whole.length; at++)
    assert.deepEqual(read([whole.subarray(0, at), whole.subarray(at)]), wanted, `cut at ${at}`);
});

test("what the engine cuts is told as parts of a line, without the times between them", () => {
  const [head, tail] = [Buffer.from(`${stamp(1)} ${"x".repeat(100)}`), Buffer.from("é")];
  assert.deepEqual(
    read([
      frame(1, Buffer.concat([head, tail.subarray(0, 1)])),
      frame(1, `${stamp(2)} end\n`),
      frame(1, "no time\n"),
      frame(1, `${stamp(3)} last`),
    ]),
    [
      { time: stamp(1), stream: "stdout", text: `${"x".repeat(100)}\ufffd`, partial: true },
      { time: stamp(2), stream: "stdout", text: "end\n" },
      { time: stamp(3), stream: "stdout", text: "last", partial: true },
    ],
  );
});

test("a terminal's line without an end is given in parts, and is not held in memory", () => {
  const found: ContainerLine[] = [];
  const lines = new Stamped("stdout", found);
  lines.add(Buffer.from(`${stamp(1)} `), false);
  let longest = 0;
  let sum = 0;
  for (let times = 0; times < 1000; times++) {
    lines.add(Buffer.from("x".repeat(10_000)), false);
    for (const { text, time, partial } of found.splice(0)) {
      assert.deepEqual([time, partial], [stamp(1), true]);
      longest = Math.max(longest, text.length);
      sum += text.length;
    }
  }
  assert.ok(longest < 40_000 && sum > 9_900_000, `${longest}, ${sum}`);
  lines.add(Buffer.from(`y\n${stamp(2)} z\n`), false);
  assert.deepEqual(
    found.map(({ time, text }) => [time, text.replace(/^x+/, "")]),
    [
      [stamp(1), "y\n"],
      [stamp(2), "z\n"],
    ],
  );
});
