// Programs with damaged headers: what the kernel starts runs in the engine as well, and what the kernel does not start the engine refuses; it never fails itself.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { soaking, times } from "../support/counts.ts";
import { cannotRun, compile, engine, place, run } from "../support/engine.ts";

/** And above: refused, or ended by a signal. */
const notStarted = 122;
const source = join(import.meta.dirname, "../../native/engine/test/least.c");
const [tableAt, entrySize] = [64, 56];
/** xorshift. */
function random(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const numbers = [
  0n,
  1n,
  0xfffn,
  0x1000n,
  0x2000n,
  0x400000n,
  0x7fff_ffff_f000n,
  0x7fff_ffff_ffff_ffffn,
  (1n << 64n) - 1n,
];

/** In the ELF header's parts that say where things are, and in the program headers. */
function damage(whole: Buffer, pick: (below: number) => number): Buffer {
  const bytes = Buffer.from(whole);
  const end = tableAt + entrySize * bytes.readUInt16LE(56);
  for (let changes = 1 + pick(2); changes > 0; changes--) {
    const at = pick(8) === 0 ? 16 + pick(tableAt - 16) : tableAt + pick(end - tableAt);
    const aligned = at - (at % 8);
    if (pick(3) === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
    else if (pick(2) === 0) bytes.writeBigUInt64LE(numbers[pick(numbers.length)] ?? 0n, aligned);
    else
      bytes.writeBigUInt64LE(
        BigInt.asUintN(64, bytes.readBigUInt64LE(aligned) + BigInt(pick(0x4000)) - 0x2000n),
        aligned,
      );
  }
  return bytes;
}

/** What asks for more memory than there is depends on how much that is; and of program headers the engine takes a page. */
function asksForMuch(bytes: Buffer): boolean {
  const count = bytes.readUInt16LE(56);
  if (count * entrySize > 4096) return true;
  return Array.from({ length: count }, (_, n) => bytes.readBigUInt64LE(tableAt + n * entrySize + 40)).some(
    (size) => size > 1n << 32n,
  );
}

/** A small program without a C library. */
function least(how: "-static" | "-static-pie"): Buffer {
  const to = join(place, `least${how}`);
  const flags = ["-O1", "-nostdlib", "-fPIE", "-fno-stack-protector", how, "-Wl,--build-id=none"];
  const made = spawnSync("gcc", [...flags, "-o", to, source], { encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  return readFileSync(to);
}

test("a first segment far above the others finds no room, one a little above does", {
  skip: cannotRun,
}, async () => {
  const start = compile("start", "static");
  for (const [distance, runs] of [
    [0x4000_0000_0000n, false],
    [0x1000_0000n, true],
  ] as const) {
    const bytes = least("-static-pie");
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(tableAt + 16) + distance, tableAt + 16);
    const file = join(place, "far");
    writeFileSync(file, bytes, { mode: 0o755 });
    const [native, ours] = [await run([start, file]), await run([engine, file])];
    assert.deepEqual(
      [native.status < notStarted, ours.status < notStarted],
      [runs, runs],
      JSON.stringify([native, ours]),
    );
  }
});

test("what a segment has behind its part of the file can be written, whatever it says", {
  skip: cannotRun,
}, async () => {
  const start = compile("start", "static");
  const bytes = least("-static");
  const [data, loaded, readable] = [tableAt + 3 * entrySize, 1, 4];
  assert.deepEqual([bytes.readUInt32LE(data), bytes.readUInt32LE(data + 4)], [loaded, 6]);
  // Its data is in zeros of the first segment, which is not writable.
  bytes.writeUInt32LE(0, data);
  bytes.writeBigUInt64LE(0x10_000n, tableAt + 40);
  assert.equal(bytes.readUInt32LE(tableAt + 4), readable);
  const file = join(place, "zeros");
  writeFileSync(file, bytes, { mode: 0o755 });
  const native = await run([start, file]);
  assert.equal(native.status, 1);
  assert.deepEqual(await run([engine, file]), native);
});

test("programs with damaged headers run or not, as natively", { skip: cannotRun }, async () => {
  const seed = Date.now() % 1_000_000;
  const pick = random(seed);
  const wholes = [least("-static"), least("-static-pie")];
  const start = compile("start", "static");
  const counts = { both: 0, neither: 0 };
  const count = soaking ? 20_000 : 150;
  await times(count, `damaged programs, seed ${seed}`, async (index) => {
    const file = join(place, `damaged-${index % 2}`);
    let bytes = damage(wholes[index % 2] ?? Buffer.alloc(0), pick);
    while (asksForMuch(bytes)) bytes = damage(wholes[index % 2] ?? Buffer.alloc(0), pick);
    writeFileSync(file, bytes, { mode: 0o755 });
    const native = await run([start, file]);
    const ours = await run([engine, file]);
    const what = `seed ${seed}, program ${index}: ${JSON.stringify({ native, ours })}`;
    // What it does once it runs is its own affair, wherever it began; how the other ones end is told in different ways.
    const runs = native.status < notStarted;
    assert.equal(ours.status < notStarted, runs, what);
    if (runs) assert.deepEqual(ours, native, what);
    counts[runs ? "both" : "neither"]++;
  });
  console.log(
    `# seed ${seed}: ${count} damaged programs, ${counts.both} run both times, ${counts.neither} neither time`,
  );
});
