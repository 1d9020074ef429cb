import assert from "node:assert/strict";
import { test } from "node:test";
import { readRpmDatabase, rpmLimits } from "../../../src/formats/rpm-database.ts";
import { parseRpmHeader, rpmTag } from "../../../src/formats/rpm-header.ts";
import { isOfScriptsOnly, rpmPackageOf, rpmVersion } from "../../../src/formats/rpm-package.ts";
import {
  buildRpmHeader, type HeaderTag, hash, inMemory, rpmDatabase, rpmDatabases, rpmFormats, rpmSays, weSay,
} from "../../support/rpm.ts"; // biome-ignore format: short

for (const name of rpmDatabases) {
  test(`${name}: packages, files and relations as rpm tells them`, async () => {
    const { packages, problems } = await readRpmDatabase({ main: inMemory(rpmDatabase(name)) }, hash);
    assert.deepEqual(problems, []);
    for (const what of rpmFormats.keys()) assert.equal(weSay(what, packages), rpmSays(what), what);
    const shop = packages.find((one) => one.name === "shop");
    assert.equal(shop === undefined ? "" : rpmVersion(shop), "2:1.4-3.el9");
    assert.equal(shop?.digestAlgorithm, "sha256");
    assert.match(shop?.scripts.find((one) => one.when === "postInstall")?.text ?? "", /useradd -r/);
    const scripts = shop?.requires.filter(isOfScriptsOnly).map((one) => one.name);
    assert.deepEqual(scripts, ["/bin/sh", "shadow-utils"]);
  });

  test(`${name}: a byte changed inside of a header is noticed, and the package left out`, async () => {
    const bytes = rpmDatabase(name);
    bytes[bytes.indexOf("plugins/\0", 0, "latin1") + 2] = 0x58;
    const { packages, problems } = await readRpmDatabase({ main: inMemory(bytes) }, hash);
    assert.match(problems.join(), name === "Packages" ? /does not fit its digest/ : /checksum/);
    assert.ok(packages.length < 24);
  });

  test(`${name}: limits end the reading and are told`, async () => {
    for (const limits of [{ packages: 3 }, { files: 5 }, { text: 200 }]) {
      const main = inMemory(rpmDatabase(name));
      const { packages, problems } = await readRpmDatabase({ main }, hash, { ...rpmLimits, ...limits });
      assert.match(problems.join(), /the rest is not read/);
      assert.ok(packages.length < 24);
    }
  });
}

test("a file that is no database is told", async () => {
  const { packages, problems } = await readRpmDatabase({ main: inMemory(new Uint8Array(4096)) }, hash);
  assert.deepEqual([packages, problems], [[], ["no database of rpm of a known kind"]]);
});

const names: HeaderTag[] = [
  { tag: rpmTag.name, type: 6, strings: ["old"] },
  { tag: rpmTag.version, type: 6, strings: ["1"] },
  { tag: rpmTag.release, type: 6, strings: ["2"] },
];
const files = (...paths: string[]): HeaderTag[] => [
  { tag: rpmTag.oldFileNames, type: 8, strings: paths },
  { tag: rpmTag.fileModes, type: 3, numbers: paths.map(() => 0o100644) },
  { tag: rpmTag.fileFlags, type: 4, numbers: paths.map(() => 0) },
  { tag: rpmTag.fileUsers, type: 8, strings: paths.map(() => "root") },
  { tag: rpmTag.fileGroups, type: 8, strings: paths.map(() => "root") },
];

function read(tags: readonly HeaderTag[]) {
  const header = parseRpmHeader(buildRpmHeader(tags));
  return "problem" in header ? header : rpmPackageOf(header.header);
}

test("names of files as rpm 3 kept them, and tags that rpm added later count", () => {
  const made = read([
    ...names,
    ...files("/usr/bin/a", "/etc/b"),
    { tag: rpmTag.release, type: 6, strings: ["9"] },
  ]);
  assert.ok("package" in made);
  assert.equal(made.package.release, "9");
  assert.deepEqual(
    made.package.files.map((file) => file.path),
    ["/usr/bin/a", "/etc/b"],
  );
  assert.equal(made.package.digestAlgorithm, "md5");
});

test("headers that lie about themselves give a problem", () => {
  const problem = (tags: readonly HeaderTag[]): string => {
    const made = read(tags);
    return "problem" in made ? made.problem : made.problems.join();
  };
  assert.match(problem([...names, { tag: 5, type: 8, count: 1 << 30, strings: ["x"] }]), /does not fit/);
  assert.match(problem([...names, { tag: 5, type: 77, strings: ["x"] }]), /type 77/);
  assert.match(problem([{ tag: rpmTag.name, type: 6, strings: ["a/b"] }]), /valid name/);
  assert.match(problem([...names, ...files("/usr/../etc/shadow")]), /not a path/);
  assert.match(problem([...names, ...files("relative")]), /not a path/);
  assert.match(problem([...names, ...files("/a").slice(0, 3)]), /1 files and 0/);
  const indexes: HeaderTag[] = [
    { tag: rpmTag.baseNames, type: 8, strings: ["a"] },
    { tag: rpmTag.directoryNames, type: 8, strings: ["/"] },
    { tag: rpmTag.directoryIndexes, type: 4, numbers: [7] },
  ];
  assert.match(problem([...names, ...indexes]), /1 file names/);
  assert.match(problem([]), /0 tags/);
});
