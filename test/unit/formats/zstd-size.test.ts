import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, createZstdCompress, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { parseZstdHeader } from "../../../src/formats/zstd-frame.ts";
import { ZstdSize } from "../../../src/formats/zstd-size.ts";

function counted(bytes: Uint8Array, chunk = bytes.length): ZstdSize {
  const size = new ZstdSize(true);
  for (let at = 0; at < bytes.length; at += chunk) size.push(bytes.subarray(at, at + chunk));
  return size;
}

/** A frame that does not say what it unpacks to, as a stream gives it. */
async function streamed(bytes: Uint8Array, level: number, checksum: boolean): Promise<Buffer> {
  const stream = createZstdCompress({
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0,
    },
  });
  stream.write(bytes);
  stream.end();
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Runs, texts and noise, one behind the other. */
const content = fc
  .array(
    fc.oneof(
      fc
        .tuple(fc.nat(255), fc.integer({ min: 1, max: 300_000 }))
        .map(([byte, count]) => Buffer.alloc(count, byte)),
      fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
      fc
        .array(fc.constantFrom("a", "be", "see", "deed"), { maxLength: 3000 })
        .map((all) => Buffer.from(all.join(""))),
      fc
        .tuple(fc.string({ maxLength: 40 }), fc.nat(3000))
        .map(([text, count]) => Buffer.from(text.repeat(count))),
    ),
    { maxLength: 6 },
  )
  .map((parts) => Buffer.concat(parts));

test("zstd is counted as it unpacks, at all levels and in pieces of any size, whether or not frames say their size", async () => {
  const frame = fc.record({ bytes: content, level: fc.integer({ min: -5, max: 19 }), says: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(frame, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 5000 }),
      async (frames, chunk) => {
        const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
        const parts: Buffer[] = [];
        for (const { bytes, level, says } of frames) {
          const params = { [constants.ZSTD_c_compressionLevel]: level };
          parts.push(
            says ? zstdCompressSync(bytes, { params }) : await streamed(bytes, level, level % 2 === 0),
          );
          parts.push(skippable);
        }
        const size = counted(Buffer.concat(parts), chunk);
        assert.equal(size.stopped, false);
        assert.equal(size.size, frames.reduce((sum, { bytes }) => sum + bytes.length, 0)); // biome-ignore format: short
        const most = new ZstdSize(false);
        most.push(Buffer.concat(parts));
        assert.ok(most.size >= size.size && !most.stopped);
      },
    ),
    { numRuns: 150 },
  );
});

test("what is damaged or cut off is counted up to there", async () => {
  const text = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `line ${(i * 7919) % 1013}\n`).join(""));
  const packed = await streamed(text, 3, true);
  assert.equal(parseZstdHeader(packed)?.contentSize, undefined);
  for (let cut = 0; cut < packed.length; cut += 97)
    assert.ok(counted(packed.subarray(0, cut)).size <= text.length);
  fc.assert(
    fc.property(fc.nat(packed.length - 1), fc.nat(255), (at, byte) => {
      const damaged = Buffer.from(packed);
      damaged[at] = byte;
      assert.ok(counted(damaged).size >= 0);
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => void counted(bytes)));
});
