// `verify` finds a kernel part in any layer under any name, undeclared devices and a missing init, and nothing else.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { isTranshipError } from "../../src/base/errors.ts";
import { walkUnpacked } from "../../src/cli/store/walk-unpacked.ts";
import { buildImage } from "../../src/image/build.ts";
import { imageDifference } from "../../src/image/difference.ts";
import { flattenImage } from "../../src/image/flatten.ts";
import { contentsOfImage } from "../../src/image/merged-tree.ts";
import type { ImageStore } from "../../src/image/store.ts";
import { withSession } from "../../src/image/store-session.ts";
import { ensureLayer } from "../../src/image/unpack.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { buildElf } from "../support/elf-builder.ts";
import { needsRoot, newStore, rawImage, rawLayer } from "../support/images.ts";
import { tarMember, tarOf } from "../support/tar.ts";

async function found(store: ImageStore, tars: Buffer[], devices?: ReadonlySet<string>): Promise<string[]> {
  await rawImage(store, "app:1", tars);
  const findings = await verifyImage(store, "app:1", devices === undefined ? {} : { devices });
  return findings.map((finding) => `${finding.id} ${finding.path}`);
}

const fine = tarOf(
  tarMember({ name: "usr/bin/app" }, "#!/bin/sh\n"),
  tarMember({ name: "boot/", type: "5" }),
);

function bzImage(): string {
  const image = Buffer.alloc(70_000, 1);
  image.write("\x55\xaaXXHdrS", 0x1fe, "latin1");
  return image.toString("latin1");
}

/** An ELF file with one section, named as asked, at the end of 2 MiB. */
function elfWithSection(name: string): string {
  const bytes = Buffer.alloc(2 << 20, 7);
  Buffer.from(buildElf({})).copy(bytes, 0, 0, 64);
  const strings = `\0${name}\0.shstrtab\0`;
  const [stringsAt, table] = [bytes.length - 600, bytes.length - 400];
  bytes.fill(0, stringsAt);
  bytes.write(strings, stringsAt, "latin1");
  bytes.writeBigUInt64LE(BigInt(table), 0x28);
  for (const [i, value] of [64, 2, 1].entries()) bytes.writeUInt16LE(value, 0x3a + 2 * i);
  bytes.writeUInt32LE(1, table);
  bytes.writeUInt32LE(name.length + 2, table + 64);
  bytes.writeBigUInt64LE(BigInt(stringsAt), table + 64 + 0x18);
  bytes.writeBigUInt64LE(BigInt(strings.length), table + 64 + 0x20);
  return bytes.toString("latin1");
}

const packed = (pack: (bytes: Uint8Array) => Uint8Array, text: string): string =>
  Buffer.from(pack(Buffer.from(text, "latin1"))).toString("latin1");

test("an ordinary package has no findings", async (t) => {
  const programs = tarOf(
    tarMember({ name: "lib/x.so" }, Buffer.from(buildElf({ needed: ["libc.so.6"] })).toString("latin1")),
    tarMember({ name: "a.gz" }, packed(gzipSync, "text".repeat(9999))),
  );
  assert.deepEqual(await found(newStore(t), [fine, programs]), []);
});

test("a kernel part is found by its path, in any layer", async (t) => {
  const names = [
    "boot/vmlinuz-5.10",
    "lib/modules/5.10/modules.dep",
    "opt/x.ko.xz",
    "boot/grub/grub.cfg",
    "usr/lib/firmware/a.bin",
    "System.map-5",
  ];
  for (const name of names) {
    assert.deepEqual(await found(newStore(t), [fine, tarOf(tarMember({ name }, "x")), fine]), [
      `kernel-part /${name}`,
    ]);
  }
});

