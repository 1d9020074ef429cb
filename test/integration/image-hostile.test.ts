// Layers that no honest tool makes: nothing outside is touched, the error says what it was, and bombs end at their limit.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { constants, createZstdCompress, deflateRawSync, gzipSync, zstdCompressSync } from "node:zlib";
import { type ErrorCode, isTranshipError } from "../../src/base/errors.ts";
import { mediaType } from "../../src/formats/oci.ts";
import { Digester, digestOf } from "../../src/image/digest.ts";
import { ImpliedDirectories } from "../../src/image/implied-directories.ts";
import { type LayerLimits, readLayer, readTarObjects } from "../../src/image/layer-reader.ts";
import type { ImageStore, StoredLayer } from "../../src/image/store.ts";
import { withSession } from "../../src/image/store-session.ts";
import { ensureLayer, unpackLayer } from "../../src/image/unpack.ts";
import { needsRoot, newStore, rawImage, rawLayer } from "../support/images.ts";
import { refusals } from "../support/refusals.ts";
import { blankEntry, padded, tarMember, tarOf } from "../support/tar.ts";
import { scene } from "../support/victim.ts";

test("devices that are left out are not kept without bound, nor links to them", async () => {
  await assert.rejects(async () => {
    for await (const events of readTarObjects(nodesBelowDev(3000))) assert.deepEqual(events, []);
  }, /devices that take more than/);
  for await (const events of readTarObjects(nodesBelowDev(200))) assert.deepEqual(events, []);
});

test("directories without an entry are not kept without bound, nor what stands behind their names", () => {
  const gone = new ImpliedDirectories();
  const deep = `/${`${"d".repeat(250)}/`.repeat(15)}`;
  const imply = (to: ImpliedDirectories, path: string): void =>
    to.add({ type: "entry", entry: { ...blankEntry, path: latin1(path) }, hardlinkTo: undefined });
  for (let at = 0; at < 8000; at++) imply(gone, `${deep}${at}/f`);
  assert.throws(() => {
    for (let at = 8000; at < 9000; at++) imply(gone, `${deep}${at}/f`);
  }, /no entries for directories that take more than/);
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  const many = new ImpliedDirectories();
  for (let at = 0; at < 100_000; at++) imply(many, `/${String(at).padStart(13, "0")}/${"f".repeat(250)}`);
  collect();
  const kept = process.memoryUsage().heapUsed - before;
  assert.equal(many.paths().length, 100_000);
  assert.ok(kept < 20 << 20, `${kept} bytes`);
});

/** A text of its own, as paths of a layer are. */
const latin1 = (text: string): string => Buffer.from(text, "latin1").toString("latin1");

/** With names of nearly 4 KiB, and a link to the first. */
async function* nodesBelowDev(count: number): AsyncGenerator<Uint8Array> {
  const path = (at: number): string => `dev/${`${"d".repeat(250)}/`.repeat(15)}${at}`;
  for (let at = 0; at < count; at++)
    yield tarMember({ name: "n", type: "3", devMajor: 10, devMinor: 200 }, "", [["path", path(at)]]);
  yield tarOf(tarMember({ name: "l", type: "1", linkName: "x" }, "", [["linkpath", path(0)]]));
}

interface Vector {
  name: string;
  /** `victim` is the absolute path of what must not be touched. */
  tar: (victim: string) => Buffer;
  /** Refused so; undefined: unpacked, but inside. */
  code: ErrorCode | undefined;
}

const link = (name: string, linkName: string): Buffer => tarMember({ name, type: "2", linkName });
const hard = (name: string, linkName: string): Buffer => tarMember({ name, type: "1", linkName });
const node = (name: string, devMajor: number, devMinor: number): Buffer =>
  tarMember({ name, type: "3", devMajor, devMinor });

