// Layers that are unpacked while they are fetched: what comes counts when all of it was right, and is told as what it is where it was not.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type ErrorCode, isTranshipError } from "../../src/base/errors.ts";
import { mediaType } from "../../src/formats/oci.ts";
import { splitDigest } from "../../src/formats/oci-reference.ts";
import { repairWork } from "../../src/host/work.ts";
import { digestOf } from "../../src/image/digest.ts";
import { type PullOptions, pullImage } from "../../src/image/registry/pull.ts";
import { pushImage } from "../../src/image/registry/push.ts";
import type { ImageStore } from "../../src/image/store.ts";
import { unpackedLayer } from "../../src/image/unpack.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { imageOf, needsRoot, newStore, scratch, silentLog } from "../support/images.ts";
import { dockerRegistry, type Handler, needsDockerRegistry, scriptedServer } from "../support/registries.ts";
import { type ScriptedImage, serveImage } from "../support/scripted-image.ts";
import { tarMember, tarOf } from "../support/tar.ts";

const quick: PullOptions = { plainHttp: true, retries: 2, retryDelay: 1 };
const worker = fileURLToPath(new URL("../support/registry-worker.ts", import.meta.url));
const size = 6 << 20;

/** An image of that layer. `diffId`: what its config says, which need not be so. */
function imageOfLayer(layer: Buffer, diffId: string): ScriptedImage {
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: [diffId] },
    }),
  );
  const described = (type: string, bytes: Buffer) => ({
    mediaType: type,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaType.manifest,
      config: described(mediaType.config, config),
      layers: [described(mediaType.layerGzip, layer)],
    }),
  );
  const blobs = new Map([config, layer].map((bytes) => [digestOf(bytes), bytes] as const));
  return { manifest, manifestDigest: digestOf(manifest), layer, layerDigest: digestOf(layer), blobs };
}

const content = randomBytes(size);
const member = (name: string): Buffer =>
  Buffer.from(tarMember({ name, mode: 0o755 }, content.toString("latin1")));
const honestTar = Buffer.from(tarOf(member("greeting")));
const diffId = digestOf(honestTar);
const honest = imageOfLayer(gzipSync(honestTar, { level: 1 }), diffId);

/** Answers for the layer alone, from byte `from` on. */
function layerIs(image: ScriptedImage, answer: (response: ServerResponse, from: number) => void): Handler {
  return serveImage(image, (request, response) => {
    if (request.url?.includes(image.layerDigest) !== true) return false;
    answer(response, Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0));
    return true;
  });
}

/** Trees that are being made, and what lies in them. */
function treesOf(store: ImageStore): string[] {
  return readdirSync(store.root.work)
    .filter((name) => name.startsWith("layer-"))
    .map((name) => join(store.root.work, name, "layer/fs"));
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (holds()) return;
    await sleep(10);
  }
  assert.fail(`waited in vain: ${what}`);
}

function assertNothing(store: ImageStore): void {
  assert.deepEqual(store.names(), []);
  assert.deepEqual(readdirSync(store.root.layers), []);
  assert.deepEqual(readdirSync(store.root.work), []);
}

async function refused(
  t: TestContext,
  handler: Handler,
  code: ErrorCode,
  words: RegExp,
  check: (store: ImageStore) => void = () => {},
): Promise<void> {
  const { host } = await scriptedServer(t, handler);
  const store = newStore(t);
  await assert.rejects(pullImage(store, `${host}/app:1`, quick), (error: unknown) => {
    assert.ok(isTranshipError(error, code), String(error));
    assert.match(error.message, words);
    return true;
  });
  check(store);
  assertNothing(store);
}

test("a layer is unpacked while it is fetched, and is one only at the end", {
  ...needsRoot,
  timeout: 60_000,
}, async (t) => {
  const store = newStore(t);
  let seen = 0;
  const { host } = await scriptedServer(
    t,
    layerIs(honest, (response) => {
      response.writeHead(200, { "content-length": honest.layer.length });
      response.write(honest.layer.subarray(0, size / 2));
      void (async () => {
        const grown = (): number =>
          Math.max(
            0,
            ...treesOf(store).map(
              (fs) => lstatSync(join(fs, "greeting"), { throwIfNoEntry: false })?.size ?? 0,
            ),
          );
        await until(() => grown() > size / 4, "half of the layer on the disk");
        seen = grown();
        assert.deepEqual(readdirSync(store.root.layers), []);
        // Nobody else reaches what was not checked.
        for (const name of readdirSync(store.root.work))
          assert.equal(lstatSync(join(store.root.work, name)).mode & 0o77, 0);
        response.end(honest.layer.subarray(size / 2));
      })();
    }),
  );
  await pullImage(store, `${host}/app:1`, quick);
  assert.ok(seen > 0);
  const directory = unpackedLayer(store.root, diffId) ?? "";
  assert.ok(readFileSync(join(directory, "greeting")).equals(content));
  assert.deepEqual(readdirSync(store.root.work), []);
});

