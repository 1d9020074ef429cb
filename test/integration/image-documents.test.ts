// Documents and archives that no honest tool makes: each is refused at once, with an error that names it, in bounded memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isTranshipError } from "../../src/base/errors.ts";
import { decodeImageConfig, decodeIndex, decodeManifest, mediaType } from "../../src/formats/oci.ts";
import { TarReader } from "../../src/formats/tar-reader.ts";
import { digestOf } from "../../src/image/digest.ts";
import type { ImageStore } from "../../src/image/store.ts";
import { withSession } from "../../src/image/store-session.ts";
import { newStore, rawImage } from "../support/images.ts";
import { padded, tarMember, tarOf } from "../support/tar.ts";

const good = { mediaType: mediaType.layer, digest: digestOf("x"), size: 1 };
const config = { mediaType: mediaType.config, digest: digestOf("c"), size: 1 };
const manifest = (parts: object): string =>
  JSON.stringify({ schemaVersion: 2, config, layers: [good], ...parts });
const deep = (levels: number, open: string, close: string): string =>
  open.repeat(levels) + close.repeat(levels);

function refused(text: string, decode: (text: string, what: string) => unknown, code: ErrorCode): void {
  assert.throws(
    () => decode(text, "document"),
    (error) => isTranshipError(error, code) && error.message.startsWith("document"),
    text.slice(0, 80),
  );
}

test("documents of a hostile image are refused, each for its own reason", () => {
  const cases: [text: string, code: ErrorCode][] = [
    [manifest({ layers: Array.from({ length: 1_000_000 }, () => 1) }), "E_LIMIT"],
    [manifest({ layers: Array.from({ length: 1001 }, () => good) }), "E_LIMIT"],
    [deep(100_000, "[", "]"), "E_IMAGE_CORRUPT"],
    [`{"schemaVersion":2,"a":${deep(200_000, '{"a":', "}").replace('{"a":}', "{}")}}`, "E_IMAGE_CORRUPT"],
    [
      manifest({ annotations: JSON.parse(deep(60, '{"a":', "}").replace('{"a":}', "{}")) }),
      "E_IMAGE_CORRUPT",
    ],
    [manifest({ note: "n".repeat(5 << 20) }), "E_LIMIT"],
    [manifest({ layers: [{ ...good, digest: "sha256:../../../../etc/passwd" }] }), "E_IMAGE_CORRUPT"],
    [manifest({ layers: [{ ...good, digest: `sha256:${"A".repeat(64)}` }] }), "E_IMAGE_CORRUPT"],
    [manifest({ layers: [{ ...good, digest: `md5:${"a".repeat(32)}` }] }), "E_IMAGE_CORRUPT"],
    [manifest({ layers: [{ ...good, size: -1 }] }), "E_IMAGE_CORRUPT"],
    [manifest({ layers: [{ ...good, size: 1e300 }] }), "E_IMAGE_CORRUPT"],
    [manifest({ layers: [{ ...good, size: "1" }] }), "E_IMAGE_CORRUPT"],
    [manifest({ config: null }), "E_IMAGE_CORRUPT"],
    [manifest({ schemaVersion: 1 }), "E_IMAGE_CORRUPT"],
    [manifest({}).replace('"layers":', '"layers":[],"layers":'), "E_IMAGE_CORRUPT"],
    ['{"schemaVersion":2,"config":{},"config":{}}', "E_IMAGE_CORRUPT"],
    ["\uFEFF{}", "E_IMAGE_CORRUPT"],
    ["", "E_IMAGE_CORRUPT"],
    ["[]", "E_IMAGE_CORRUPT"],
  ];
  for (const [text, code] of cases) refused(text, decodeManifest, code);
  refused(
    JSON.stringify({ schemaVersion: 2, manifests: Array.from({ length: 100_001 }, () => 1) }),
    decodeIndex,
    "E_LIMIT",
  );
  refused('{"schemaVersion":2,"manifests":[],"manifests":[]}', decodeIndex, "E_IMAGE_CORRUPT");
  const os = { architecture: "amd64", os: "linux" };
  refused(
    JSON.stringify({ ...os, rootfs: { type: "layers", diff_ids: ["../x"] } }),
    decodeImageConfig,
    "E_IMAGE_CORRUPT",
  );
  refused(
    JSON.stringify({ ...os, rootfs: { type: "layers", diff_ids: [] }, config: { Env: [{}] } }),
    decodeImageConfig,
    "E_IMAGE_CORRUPT",
  );
});