test("a kernel part under another name is found by its content", async (t) => {
  const cpio = "070701".concat("0".repeat(88), "00000005", "0".repeat(8), "init\0\0\0").padEnd(1024, "\0");
  const contents: [string, string][] = [
    ["kernel image", bzImage()],
    ["module", elfWithSection(".modinfo")],
    ["vmlinux", elfWithSection("__ksymtab")],
    ["initramfs", cpio],
    ["initramfs in gzip", packed(gzipSync, cpio.padEnd(300_000, "\0"))],
    ["initramfs in zstd", packed(zstdCompressSync, cpio)],
    ["module in gzip", packed(gzipSync, elfWithSection(".modinfo"))],
    ["module in zstd", packed(zstdCompressSync, elfWithSection(".gnu.linkonce.this_module"))],
  ];
  for (const [name, content] of contents) {
    const tar = tarOf(tarMember({ name: "srv/data.bin" }, content), tarMember({ name: "srv/other" }, "x"));
    assert.deepEqual(await found(newStore(t), [fine, tar]), ["kernel-part /srv/data.bin"], name);
  }
  assert.deepEqual(await found(newStore(t), [tarOf(tarMember({ name: "a" }, elfWithSection(".text")))]), []);
});

test("devices are findings until they are declared", async (t) => {
  const tar = tarOf(
    tarMember({ name: "dev/null", type: "3", devMajor: 1, devMinor: 3 }),
    tarMember({ name: "d", type: "4", devMajor: 7 }),
  );
  assert.deepEqual(await found(newStore(t), [tar], new Set()), ["device /dev/null", "device /d"]);
  assert.deepEqual(await found(newStore(t), [tar]), ["device /d"], "that of every container is harmless");
});

test(
  "device nodes below /dev are a warning, and left out where the image is unpacked",
  needsRoot,
  async (t) => {
    const store = newStore(t);
    const device = (name: string, devMinor: number): Buffer =>
      tarMember({ name, type: "3", devMajor: 1, devMinor });
    const tar = tarOf(
      device("dev/mem", 1),
      tarMember({ name: "dev/other", type: "1", linkName: "dev/mem" }),
      device("dev/null", 3),
      tarMember({ name: "etc/hosts" }, "x"),
    );
    assert.deepEqual(await found(store, [tar]), ["device /dev/mem"]);
    const [layer] = store.image("app:1").layers;
    const directory = await ensureLayer(store.root, store, layer?.diffId ?? "");
    assert.deepEqual(readdirSync(join(directory, "dev")), ["null"]);
    const changed = await verifyImage(store, "app:1", { readData: true, walkUnpacked });
    assert.deepEqual(
      changed.map(({ severity, path }) => [severity, path]),
      [["warning", "/dev/mem"]],
    );
    // Elsewhere they are refused as before, and so is what hides files.
    for (const [name, bad] of [
      ["jail", device("srv/dev/mem", 1)],
      ["whiteout", tarMember({ name: "dev/x", type: "3", devMajor: 0, devMinor: 0 })],
    ] as const) {
      const other = newStore(t);
      await found(other, [tarOf(bad)]);
      await assert.rejects(
        ensureLayer(other.root, other, other.image("app:1").layers[0]?.diffId ?? ""),
        (error: unknown) => isTranshipError(error, "E_LAYER_HOSTILE"),
        name,
      );
    }
  },
);

test("an Entrypoint of init needs an executable init", async (t) => {
  const init = (mode: number): Buffer => tarOf(tarMember({ name: ".tranship/init", mode }, "x"));
  const removed = tarOf(tarMember({ name: ".tranship/.wh.init" }));
  const cases: [Buffer[], string[]][] = [
    [[fine], ["init"]],
    [[fine, init(0o755)], []],
    [[init(0o644)], ["init"]],
    [[init(0o755), removed], ["init"]],
  ];
  for (const [tars, ids] of cases) {
    const store = newStore(t);
    await withSession(store, async (session) => {
      const layers = [];
      for (const bytes of tars) layers.push({ ...(await rawLayer(session, { bytes })), origin: "app" });
      const config = { Entrypoint: ["/.tranship/init"] };
      await buildImage(session, {
        reference: "app:1",
        layers,
        config,
        architecture: "amd64",
        descriptorYaml: "kind: Package\n",
      });
    });
    assert.deepEqual(
      (await verifyImage(store, "app:1")).map(({ id }) => id),
      ids,
    );
  }
});

