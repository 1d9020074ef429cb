// Layers of other tools' making: frames of the zstd program, many and skippable frames, zstd:chunked's shape, gzip with
// several members; and our frames, read by the zstd program and by gzip.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { deflateRawSync, gzipSync, zstdCompressSync } from "node:zlib";
import { ZstdFrameWalker } from "../../src/formats/zstd-frame.ts";
import { Compressor } from "../../src/image/compress.ts";
import { decompress } from "../../src/image/decompress.ts";
import { scratch } from "../support/images.ts";

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function unpacked(kind: "zstd" | "gzip" | "none", bytes: Uint8Array, size: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of decompress(kind, chunksOf(bytes, size))) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** Half of it compresses. */
function sample(size: number): Buffer {
  const bytes = randomBytes(size);
  bytes.fill("the same words again and again ", 0, size >> 1);
  return bytes;
}

function zstd(input: Uint8Array, ...args: string[]): Buffer {
  return execFileSync("zstd", ["-q", "-c", ...args], { input, maxBuffer: 256 << 20 });
}

test("what the zstd program packs, with all its ways to write a frame, is unpacked", async () => {
  const content = sample(20 << 20);
  const ways = [
    ["-1"],
    ["-3", "-T2"],
    ["-19", "--long=24"],
    ["--no-check"],
    ["--no-content-size"],
    ["--fast=5"],
  ];
  for (const way of ways) {
    const input = way[0] === "-19" ? content.subarray(0, 2 << 20) : content;
    assert.ok((await unpacked("zstd", zstd(input, ...way), 100_003)).equals(input), way.join(" "));
  }
});

test("the walker counts the frames that the zstd program lists", (t) => {
  const frames = [1, 100, 70_000, 3 << 20].map((size) => zstd(sample(size)));
  const skippable = Buffer.from([0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const file = join(scratch(t), "f.zst");
  writeFileSync(file, Buffer.concat([...frames, skippable, ...frames]));
  const listed = execFileSync("zstd", ["-lv", file], { encoding: "utf8" });
  let seen = { frame: 0, skippable: 0 };
  for (const piece of new ZstdFrameWalker().pieces(readFileSync(file)))
    if (piece.last) seen = { ...seen, [piece.kind]: seen[piece.kind] + 1 };
  assert.equal(seen.frame, Number(/# Zstandard Frames: (\d+)/.exec(listed)?.[1]));
  assert.equal(seen.skippable, Number(/# Skippable Frames: (\d+)/.exec(listed)?.[1] ?? 1));
});

test("thousands of small frames with skippable ones between and behind (zstd:chunked) are unpacked", async () => {
  const parts = Array.from({ length: 3000 }, (_, i) => Buffer.from(`part ${i} `.repeat(i % 50)));
  const skippable = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 40, 0, 0, 0]), Buffer.alloc(40, 7)]);
  const stream = Buffer.concat(
    parts.flatMap((part, i) => (i % 100 === 0 ? [skippable] : []).concat(zstdCompressSync(part))),
  );
  for (const size of [1, 777, 1 << 20]) {
    assert.ok(
      (await unpacked("zstd", Buffer.concat([stream, skippable]), size)).equals(Buffer.concat(parts)),
      `${size}`,
    );
  }
});

test("gzip with one and with several members, and with a name in its header, is unpacked", async () => {
  const [one, two] = [sample(3 << 20), sample(1 << 20)];
  const named = execFileSync("gzip", ["-9", "-c"], { input: two, maxBuffer: 64 << 20 });
  assert.ok(
    (await unpacked("gzip", Buffer.concat([gzipSync(one), named, gzipSync("")]), 65_537)).equals(
      Buffer.concat([one, two]),
    ),
  );
  await assert.rejects(unpacked("gzip", deflateRawSync(one), 1000));
  for (const size of [10, 1 << 20])
    await assert.rejects(
      unpacked("gzip", Buffer.concat([gzipSync("a"), Buffer.from("junk".repeat(20))]), size),
    );
});

test("our frames are the same whatever the concurrency and the pieces that come in, and other programs read them", async () => {
  const content = sample((17 << 20) + 5);
  for (const kind of ["zstd", "gzip"] as const) {
    const made = new Set<string>();
    for (const [concurrency, size] of [
      [1, 1 << 20],
      [4, 100_003],
      [2, content.length],
    ] as const) {
      const parts: Uint8Array[] = [];
      const compressor = new Compressor(kind, async (bytes) => void parts.push(Uint8Array.from(bytes)), {
        concurrency,
      });
      for await (const chunk of chunksOf(content, size)) await compressor.append(chunk);
      await compressor.finish();
      made.add(Buffer.concat(parts).toString("latin1"));
    }
    assert.equal(made.size, 1, kind);
    const packed = Buffer.from([...made][0] ?? "", "latin1");
    const plain = spawnSync(kind, ["-d", "-c"], { input: packed, maxBuffer: 64 << 20 });
    assert.ok(plain.stdout.equals(content), kind);
    assert.ok((await unpacked(kind, packed, 99_991)).equals(content), kind);
  }
});

test("an empty input is one empty member", async () => {
  for (const kind of ["zstd", "gzip"] as const) {
    const parts: Uint8Array[] = [];
    const compressor = new Compressor(kind, async (bytes) => void parts.push(Uint8Array.from(bytes)));
    await compressor.finish();
    assert.equal((await unpacked(kind, Buffer.concat(parts), 7)).length, 0);
    assert.ok(Buffer.concat(parts).length < 32, kind);
  }
});

test("a reader that stops early leaves nothing running", async () => {
  const packed = zstd(sample(20 << 20), "--no-content-size");
  for (const kind of ["zstd", "gzip"] as const) {
    const bytes = kind === "zstd" ? packed : gzipSync(sample(8 << 20));
    for await (const part of decompress(kind, chunksOf(bytes, 50_000))) {
      assert.ok(part.length > 0);
      break;
    }
  }
});