const vectors: Vector[] = [
  {
    name: "../ in a name",
    tar: () => tarOf(tarMember({ name: "../victim/file" }, "bad")),
    code: "E_LAYER_HOSTILE",
  },
  {
    name: "an absolute name",
    tar: (victim) => tarOf(tarMember({ name: `${victim}/file` }, "bad")),
    code: undefined,
  },
  {
    name: "a file through an absolute link",
    tar: (victim) => tarOf(link("l", victim), tarMember({ name: "l/file" }, "bad")),
    code: undefined,
  },
  {
    name: "a file through a relative link",
    tar: () => tarOf(link("l", "../victim"), tarMember({ name: "l/file" }, "bad")),
    code: undefined,
  },
  {
    name: "a hard link to ../",
    tar: () => tarOf(hard("h", "../victim/file"), tarMember({ name: "h" }, "bad")),
    code: "E_LAYER_HOSTILE",
  },
  {
    name: "a hard link through a link",
    tar: (victim) => tarOf(link("l", victim), hard("h", "l/file")),
    code: "E_LAYER_HOSTILE",
  },
  {
    name: "an absolute hard link",
    tar: (victim) => tarOf(hard("h", `${victim}/file`)),
    code: "E_LAYER_HOSTILE",
  },
  {
    name: "a whiteout through a link",
    tar: (victim) => tarOf(link("l", victim), tarMember({ name: "l/.wh.file" })),
    code: undefined,
  },
  {
    name: "an opaque mark through a link",
    tar: (victim) => tarOf(link("l", victim), tarMember({ name: "l/.wh..wh..opq" })),
    code: "E_LAYER_HOSTILE",
  },
  { name: "a whiteout of ..", tar: () => tarOf(tarMember({ name: "d/.wh..." })), code: "E_LAYER_HOSTILE" },
  { name: "a whiteout of .", tar: () => tarOf(tarMember({ name: "d/.wh.." })), code: "E_LAYER_HOSTILE" },
  { name: "a whiteout of nothing", tar: () => tarOf(tarMember({ name: "d/.wh." })), code: "E_LAYER_HOSTILE" },
  {
    name: "a whiteout as a directory",
    tar: () => tarOf(tarMember({ name: ".wh.d/f" }, "x")),
    code: "E_LAYER_HOSTILE",
  },
  {
    name: "a block device",
    tar: () => tarOf(tarMember({ name: "disk", type: "4", devMajor: 254 })),
    code: "E_LAYER_HOSTILE",
  },
  { name: "the device of overlay's whiteouts", tar: () => tarOf(node("f", 0, 0)), code: "E_LAYER_HOSTILE" },
  {
    name: "a root that is a link",
    tar: (victim) => tarOf(link(".", victim), tarMember({ name: "file" }, "bad")),
    code: "E_LAYER_HOSTILE",
  },
  {
    name: "a root that is a file",
    tar: () =>
      tarOf(tarMember({ name: "./", type: "0" }, ""), tarMember({ name: "/", type: "2", linkName: "x" })),
    code: "E_LAYER_HOSTILE",
  },
  { name: "a hard link to the root", tar: () => tarOf(hard("h", ".")), code: "E_LAYER_HOSTILE" },
  {
    name: "a name of 5000 bytes",
    tar: () => tarOf(tarMember({}, "", [["path", `${"a/".repeat(2500)}f`]])),
    code: "E_LAYER_HOSTILE",
  },
  {
    name: "a name with a NUL",
    tar: () => tarOf(tarMember({}, "", [["path", "a\0b"]])),
    code: "E_LAYER_HOSTILE",
  },
  {
    name: "an owner beyond 32 bits",
    tar: () => tarOf(tarMember({}, "", [["uid", "4294967296"]])),
    code: "E_LAYER_HOSTILE",
  },
];

const refusal = refusals("layers");

async function layerOfTar(store: ImageStore, tar: Buffer): Promise<StoredLayer> {
  const [layer] = await rawImage(store, "hostile:1", [tar]);
  return layer ?? assert.fail("no layer");
}