test("other bytes than were asked for are told as that, whatever they unpack to", {
  ...needsRoot,
  timeout: 60_000,
}, async (t) => {
  const early = Buffer.from(honest.layer);
  early.fill(0xff, 100, 200);
  // The same tar of another blob: the time in the header of gzip.
  const same = Buffer.from(honest.layer);
  same[4] = 1;
  const hostile = gzipSync(Buffer.from(tarOf(member("../../escape"))), { level: 1 });
  const other = Buffer.concat([hostile, Buffer.alloc(honest.layer.length)]).subarray(0, honest.layer.length);
  for (const [name, bytes] of [
    ["damaged at the beginning", early],
    ["the same content", same],
    ["hostile", other],
  ] as const) {
    await t.test(name, (inner) =>
      refused(
        inner,
        layerIs(honest, (response) => void response.end(bytes)),
        "E_IMAGE_CORRUPT",
        /content has another digest/,
        (store) => assert.equal(store.blobSize(honest.layerDigest), undefined),
      ),
    );
  }
});

test("a layer that is what was asked for, and bad: another diffID, a name that leads upwards", {
  ...needsRoot,
  timeout: 60_000,
}, async (t) => {
  const wrong = imageOfLayer(honest.layer, digestOf("another"));
  await t.test("diffID", (inner) =>
    refused(inner, serveImage(wrong), "E_IMAGE_CORRUPT", /diffID is sha256:/),
  );
  const tar = Buffer.from(tarOf(member("../../escape")));
  const escaping = imageOfLayer(gzipSync(tar, { level: 1 }), digestOf(tar));
  await t.test("name", (inner) => refused(inner, serveImage(escaping), "E_LAYER_HOSTILE", /leads upwards/));
});

test("a layer that ends early leaves a part and no tree; the next pull goes on with the part", {
  ...needsRoot,
  timeout: 60_000,
}, async (t) => {
  let ends = true;
  const { host, requests } = await scriptedServer(
    t,
    serveImage(honest, (request, response) => {
      if (!ends || request.url?.includes(honest.layerDigest) !== true) return false;
      const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      const { length } = honest.layer;
      const range = from > 0 ? { "content-range": `bytes ${from}-${length - 1}/${length}` } : {};
      response.writeHead(from > 0 ? 206 : 200, { "content-length": length - from, ...range });
      if (from > 0) response.destroy();
      else response.write(honest.layer.subarray(0, 5 << 20), () => response.destroy());
      return true;
    }),
  );
  const store = newStore(t);
  await assert.rejects(pullImage(store, `${host}/app:1`, quick), (error: unknown) =>
    isTranshipError(error, "E_REGISTRY_UNREACHABLE"),
  );
  assertNothing(store);
  ends = false;
  requests.length = 0;
  await pullImage(store, `${host}/app:1`, quick);
  const asked = requests.filter(({ line }) => line.includes(honest.layerDigest));
  assert.equal(asked.length, 1);
  assert.match(asked[0]?.headers.range ?? "", /^bytes=\d{6,}-/);
  assert.ok(readFileSync(join(unpackedLayer(store.root, diffId) ?? "", "greeting")).equals(content));
});

for (const ranges of [true, false]) {
  const name = `a connection breaks, ${ranges ? "and the rest is asked for: the same tree goes on" : "and all of it comes again: it is unpacked anew"}`;
  test(name, { ...needsRoot, timeout: 60_000 }, async (t) => {
    const store = newStore(t);
    const trees = new Set<string>();
    let breaks = 0;
    const { host } = await scriptedServer(
      t,
      serveImage(honest, (request, response) => {
        for (const tree of treesOf(store)) trees.add(tree);
        if (request.url?.includes(honest.layerDigest) !== true) return false;
        if (breaks++ > 0) {
          if (ranges) return false;
          response.writeHead(200, { "content-length": honest.layer.length });
          response.end(honest.layer);
          return true;
        }
        response.writeHead(200, { "content-length": honest.layer.length });
        response.write(honest.layer.subarray(0, 4 << 20), () => {
          void until(() => treesOf(store).length > 0, "a tree").then(() => response.destroy());
        });
        return true;
      }),
    );
    await pullImage(store, `${host}/app:1`, { ...quick, retries: 5 });
    assert.equal(breaks, 2);
    assert.equal(trees.size, 1);
    assert.ok(readFileSync(join(unpackedLayer(store.root, diffId) ?? "", "greeting")).equals(content));
    assert.deepEqual(readdirSync(store.root.work), []);
  });
}

