// Zeros that a data base has written pack too well: parts without content keep a layer of them from looking like a bomb.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { type Compression, Compressor } from "../../src/image/compress.ts";
import { decompress } from "../../src/image/decompress.ts";
import { UnpackBound, unpackBounded, usualRatio } from "../../src/image/layer-bound.ts";
import { partWithoutContent } from "../../src/image/padding.ts";

const size = 24 << 20;
const zeros = Buffer.alloc(size);

async function packed(kind: Compression, content: Uint8Array, free?: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  const write = async (bytes: Uint8Array): Promise<void> => {
    parts.push(Buffer.from(bytes));
  };
  const compressor = new Compressor(kind, write, free === undefined ? {} : { free });
  await compressor.append(content);
  await compressor.finish();
  return Buffer.concat(parts);
}

async function unpacked(kind: Compression, blob: Uint8Array): Promise<Buffer> {
  const parts: Buffer[] = [];
  const source = (async function* () {
    yield blob;
  })();
  for await (const part of decompress(kind, source)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

for (const kind of ["zstd", "gzip"] as const)
  describe(kind, () => {
    test("zeros alone stay within what readers allow, and are what they were", async () => {
      const blob = await packed(kind, zeros, 1 << 20);
      assert.ok(blob.length * usualRatio >= size, `${blob.length}`);
      assert.ok(blob.length < size / 500, `${blob.length}`);
      assert.ok((await unpacked(kind, blob)).equals(zeros));
      // The reader that counts what hides its size passes over them too.
      const bound = new UnpackBound("layer", blob.length, { maxBytes: 2 ** 40, maxRatio: usualRatio });
      const read = async function* () {
        yield blob;
      };
      let seen = 0;
      for await (const part of unpackBounded({ compression: kind, size: blob.length, read }, bound))
        seen += part.length;
      assert.equal(seen, size);
    });

    test("what is below the limit, or packs as content does, has none", async () => {
      const noise = Buffer.from(Array.from({ length: 1 << 16 }, (_, i) => (i * 7919) >> 3));
      const mixed = Buffer.concat([zeros, ...Array.from({ length: 64 }, () => noise)]);
      assert.ok((await packed(kind, zeros)).equals(await packed(kind, zeros, size)));
      assert.ok((await packed(kind, mixed, 2 * size)).equals(await packed(kind, mixed)));
    });

    test("other decoders pass over them", () => {
      for (const length of [1, 8, 100, 65_535, 200_000]) {
        const part = partWithoutContent(kind, length);
        assert.ok(part.length >= length && part.length < length + 40, `${length}: ${part.length}`);
        if (kind === "gzip") assert.equal(gunzipSync(part).length, 0);
        const program = kind === "gzip" ? "gzip" : "zstd";
        const { status, stdout, stderr } = spawnSync(program, ["-dc"], { input: part });
        assert.deepEqual([status, stdout.length], [0, 0], String(stderr));
      }
    });
  });