for (const vector of vectors) {
  test(`hostile layer: ${vector.name}`, needsRoot, async (t) => {
    const { root, victim, state } = scene(t);
    const before = state();
    const store = newStore(t);
    const layer = await layerOfTar(store, vector.tar(victim));
    await refusal(vector.name, async () => {
      const unpacked = unpackLayer({ store, layer }, root);
      if (vector.code === undefined) await unpacked;
      else await assert.rejects(unpacked, (error) => isTranshipError(error, vector.code));
    });
    assert.equal(state(), before);
    if (vector.code !== undefined) {
      await assert.rejects(ensureLayer(store.root, store, layer.diffId), (error) => isTranshipError(error));
      assert.deepEqual(readdirSync(store.root.layers), [], "no part of it counts as a layer");
      assert.deepEqual(readdirSync(store.root.work), []);
    }
  });
}

test("attributes that steer overlayfs are dropped, the set-user-id bit stays", needsRoot, async (t) => {
  const store = newStore(t);
  const xattrs = [
    ["SCHILY.xattr.trusted.overlay.redirect", "/etc"],
    ["SCHILY.xattr.trusted.overlay.opaque", "y"],
    ["SCHILY.xattr.user.kept", "1"],
  ] as const;
  const layer = await layerOfTar(store, tarOf(tarMember({ name: "f", mode: 0o4755 }, "x", xattrs)));
  for await (const events of readLayer({ store, layer })) {
    for (const event of events) {
      if (event.type !== "entry") continue;
      assert.deepEqual(event.entry.xattrs, [["user.kept", "1"]]);
      assert.equal(event.entry.mode, 0o4755);
    }
  }
  assert.ok(await ensureLayer(store.root, store, layer.diffId));
});

async function readAll(
  store: ImageStore,
  layer: StoredLayer,
  limits: Partial<LayerLimits> = {},
): Promise<number> {
  let bytes = 0;
  for await (const events of readLayer({ store, layer }, limits))
    for (const event of events) if (event.type === "data") bytes += event.bytes.length;
  return bytes;
}

const limit = (error: unknown): boolean => isTranshipError(error, "E_LIMIT");

/** Frames that do not say what they unpack to. */
function unsizedFrame(content: Buffer): Promise<Buffer> {
  const stream = createZstdCompress();
  stream.end(content);
  return buffer(stream);
}

test("bombs end at the limit of bytes, of entries, of the ratio", async (t) => {
  const store = newStore(t);
  const [head, zeros] = [tarMember({ size: 7 * 2 ** 30 }), Buffer.alloc(8 << 20)];
  const small = Buffer.concat([tarMember({ size: zeros.length - 512 }), zeros.subarray(512)]);
  const times = (one: Buffer): Buffer[] => Array.from({ length: 300 }, () => one);
  const many = Array.from({ length: 3000 }, (_, i) => tarMember({ name: `f${i}` }));
  const cases: [string, Buffer[], string, Partial<LayerLimits>][] = [
    ["zstd, the tar says it", [zstdCompressSync(head), ...times(zstdCompressSync(zeros))], mediaType.layerZstd, { maxRatio: 100 }],
    ["gzip, the tar says it", [gzipSync(head), ...times(gzipSync(zeros))], mediaType.layerGzip, { maxRatio: 100 }],
    ["zstd, the frames say it", times(zstdCompressSync(small)), mediaType.layerZstd, {}],
    ["zstd, nothing says it", times(await unsizedFrame(small)), mediaType.layerZstd, {}],
    ["gzip, nothing says it", times(gzipSync(small)), mediaType.layerGzip, { maxRatio: 100 }],
    ["bytes", [zstdCompressSync(head), ...times(zstdCompressSync(zeros))], mediaType.layerZstd, { maxBytes: 1 << 20 }],
    ["entries", [zstdCompressSync(Buffer.concat(many))], mediaType.layerZstd, { maxEntries: 2999 }],
  ]; // biome-ignore format: a table
  for (const [name, parts, type, limits] of cases) {
    const layer = await withSession(store, (session) =>
      rawLayer(session, { bytes: Buffer.concat(parts), type }),
    );
    await refusal(`a bomb: ${name}`, () => assert.rejects(readAll(store, layer, limits), limit));
  }
});

