import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTranshipError } from "../../../src/base/errors.ts";
import { fileSystemOf, imageKind, partitionsOf, qcow2Refusal } from "../../../src/formats/disk-image.ts";

const sector = 512;

function reader(disk: Uint8Array): (offset: number, length: number) => Uint8Array {
  return (offset, length) =>
    disk.subarray(Math.min(offset, disk.length), Math.min(offset + length, disk.length));
}

function mbr(
  disk: Buffer,
  at: number,
  entries: readonly (readonly [type: number, start: number, count: number])[],
): void {
  for (const [i, [type, start, count]] of entries.entries()) {
    const entry = at * sector + 446 + i * 16;
    disk[entry + 4] = type;
    disk.writeUInt32LE(start, entry + 8);
    disk.writeUInt32LE(count, entry + 12);
  }
  disk.writeUInt16LE(0xaa55, at * sector + 510);
}

test("an MBR with primary and logical partitions", () => {
  const disk = Buffer.alloc(200 * sector);
  mbr(disk, 0, [
    [0x83, 10, 20],
    [0x05, 100, 100],
  ]);
  mbr(disk, 100, [
    [0x83, 2, 10],
    [0x05, 50, 20],
  ]);
  mbr(disk, 150, [[0x83, 3, 5]]);
  assert.deepEqual(partitionsOf(reader(disk), disk.length), [
    { number: 1, offset: 10 * sector, size: 20 * sector },
    { number: 5, offset: 102 * sector, size: 10 * sector },
    { number: 6, offset: 153 * sector, size: 5 * sector },
  ]);
});

test("a chain of logical partitions that leads back to itself ends", () => {
  const disk = Buffer.alloc(200 * sector);
  mbr(disk, 0, [[0x05, 100, 100]]);
  mbr(disk, 100, [
    [0x83, 2, 10],
    [0x05, 0, 20],
  ]);
  assert.deepEqual(
    partitionsOf(reader(disk), disk.length).map((one) => one.number),
    [5],
  );
});

test("a GPT", () => {
  const disk = Buffer.alloc(300 * sector);
  mbr(disk, 0, [[0xee, 1, 299]]);
  disk.write("EFI PART", sector);
  disk.writeBigUInt64LE(2n, sector + 72);
  disk.writeUInt32LE(128, sector + 80);
  disk.writeUInt32LE(128, sector + 84);
  const second = 2 * sector + 128;
  disk.fill(0x11, second, second + 16);
  disk.writeBigUInt64LE(40n, second + 32);
  disk.writeBigUInt64LE(59n, second + 40);
  assert.deepEqual(partitionsOf(reader(disk), disk.length), [
    { number: 2, offset: 40 * sector, size: 20 * sector },
  ]);
  disk.writeBigUInt64LE(5000n, second + 40);
  assert.throws(() => partitionsOf(reader(disk), disk.length), /lies outside/);
});

test("no table, file systems and packings by their magic numbers", () => {
  const disk = Buffer.alloc(70 * 1024);
  assert.deepEqual(partitionsOf(reader(disk), disk.length), [{ number: 0, offset: 0, size: disk.length }]);
  assert.equal(fileSystemOf(disk), undefined);
  const of = (text: string, at: number): string | undefined => {
    const bytes = Buffer.alloc(70 * 1024);
    bytes.write(text, at, "latin1");
    return fileSystemOf(bytes);
  };
  assert.deepEqual(
    [
      of("\x53\xef", 1080),
      of("XFSB", 0),
      of("_BHRfS_M", 65_600),
      of("LUKS", 0),
      of("LABELONE", 512),
      of("SWAPSPACE2", 4086),
    ],
    ["ext4", "xfs", "btrfs", "luks", "lvm", "swap"],
  );
  assert.deepEqual(
    ["\x1f\x8b", "\x28\xb5\x2f\xfd", "\xfd7zXZ\0", "QFI\xfb", "x"].map((head) =>
      imageKind(Buffer.from(head.padEnd(512, "\0"), "latin1")),
    ),
    ["gzip", "zstd", "xz", "qcow2", "raw"],
  );
});

test("qcow2 files that name others are refused", () => {
  const head = (change: (bytes: Buffer) => void): string | undefined => {
    const bytes = Buffer.alloc(104);
    bytes.write("QFI\xfb", "latin1");
    bytes.writeUInt32BE(3, 4);
    change(bytes);
    return qcow2Refusal(bytes);
  };
  assert.equal(
    head(() => {}),
    undefined,
  );
  assert.match(head((bytes) => bytes.writeBigUInt64BE(96n, 8)) ?? "", /backing/);
  assert.match(head((bytes) => bytes.writeUInt32BE(1, 32)) ?? "", /encrypted/);
  assert.match(head((bytes) => bytes.writeBigUInt64BE(4n, 72)) ?? "", /data file/);
  assert.match(head((bytes) => bytes.writeUInt32BE(9, 4)) ?? "", /version/);
});

test("any bytes are a disk with some partitions, or E_LIMIT", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 4096 }), fc.boolean(), (bytes, gpt) => {
      const disk = Buffer.alloc(8192);
      disk.set(bytes);
      disk.writeUInt16LE(0xaa55, 510);
      if (gpt) disk.write("EFI PART", sector);
      try {
        for (const { offset, size } of partitionsOf(reader(disk), disk.length))
          assert.ok(offset + size <= disk.length);
      } catch (error) {
        assert.ok(isTranshipError(error, "E_LIMIT"), String(error));
      }
      imageKind(disk);
      fileSystemOf(disk);
      qcow2Refusal(bytes);
    }),
  );
});