test("a packing list is held against what lies on top, through links, whiteouts and directories in the way", async (t) => {
  const file = (name: string, text: string): Buffer => tarOf(tarMember({ name, mode: 0o644 }, text));
  const digest = (text: string): string =>
    createHash("sha256").update(text, "latin1").digest("hex").slice(0, 32);
  const list = [
    "tranship-packing-list 1",
    `f\t0644\t0\t0\t0\t2\t-\t${digest("ab")}\t/srv/file`,
    "-\t/etc/alias/probe",
    "",
  ].join("\n");
  const packed = [file("srv/file", "ab"), file(".tranship/packing-list", list)];
  const link = tarOf(tarMember({ name: "etc/alias", type: "2", linkName: "../real" }));
  const cases: [Buffer[], string[]][] = [
    [[], []],
    [[file("srv/other", "added")], []],
    [[file("srv/file", "ac")], ["contents /srv/file"]],
    [[tarOf(tarMember({ name: "srv/.wh.file" }))], ["contents /srv/file"]],
    [[tarOf(tarMember({ name: "srv/.wh..wh..opq" }))], ["contents /srv/file"]],
    [[file("srv", "in the way")], ["contents /srv/file"]],
    [[file("srv/file/below", "hides it")], ["contents /srv/file"]],
    [[link, file("real/probe", "x")], ["contents /etc/alias/probe"]],
    [[link, file("real/other", "x")], []],
    [[file(".tranship/packing-list", list.slice(0, -9))], ["contents /.tranship/packing-list"]],
    [[tarOf(tarMember({ name: ".tranship/.wh.packing-list" })), file("srv/file", "ac")], []],
  ];
  for (const [more, expected] of cases)
    assert.deepEqual(await found(newStore(t), [...packed, ...more]), expected);
});

/** What an overlay of the unpacked layers shows, in a mount namespace of its own. */
function shownByKernel(layers: readonly string[]): string[] {
  const script =
    'mount -t tmpfs none /mnt && mkdir /mnt/m && mount -t overlay none -o "lowerdir=$0" /mnt/m && cd /mnt/m && find . -mindepth 1 -printf "/%P\n"';
  const lower = [...layers].reverse().join(":");
  const text = execFileSync("unshare", ["-m", "sh", "-c", script, lower], { encoding: "utf8" });
  return text.trim().split("\n").sort();
}

test(
  "marks hide what lower layers have, wherever in a layer they stand, for every reader",
  needsRoot,
  async (t) => {
    const store = newStore(t);
    const directory = (name: string): Buffer => tarMember({ name, type: "5" });
    const lower = tarOf(
      ...["d/", "d/s/", "e/", "r/"].map(directory),
      ...["d/low", "d/s/low", "e/low", "f", "g", "r/low"].map((name) => tarMember({ name }, "lower")),
    );
    const upper = tarOf(
    ...["d/", "d/+own", "d/s/own", "d/.wh..wh..opq", "d/own"].map((name) => name.endsWith("/") ? directory(name) : tarMember({ name })),
    ...["e/own", ".wh.e", "f", ".wh.f", ".wh.g", "g", "r/.wh.low"].map((name) => tarMember({ name })),
  ); // biome-ignore format: short
    await rawImage(store, "app:1", [lower, upper]);
    const image = store.image("app:1");
    const layers: string[] = [];
    for (const { diffId } of image.layers) layers.push(await ensureLayer(store.root, store, diffId));
    const expected = ["/d", "/d/+own", "/d/own", "/d/s", "/d/s/own", "/e", "/e/own", "/f", "/g", "/r"];
    assert.deepEqual(shownByKernel(layers), expected);
    const { names, tree } = await flattenImage(store, image);
    const implied = ["/d/s", "/e"].filter((path) => tree.has(path));
    assert.deepEqual([...names, ...implied].sort(), expected);
    for (const path of ["/d/+own", "/f", "/g"]) assert.equal(tree.at(path)?.entry.size, 0, path);
    assert.deepEqual([...(await contentsOfImage(store, image)).keys()].sort(), [
      "/d/+own",
      "/d/own",
      "/d/s/own",
      "/e/own",
      "/f",
      "/g",
    ]);
    const squashed = tarOf(
      directory("d/"),
      ...["d/+own", "d/own", "d/s/own", "e/own", "f", "g"].map((name) => tarMember({ name })),
      directory("r/"),
    );
    await rawImage(store, "squashed:1", [squashed]);
    assert.deepEqual((await imageDifference(store, store.image("squashed:1"), image)).files, []);
    const findings = await verifyImage(store, "app:1", { readData: true, walkUnpacked });
    assert.deepEqual(findings, []);
  },
);