/** As `zstd` writes 10 GiB of zeros that come by a pipe: a frame of blocks that say one byte and how often. */
function zstdOfZeros(blocks: number): Buffer {
  const bytes = Buffer.alloc(6 + blocks * 4);
  bytes.writeUInt32LE(0xfd2fb528);
  bytes[5] = 7 << 3; // a window of 128 KiB
  for (let i = 0; i < blocks; i++)
    bytes.writeUIntLE(((128 << 10) << 3) | 2 | (i === blocks - 1 ? 1 : 0), 6 + i * 4, 3);
  return bytes;
}

/** One member of gzip: a match of 258 zeros, in two bits, again and again. */
function gzipOfZeros(size: number): Buffer {
  const piece = 64 << 20;
  const raw = (input: Buffer, flush: number): Buffer => deflateRawSync(input, { finishFlush: flush });
  const one = raw(Buffer.alloc(piece), constants.Z_FULL_FLUSH);
  const last = raw(Buffer.alloc(0), constants.Z_FINISH);
  const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
  return Buffer.concat([head, ...Array(Math.ceil(size / piece)).fill(one), last, Buffer.alloc(8)]);
}

test("what hides 10 GB is refused by a count, behind data that makes it look like less too", async (t) => {
  const store = newStore(t);
  const records = Buffer.alloc(8 << 20, "16 comment=aaaa\n");
  const pax = Buffer.concat([tarMember({ name: "p", type: "x", size: records.length }), records]);
  const noise = randomBytes(9 << 20);
  const ten = 10 * 2 ** 30;
  const size = (64 << 20) - 512;
  const text = await unsizedFrame(Buffer.concat([tarMember({ size }), Buffer.alloc(size, "abcdefgh\n")]));
  const times = (count: number, one: Buffer): Buffer[] => Array.from({ length: count }, () => one);
  const cases: [string, Buffer[], string][] = [
    ["zstd, one frame", [zstdOfZeros(ten / 2 ** 17)], mediaType.layerZstd],
    ["zstd, zeros, then noise", [zstdOfZeros(ten / 2 ** 17), zstdCompressSync(noise)], mediaType.layerZstd],
    ["zstd, frames of text, then what is skipped", [...times(160, text), Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 0, 0, 0x90, 0]), Buffer.alloc(9 << 20)], mediaType.layerZstd],
    ["gzip, one member", [gzipOfZeros(ten)], mediaType.layerGzip],
    ["gzip, members", times(160, gzipSync(Buffer.alloc(64 << 20))), mediaType.layerGzip],
    ["gzip, records of PAX and no entry", times(1280, gzipSync(pax)), mediaType.layerGzip],
    ["zstd, records of PAX and no entry", times(1280, zstdCompressSync(pax)), mediaType.layerZstd],
  ]; // biome-ignore format: a table
  for (const [name, parts, type] of cases) {
    const layer = await withSession(store, (session) =>
      rawLayer(session, { bytes: Buffer.concat(parts), type }),
    );
    const began = process.cpuUsage();
    await refusal(`10 GB: ${name}`, () => assert.rejects(readAll(store, layer), limit));
    const { user, system } = process.cpuUsage(began);
    console.log(
      `# | 10 GB: ${name} | ${layer.descriptor.size} bytes | ${((user + system) / 1e6).toFixed(2)} s of processor time |`,
    );
  }
});

/** The rest of 2 GiB of zeros, and the end of the archive. */
function times16(): Buffer[] {
  const zeros = Buffer.alloc(16 << 20);
  return [...Array(127).fill(zeros), zeros.subarray(32768), Buffer.alloc(1024)];
}

test("a ratio that is allowed by the environment holds for layers", async (t) => {
  const store = newStore(t);
  const size = 2 ** 31 - 512;
  const frames = [Buffer.concat([tarMember({ size }), Buffer.alloc(32768 - 512)]), ...times16()];
  const packed = new Map<Buffer, Buffer>();
  const bytes = Buffer.concat(
    frames.map((part) => packed.get(part) ?? (packed.set(part, zstdCompressSync(part)).get(part) as Buffer)),
  );
  const digester = new Digester();
  for (const part of frames) digester.update(part);
  const layer = await withSession(store, (session) =>
    rawLayer(session, { bytes, type: mediaType.layerZstd, diffId: digester.digest() }),
  );
  await assert.rejects(
    readAll(store, layer),
    (error) => limit(error) && String(error).includes("1000 times"),
  );
  t.after(() => delete process.env.TRANSHIP_UNPACK_RATIO);
  process.env.TRANSHIP_UNPACK_RATIO = "100000";
  assert.equal(await readAll(store, layer), size);
  process.env.TRANSHIP_UNPACK_RATIO = "many";
  await assert.rejects(readAll(store, layer), /TRANSHIP_UNPACK_RATIO is not a number/);
});