test("the same key in two objects, and in a text, is none twice", () => {
  const text = manifest({ annotations: { a: '{"a":1,"a":2}', b: '\\"a\\":' }, subject: { ...good } });
  assert.equal(decodeManifest(text, "document").layers.length, 1);
});

async function named(store: ImageStore, manifestText: string, size?: number): Promise<void> {
  await withSession(store, async (session) => {
    const descriptor = await session.put(mediaType.manifest, manifestText);
    const target = { ...descriptor, size: size ?? descriptor.size };
    await store.updateIndex("test", () => store.named("bad:1", { target, manifestDescriptor: target }));
  });
}

test("an image whose documents do not fit each other is refused", async (t) => {
  const store = newStore(t);
  await rawImage(store, "good:1", [tarOf(tarMember({ name: "f" }, "x"))]);
  const { manifest: known } = store.image("good:1");
  const cases: [text: string, wanted: RegExp, size?: number][] = [
    [JSON.stringify({ ...known, layers: [] }), /has 0 layers, its config names 1/],
    [
      JSON.stringify({ ...known, layers: [...known.layers, ...known.layers] }),
      /has 2 layers, its config names 1/,
    ],
    [JSON.stringify({ ...known, config: { ...known.config, size: 7 } }), /size is \d+, expected 7/],
    [JSON.stringify({ ...known, config: { ...known.config, digest: digestOf("gone") } }), /is missing/],
    [JSON.stringify(known), /size is \d+, expected 7/, 7],
  ];
  for (const [text, wanted, size] of cases) {
    await named(store, text, size);
    assert.throws(
      () => store.image("bad:1"),
      (error) => isTranshipError(error) && wanted.test(error.message),
      text.slice(0, 200),
    );
  }
});

/** Reads an archive in pieces, and says how much of it was held at most. */
function readAll(...parts: Iterable<Uint8Array>[]): number {
  const reader = new TarReader();
  let entries = 0;
  const sink = { entry: () => void entries++, data: () => {}, end: () => {} };
  for (const part of parts) for (const bytes of part) reader.push(bytes, sink);
  reader.finish();
  return entries;
}

function* zeros(count: number): Generator<Uint8Array> {
  const piece = new Uint8Array(1 << 20);
  for (let i = 0; i < count; i++) yield piece;
}

test("headers that lie about sizes are refused before anything is kept", () => {
  const lies: [name: string, () => Iterable<Uint8Array>[]][] = [
    ["a PAX header of 7 GiB", () => [[tarMember({ name: "h", type: "x", size: 7 * 2 ** 30 })], zeros(64)]],
    ["a GNU long name of 2 GiB", () => [[tarMember({ name: "././@LongLink", type: "L", size: 2 ** 31 - 1 })], zeros(64)]],
    ["a PAX size below nothing", () => [[tarMember({}, "", [["size", "-1"]])]]],
    ["a PAX size that is no number", () => [[tarMember({}, "", [["size", "1e9"]])]]],
    ["a PAX size beyond all bounds", () => [[tarMember({}, "", [["size", "9".repeat(40)]])]]],
    ["a PAX record longer than its header", () => [[tarMember({ type: "x" }, "999 path=a\n")]]],
    ["a PAX record of no length", () => [[tarMember({ type: "x" }, "0 path=a\n")]]],
    ["a sparse map of ten million parts", () => [
      [tarMember({}, "", [["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.realsize", "1"], ["size", "104857600"]])],
      [padded(Buffer.from(`${10_000_000}\n`))],
      zeros(64),
    ]],
    ["sparse parts beyond the size", () => [
      [tarMember({ size: 1024 }, "", [["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.realsize", "10"]])],
      [padded(Buffer.from("1\n9999999\n512\n")), new Uint8Array(512)],
    ]],
    ["an archive that ends in the middle", () => [[tarMember({ size: 10_000 })]]],
    ["a header without a checksum", () => [[Buffer.alloc(512, 7)]]],
  ]; // biome-ignore format: a table
  for (const [name, parts] of lies) {
    const before = process.memoryUsage().rss;
    assert.throws(
      () => readAll(...parts()),
      (error) => isTranshipError(error),
      name,
    );
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    assert.ok(grown < 200, `${name}: ${grown.toFixed(0)} MiB more`);
  }
});
