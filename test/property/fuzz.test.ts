// Readers of hostile formats under mutation of good inputs: tar, zstd frames, ELF, JSON documents, files of EMP folders. Each gives a value or an error of ours,
// in bounded time. A few seconds; with TRANSHIP_SOAK=1 for TRANSHIP_FUZZ_MINUTES (default 15) each, and the count of executions is printed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { isTranshipError } from "../../src/base/errors.ts";
import { readElfBytes } from "../../src/formats/elf.ts";
import type { EmpFolder } from "../../src/formats/emp/files.ts";
import { readFolder, writeFolder } from "../../src/formats/emp/folder.ts";
import { decodeImageConfig, decodeIndex, decodeManifest } from "../../src/formats/oci.ts";
import { encodeTarHeader, tarEnd } from "../../src/formats/tar.ts";
import { ZstdFrameWalker } from "../../src/formats/zstd-frame.ts";
import { digestOf } from "../../src/image/digest.ts";
import { buildElf } from "../support/elf-builder.ts";
import { empFiles, empTexts } from "../support/emp.ts";
import { blankEntry, padded, readTar, tarMember } from "../support/tar.ts";

const soak = process.env.TRANSHIP_SOAK === "1";
const limit = soak ? Number(process.env.TRANSHIP_FUZZ_MINUTES ?? 15) * 60_000 : Number.POSITIVE_INFINITY;
const executions = soak ? Number.POSITIVE_INFINITY : 4000;
/** Of one input; what takes longer hangs. */
const longest = 5000;

/** xorshift: the same seed gives the same inputs, so that a finding can be made again. */
function random(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const interesting = [0, 1, 0x7f, 0x80, 0xff, 0x30, 0x37, 0x20, 0x2f, 0x5b, 0x7b, 0x22];

/** Flips, overwrites, cuts, repeats and joins, a few at a time. */
function mutate(seeds: readonly Uint8Array[], next: () => number): Uint8Array {
  const pick = (most: number): number => Math.floor(next() * most);
  let bytes = Buffer.from(seeds[pick(seeds.length)] ?? []);
  for (let changes = 1 + pick(6); changes > 0 && bytes.length > 0; changes--) {
    const at = pick(bytes.length);
    switch (pick(7)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
        break;
      case 1:
        bytes[at] = interesting[pick(interesting.length)] ?? 0;
        break;
      case 2:
        bytes = bytes.subarray(0, at);
        break;
      case 3:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          bytes.subarray(at, at + pick(600)),
          bytes.subarray(at),
        ]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + pick(600))]);
        break;
      case 5:
        for (let i = at; i < Math.min(bytes.length, at + 8); i++) bytes[i] = pick(256);
        break;
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), seeds[pick(seeds.length)] ?? Buffer.alloc(0)]);
    }
    if (bytes.length > 1 << 20) bytes = bytes.subarray(0, 1 << 20);
  }
  return bytes;
}

async function fuzz(
  name: string,
  seeds: readonly Uint8Array[],
  read: (bytes: Uint8Array, next: () => number) => unknown,
): Promise<void> {
  const seed = soak ? Date.now() & 0x7fffffff : 20_260_101;
  const next = random(seed);
  const began = Date.now();
  let [count, refused, slowest] = [0, 0, 0];
  for (; count < executions && Date.now() - began < limit; count++) {
    const bytes = mutate(seeds, next);
    const start = performance.now();
    try {
      await read(bytes, next);
    } catch (error) {
      if (!isTranshipError(error)) {
        const shown = Buffer.from(bytes).toString("base64").slice(0, 4000);
        throw new Error(`${name}, seed ${seed}, execution ${count}: ${shown}`, { cause: error });
      }
      refused++;
    }
    slowest = Math.max(slowest, performance.now() - start);
    assert.ok(
      !soak || slowest < longest,
      `${name}, seed ${seed}, execution ${count} took ${slowest.toFixed(0)} ms`,
    );
  }
  if (soak)
    console.log(
      `# | fuzz ${name} | ${count} executions | ${((Date.now() - began) / 60_000).toFixed(1)} min | ${refused} refused | slowest ${slowest.toFixed(0)} ms |`,
    );
}

