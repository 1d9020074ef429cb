// Databases of rpm may be damaged or made to harm: any bytes give a value, in bounded time; a wrong list is never given silently.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readRpmDatabase } from "../../src/formats/rpm-database.ts";
import { parseRpmHeader } from "../../src/formats/rpm-header.ts";
import { type RpmPackage, rpmPackageOf } from "../../src/formats/rpm-package.ts";
import { soaking } from "../support/counts.ts";
import { hash, inMemory, rpmDatabase, rpmDatabases, weSay } from "../support/rpm.ts";

const numRuns = soaking ? 20_000 : 60;

const text = (packages: readonly RpmPackage[]): string =>
  ["packages", "files", "requires"].map((what) => weSay(what, packages)).join();

for (const name of rpmDatabases) {
  test(`${name}: with bytes changed, the list is the same or a problem is told`, async () => {
    const good = rpmDatabase(name);
    const want = text((await readRpmDatabase({ main: inMemory(good) }, hash)).packages);
    const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of changes) bytes[at] = value;
        const { packages, problems } = await readRpmDatabase({ main: inMemory(bytes) }, hash);
        if (problems.length === 0) assert.equal(text(packages), want);
      }),
      { numRuns },
    );
  });

  test(`${name}: cut short anywhere, a problem is told`, async () => {
    const good = rpmDatabase(name);
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), async (length) => {
        const { problems } = await readRpmDatabase({ main: inMemory(good.subarray(0, length)) }, hash);
        assert.notDeepEqual(problems, []);
      }),
      { numRuns },
    );
  });
}

test("a tag that became another one, outside of what the digest covers, is told", async () => {
  const bytes = Buffer.from(rpmDatabase("Packages"));
  // File states (1029) of a package, of which the last byte is changed: sizes of files (1028) a second time, of another type.
  const at = bytes.indexOf(Buffer.from([0, 0, 4, 5, 0, 0, 0, 1]));
  assert.ok(at > 0);
  bytes[at + 3] = 4;
  const { problems } = await readRpmDatabase({ main: inMemory(bytes) }, hash);
  assert.match(problems.join(), /tag 1028 twice/);
});

test("a digest that can no longer be checked is told", async () => {
  const good = rpmDatabase("Packages");
  const problemsWith = async (...changes: [from: Buffer, byte: number, value: number][]): Promise<string> => {
    const bytes = Buffer.from(good);
    for (const [from, byte, value] of changes) {
      const at = bytes.indexOf(from);
      assert.ok(at > 0);
      bytes[at + byte] = value;
    }
    return (await readRpmDatabase({ main: inMemory(bytes) }, hash)).problems.join();
  };
  // The trailer of a region: tag 63, binary, its offset back over the entries of the region, 16 bytes.
  const trailer = Buffer.from([0, 0, 0, 63, 0, 0, 0, 7, 0xff, 0xff]);
  assert.match(await problemsWith([trailer, 8, 0]), /does not fit its digest/);
  const [sha1, sha256] = [Buffer.from([0, 0, 1, 13, 0, 0, 0, 6]), Buffer.from([0, 0, 1, 17, 0, 0, 0, 6])];
  assert.equal(await problemsWith([sha256, 3, 9]), "");
  assert.match(await problemsWith([sha256, 3, 9], [sha1, 3, 10]), /has no digest/);
});

test("headers of any bytes", () => {
  const word = fc.oneof(
    fc.nat(20),
    fc.integer({ min: 0, max: 0xffffffff }),
    fc.constantFrom(63, 1000, 1117, 1027),
  );
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 60 }),
      fc.nat(12),
      fc.uint8Array({ maxLength: 200 }),
      (words, tags, data) => {
        const bytes = new Uint8Array(8 + tags * 16 + data.length);
        const view = new DataView(bytes.buffer);
        view.setUint32(0, tags);
        view.setUint32(4, data.length);
        for (let i = 0; i < tags * 4; i++) view.setUint32(8 + i * 4, words[i] ?? 0);
        bytes.set(data, 8 + tags * 16);
        const read = parseRpmHeader(bytes);
        if ("problem" in read) return;
        read.header.seal(hash);
        rpmPackageOf(read.header);
      },
    ),
    { numRuns: soaking ? 200_000 : 2000 },
  );
});