test("a layer may be zeros first and the rest behind: what counts is its whole size", async (t) => {
  const store = newStore(t);
  const zeros = Buffer.alloc(8 << 20);
  const size = 130 * zeros.length - 512;
  const parts = [Buffer.concat([tarMember({ size }), zeros.subarray(512)]), ...Array(129).fill(zeros)];
  const rest = randomBytes(4 << 20);
  const tar = [...parts, tarMember({ name: "rest", size: rest.length }), rest, Buffer.alloc(1024)];
  const packed = new Map<Buffer, Buffer>();
  const bytes = Buffer.concat(
    tar.map((part) => packed.get(part) ?? (packed.set(part, zstdCompressSync(part)).get(part) as Buffer)),
  );
  const digester = new Digester();
  for (const part of tar) digester.update(part);
  const layer = await withSession(store, (session) =>
    rawLayer(session, { bytes, type: mediaType.layerZstd, diffId: digester.digest() }),
  );
  assert.equal(await readAll(store, layer), size + rest.length);
});

test("a layer that is not what its digest or diffID says is refused at its end", async (t) => {
  const store = newStore(t);
  const tar = tarOf(tarMember({}, "hello"));
  const bytes = zstdCompressSync(tar);
  const corrupt = (error: unknown): boolean => isTranshipError(error, "E_IMAGE_CORRUPT");
  const wrong = await withSession(store, (session) =>
    rawLayer(session, { bytes, type: mediaType.layerZstd, diffId: digestOf("other") }),
  );
  await assert.rejects(readAll(store, wrong), corrupt);
  const missing = { descriptor: { ...wrong.descriptor, digest: digestOf("missing") }, diffId: digestOf(tar) };
  await assert.rejects(readAll(store, missing), corrupt);
  const size = { descriptor: { ...wrong.descriptor, size: 5 }, diffId: digestOf(tar) };
  await assert.rejects(readAll(store, size), corrupt);
});

test("compressed data that is damaged anywhere is an error of ours", async (t) => {
  const store = newStore(t);
  const tar = tarOf(tarMember({}, "hello".repeat(1000)), padded(Buffer.alloc(0)));
  for (const [type, bytes] of [
    [mediaType.layerZstd, zstdCompressSync(tar)],
    [mediaType.layerGzip, gzipSync(tar)],
  ] as const) {
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      const layer = await withSession(store, (session) =>
        rawLayer(session, { bytes: damaged, type, diffId: digestOf(tar) }),
      );
      // What was flipped may not matter for the content (a file name in a gzip header); then the layer is simply right.
      await readAll(store, layer).catch((error) =>
        assert.ok(isTranshipError(error), `${type} byte ${at}: ${error}`),
      );
    }
    for (const length of [0, 1, 5, 12, bytes.length >> 1, bytes.length - 1]) {
      const layer = await withSession(store, (session) =>
        rawLayer(session, { bytes: bytes.subarray(0, length), type, diffId: digestOf(tar) }),
      );
      await assert.rejects(
        readAll(store, layer),
        (error) => isTranshipError(error),
        `${type} cut at ${length}`,
      );
    }
  }
});

test("the path of a blob never leads out of the store", (t) => {
  const store = newStore(t);
  for (const digest of ["sha256:../../../etc/passwd", "../x", `sha256:${"a".repeat(63)}/`, ""]) {
    assert.throws(
      () => store.blobPath(digest),
      (error) => isTranshipError(error, "E_IMAGE_CORRUPT"),
    );
  }
  assert.ok(store.blobPath(digestOf("x")).startsWith(join(store.path, "blobs/sha256/")));
});