const tars = (): Uint8Array[] => {
  const extents = [
    { offset: 5000, length: 10 },
    { offset: 900_000, length: 600 },
  ];
  const sparse = encodeTarHeader({ ...blankEntry, size: 1 << 20, extents });
  return [
    Buffer.concat([
      encodeTarHeader({ ...blankEntry, path: "/a", mtime: 5n, xattrs: [["user.x", "\0\xff"]], size: 5 })
        .bytes,
      padded(Buffer.from("hello")),
      sparse.bytes,
      padded(Buffer.alloc(610, 1)),
      tarEnd,
    ]),
    Buffer.concat([
      tarMember({ name: "././@LongLink", type: "L" }, `${"n".repeat(300)}\0`),
      tarMember({ name: "n".repeat(100) }, "long"),
      tarMember({ type: "2", linkName: "t" }, "", [["linkpath", "l".repeat(300)]]),
      tarMember({ name: "s", type: "S" }, "x".repeat(512)),
      tarEnd,
    ]),
  ];
};

test("fuzz: tar", async () => {
  await fuzz("tar", tars(), (bytes, next) => readTar(bytes, 1 + Math.floor(next() * 4000)));
});

test("fuzz: zstd frames", async () => {
  const text = Buffer.from("some text, ".repeat(3000));
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
  const seeds = [
    zstdCompressSync(text),
    Buffer.concat([zstdCompressSync(text.subarray(0, 40)), skippable, zstdCompressSync(text)]),
  ];
  await fuzz("zstd frames", seeds, (bytes, next) => {
    const walker = new ZstdFrameWalker();
    const chunk = 1 + Math.floor(next() * 3000);
    for (let at = 0; at < bytes.length; at += chunk)
      for (const piece of walker.pieces(bytes.subarray(at, at + chunk))) assert.ok(piece.end >= piece.start);
  });
});

test("fuzz: ELF", async () => {
  const small = buildElf({ interpreter: "/lib/ld.so", needed: ["libc.so.6"], imports: ["dlopen"] });
  const real = readFileSync(process.execPath).subarray(0, 1 << 16);
  await fuzz("ELF", [small, real], (bytes) => readElfBytes(bytes));
});

test("fuzz: JSON documents of images", async () => {
  const descriptor = {
    mediaType: "application/x",
    digest: digestOf("x"),
    size: 1,
    platform: { os: "linux", architecture: "amd64" },
  };
  const documents = [
    { schemaVersion: 2, config: descriptor, layers: [descriptor, descriptor], annotations: { a: "b" } },
    { schemaVersion: 2, manifests: [descriptor], annotations: {} },
    { architecture: "amd64", os: "linux", config: { Env: ["A=b"], Volumes: { "/v": {} } }, rootfs: { type: "layers", diff_ids: [digestOf("y")] } },
  ]; // biome-ignore format: a table
  const seeds = documents.map((one) => Buffer.from(JSON.stringify(one)));
  await fuzz("JSON documents", seeds, (bytes) => {
    const text = new TextDecoder().decode(bytes);
    const errors = [decodeManifest, decodeIndex, decodeImageConfig].flatMap((decode) => {
      try {
        decode(text, "document");
        return [];
      } catch (error) {
        if (!isTranshipError(error)) throw error;
        return [error];
      }
    });
    if (errors[2] !== undefined) throw errors[2];
  });
});

test("fuzz: files of EMP folders", async () => {
  const files = Object.entries(empTexts).map(([name, text]) => [name, Buffer.from(text)] as const);
  await fuzz(
    "EMP files",
    files.map(([, bytes]) => bytes),
    (bytes, next) => {
      const root = /<[A-Z]\w+|[[{]/.exec(Buffer.from(bytes).toString("latin1"))?.[0] ?? "";
      const name =
        files.find(([, one]) => root !== "" && one.includes(root))?.[0] ??
        files[Math.floor(next() * files.length)]?.[0] ??
        "";
      const given = new Map([[name, bytes]]);
      const folder = readFolder(given);
      assert.equal(writeFolder(given, folder).size, 0);
      const changed = new Map([...given, ...writeFolder(given, { ...empty, ...changedMetadata(folder) })]);
      readFolder(changed);
    },
  );
});

/** A change of every list that is there: each goes. */
const empty: EmpFolder = Object.fromEntries(
  Object.entries(readFolder(empFiles()))
    .filter(([name]) => name !== "metadata" && name !== "report")
    .map(([name, value]) => [
      name,
      Object.fromEntries(
        Object.entries(value as object)
          .filter(([, one]) => Array.isArray(one))
          .map(([key]) => [key, []]),
      ),
    ]),
);

function changedMetadata({ metadata }: EmpFolder): EmpFolder {
  return metadata === undefined ? {} : { metadata: { ...metadata, version: "9", icon: undefined } };
}