test("a part that an earlier command left damaged is unpacked again when it was fetched anew", {
  ...needsRoot,
  timeout: 60_000,
}, async (t) => {
  const { host, requests } = await scriptedServer(t, serveImage(honest));
  const store = newStore(t);
  const part = Buffer.from(honest.layer.subarray(0, 5 << 20));
  part.fill(0xff, 5000, 5100);
  mkdirSync(join(store.root.fetched, "registry"), { recursive: true });
  writeFileSync(join(store.root.fetched, "registry", honest.layerDigest.replace(":", "-")), part);
  await pullImage(store, `${host}/app:1`, quick);
  assert.equal(requests.filter(({ line }) => line.includes(honest.layerDigest)).length, 2);
  assert.ok(readFileSync(join(unpackedLayer(store.root, diffId) ?? "", "greeting")).equals(content));
});

test("what grows like a bomb waits until it is known to be what was asked for", {
  ...needsRoot,
  timeout: 120_000,
}, async (t) => {
  // 4 GB behind a header, nearly all of it zeros, as members of gzip that can be repeated: just within what is allowed.
  const most16 = Buffer.concat([Buffer.alloc((16 << 20) - 2048), randomBytes(2048)]);
  const zeros = gzipSync(most16);
  const count = Math.ceil((4.2 * 2 ** 20) / zeros.length);
  const length = count * (16 << 20);
  const head = Buffer.from(tarMember({ name: "zeros", size: length }, "")).subarray(0, 512);
  const layer = Buffer.concat([gzipSync(head), ...new Array<Buffer>(count).fill(zeros)]);
  const image = imageOfLayer(layer, digestOf("never reached"));
  const store = newStore(t);
  const sent = 3 << 20;
  let most = 0;
  const { host } = await scriptedServer(
    t,
    layerIs(image, (response) => {
      response.writeHead(200, { "content-length": layer.length });
      response.write(layer.subarray(0, sent));
      void (async () => {
        await until(() => treesOf(store).some((fs) => existsSync(join(fs, "zeros"))), "the file of zeros");
        await sleep(1500);
        for (const fs of treesOf(store)) most = Math.max(most, lstatSync(join(fs, "zeros")).size);
        response.end(Buffer.alloc(layer.length - sent));
      })();
    }),
  );
  await assert.rejects(pullImage(store, `${host}/app:1`, quick), (error: unknown) => {
    assert.match(String(error), /content has another digest/);
    return true;
  });
  assert.ok(most > 0 && most < 64 * sent + (48 << 20), `${most} bytes were unpacked of ${sent}`);
  assertNothing(store);
});

interface Ended {
  status: number | null;
  text: string;
}

async function work(...args: string[]): Promise<Ended> {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const child = spawn(process.execPath, [worker, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const [status] = (await once(child, "close")) as [number | null];
  return { status, text };
}

test("many layers, large and small; two pulls of them at once, and one beside a layer that is there", {
  ...needsRoot,
  ...needsDockerRegistry,
  timeout: 300_000,
}, async (t) => {
  const { host } = await dockerRegistry(t);
  const top = scratch(t);
  const directories = [5, 0.1, 7, 0.2, 6, 0.1].map((mib, i) => {
    const directory = join(top, `tree${i}`);
    mkdirSync(directory);
    writeFileSync(join(directory, `data${i}`), randomBytes(Math.round(mib * (1 << 20))));
    return directory;
  });
  const source = newStore(t);
  await imageOf(t, source, "shop:1", directories);
  const name = `${host}/shop:1`;
  const { digest } = await pushImage(source, "shop:1", name, quick);
  const store = newStore(t);
  const both = await Promise.all([work("pull", store.root.path, name), work("pull", store.root.path, name)]);
  for (const { status, text } of both) assert.equal(status, 0, text);
  const assertWhole = async (): Promise<void> => {
    assert.deepEqual(await verifyImage(store, name, { readData: true }), []);
    for (const { diffId: id } of store.image(name).layers)
      assert.ok(unpackedLayer(store.root, id) !== undefined, id);
    repairWork(store.root, silentLog);
    for (const path of [store.root.work, store.root.locks, join(store.root.fetched, "registry")])
      assert.deepEqual(readdirSync(path), [], path);
  };
  await assertWhole();
  assert.equal(store.image(name).target.digest, digest);
  // One tree of three is gone, and one of the blobs: the others are left as they are.
  const [first, , third] = store.image(name).layers;
  assert.ok(first !== undefined && third !== undefined);
  execFileSync("rm", [
    "-rf",
    join(store.root.layers, splitDigest(first.diffId)[1]),
    store.blobPath(third.descriptor.digest),
  ]);
  const again = await pullImage(store, name, quick);
  assert.equal(again.reused, 5);
  await assertWhole();
});

test("--no-unpack leaves the layers packed", { timeout: 60_000 }, async (t) => {
  const { host } = await scriptedServer(t, serveImage(honest));
  const store = newStore(t);
  await pullImage(store, `${host}/app:1`, { ...quick, unpack: false });
  assert.deepEqual(readdirSync(store.root.layers), []);
  assert.equal(store.blobSize(honest.layerDigest), honest.layer.length);
});
