// Registries that lie, stall, break off and send us elsewhere.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ErrorCode, isTranshipError } from "../../src/base/errors.ts";
import { type PullOptions, pullImage } from "../../src/image/registry/pull.ts";
import type { ImageStore } from "../../src/image/store.ts";
import { newStore, scratch } from "../support/images.ts";
import { refusals } from "../support/refusals.ts";
import { type Handler, scriptedServer } from "../support/registries.ts";
import { type ScriptedImage, scriptedImage, serveImage } from "../support/scripted-image.ts";

const quick: PullOptions = { plainHttp: true, unpack: false, retries: 2, retryDelay: 1 };

const refusal = refusals("registries");

/** No image has a name, and no blob has another content than its name says. */
function assertNothing(store: ImageStore, image: ScriptedImage): void {
  assert.deepEqual(store.names(), []);
  for (const hex of readdirSync(join(store.path, "blobs/sha256"))) {
    const bytes = readFileSync(join(store.path, "blobs/sha256", hex));
    const known = image.blobs.get(`sha256:${hex}`) ?? image.manifest;
    assert.ok(bytes.equals(known), hex);
  }
}

async function refused(
  t: TestContext,
  image: ScriptedImage,
  handler: Handler,
  code: ErrorCode,
  words: RegExp,
  options: PullOptions = {},
): Promise<void> {
  const { host } = await scriptedServer(t, handler);
  const store = newStore(t);
  const began = process.memoryUsage().rss;
  await refusal(t.name, () =>
    assert.rejects(pullImage(store, `${host}/app:1`, { ...quick, ...options }), (error: unknown) => {
      assert.ok(isTranshipError(error, code), String(error));
      assert.match(error.message, words);
      return true;
    }),
  );
  assert.ok(process.memoryUsage().rss - began < 128 << 20);
  assertNothing(store, image);
}

test("an honest one is pulled", async (t) => {
  const image = scriptedImage();
  const { host } = await scriptedServer(t, serveImage(image));
  const store = newStore(t);
  const pulled = await pullImage(store, `${host}/app:1`, quick);
  assert.equal(pulled.digest, image.manifestDigest);
  assert.equal(store.image(`${host}/app:1`).layers.length, 1);
});

test("an image alone that is for another platform is refused where one was asked for, before its layers", async (t) => {
  const image = scriptedImage();
  const { host, requests } = await scriptedServer(t, serveImage(image));
  const store = newStore(t);
  await assert.rejects(
    pullImage(store, `${host}/app:1`, { ...quick, platform: "linux/s390x" }),
    (error: unknown) => isTranshipError(error, "E_IMAGE_UNSUPPORTED") && /linux\/s390x/.test(error.message),
  );
  assert.ok(requests.every(({ line }) => !line.includes(image.layerDigest)));
  assert.deepEqual(store.names(), []);
});

test("a layer with another content, fewer or more bytes, or without an end", async (t) => {
  const image = scriptedImage();
  const isLayer = (url: string | undefined): boolean => url?.includes(image.layerDigest) === true;
  const other = Buffer.from(image.layer);
  other[20] = (other[20] ?? 0) ^ 1;
  const cases: [name: string, answer: (...args: Parameters<Handler>) => void, words: RegExp][] = [
    ["content", (_, response) => void response.end(other), /content has another digest/],
    ["fewer", (_, response) => void response.end(image.layer.subarray(1)), /the registry has \d+ bytes/],
    ["more", (_, response) => void response.end(Buffer.concat([image.layer, other])), /the registry has/],
    [
      "endless",
      (_, response) => {
        const send = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(64 << 10)));
          if (!response.destroyed) response.once("drain", send);
        };
        send();
      },
      /the registry sends more/,
    ],
  ];
  for (const [name, answer, words] of cases) {
    await t.test(name, async (inner) => {
      const handler = serveImage(image, (request, response, body) => {
        if (!isLayer(request.url)) return false;
        answer(request, response, body);
        return true;
      });
      await refused(inner, image, handler, "E_IMAGE_CORRUPT", words);
    });
  }
});

test("documents: another digest, path-like digests, too large, too deep, a key twice, too many layers", async (t) => {
  const good = scriptedImage();
  const manifests = (text: string | Buffer, header: Record<string, string> = {}): Handler =>
    serveImage(good, (request, response) => {
      if (request.url?.includes("/manifests/") !== true) return false;
      response.writeHead(200, { "content-type": "application/vnd.oci.image.manifest.v1+json", ...header });
      response.end(text);
      return true;
    });
  const text = good.manifest.toString();
  const deep = text.replace(/\}$/, `,"x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`);
  const layer = JSON.stringify((JSON.parse(text) as { layers: unknown[] }).layers[0]);
  const many = text.replace(/"layers":\[.*\]/, `"layers":[${new Array(5000).fill(layer).join(",")}]`);
  const cases: [name: string, handler: Handler, code: ErrorCode, words: RegExp, by?: string][] = [
    [
      "digest",
      manifests(text, { "docker-content-digest": `sha256:${"0".repeat(64)}` }),
      "E_IMAGE_CORRUPT",
      /has the digest/,
    ],
    [
      "path",
      manifests(text.replaceAll(good.layerDigest, "sha256:../../../../etc/passwd")),
      "E_IMAGE_CORRUPT",
      /digest/,
    ],
    ["large", manifests(Buffer.alloc(5 << 20, " ")), "E_LIMIT", /more than 4194304 bytes/],
    ["deep", manifests(deep), "E_IMAGE_CORRUPT", /nested deeper/],
    ["twice", manifests(text.replace(/^\{/, '{"schemaVersion":2,')), "E_IMAGE_CORRUPT", /twice/],
    ["many", manifests(many), "E_LIMIT", /5000 elements/],
    ["not JSON", manifests("<html>"), "E_IMAGE_CORRUPT", /not JSON/],
    ["old", manifests('{"schemaVersion":1}'), "E_IMAGE_UNSUPPORTED", /schema 1/],
  ];
  for (const [name, handler, code, words] of cases)
    await t.test(name, (inner) => refused(inner, good, handler, code, words));
});

test("foreign layers are refused and their addresses never asked", async (t) => {
  const elsewhere = await scriptedServer(t, (_, response) => void response.end());
  const image = scriptedImage("x", (_, layer) => {
    layer.mediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    layer.urls = [`http://${elsewhere.host}/layer`];
  });
  await refused(t, image, serveImage(image), "E_IMAGE_UNSUPPORTED", /outside of the registry/);
  assert.deepEqual(elsewhere.requests, []);
});

test("redirects: refused to private addresses, without TLS from TLS, and without end; credentials stay behind", async (t) => {
  const image = scriptedImage();
  const target = await scriptedServer(t, serveImage(image));
  const to = (address: string): Handler =>
    serveImage(image, (request, response) => {
      if (request.url?.includes(image.layerDigest) !== true) return false;
      response.writeHead(307, { location: address }).end();
      return true;
    });
  const there = `http://${target.host}/v2/app/blobs/${image.layerDigest}`;
  for (const address of [
    there,
    there.replace("127.0.0.1", "localhost"),
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:10.0.0.1]/x",
    "http://[fd00::1]/x",
    "http://0x7f.1/x",
    "http://2130706433/x",
  ])
    await t.test(address.replace(/:\d{4,5}\//, "/"), (inner) =>
      refused(inner, image, to(address), "E_REGISTRY_UNSAFE", /not a public one/),
    );
  await t.test("file:", (inner) =>
    refused(inner, image, to("file:///etc/passwd"), "E_REGISTRY_UNSAFE", /redirects to/),
  );
  assert.deepEqual(target.requests, []);
  await t.test("a trusted one gets no credentials", async (inner) => {
    const registry = await scriptedServer(inner, (request, response, body) => {
      if (request.headers.authorization === undefined)
        response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
      else void to(there)(request, response, body);
    });
    const store = newStore(inner);
    const options = { ...quick, trustedHosts: [target.host], credentials: { username: "u", password: "p" } };
    await pullImage(store, `${registry.host}/app:1`, options);
    assert.ok(registry.requests.some(({ headers }) => headers.authorization !== undefined));
    assert.deepEqual(
      target.requests.map(({ headers }) => headers.authorization),
      [undefined],
    );
  });
  await t.test("in a circle", async (inner) => {
    const circle = serveImage(image, (request, response) => {
      if (request.url?.includes(image.layerDigest) !== true) return false;
      response.writeHead(302, { location: request.url ?? "" }).end();
      return true;
    });
    await refused(inner, image, circle, "E_REGISTRY_FAILED", /more than 5 times/);
  });
});

test("a token service on another host gets no credentials", async (t) => {
  const image = scriptedImage();
  const thief = await scriptedServer(t, (_, response) => void response.end('{"token":"x"}'));
  for (const realm of [
    `http://localhost:${thief.host.split(":")[1]}/token`,
    "https://registry.example.com.evil.example/token",
  ]) {
    const handler: Handler = (_, response) => {
      response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="s"` }).end();
    };
    const credentials = { username: "u", password: "secret" };
    await refused(t, image, handler, "E_REGISTRY_UNSAFE", /another host/, { credentials });
  }
  // Without credentials there is nothing to steal, but the address is a private one.
  const handler: Handler = (_, response) => {
    const realm = `http://localhost:${thief.host.split(":")[1]}/token`;
    response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}"` }).end();
  };
  const configDir = join(scratch(t), "docker");
  await refused(t, image, handler, "E_REGISTRY_UNSAFE", /not a public one/, { configDir });
  assert.deepEqual(thief.requests, []);
});

test("tokens: fetched once for all requests, again when they have run out; by identity token too", async (t) => {
  const image = scriptedImage();
  let valid = "t1";
  const { host, requests } = await scriptedServer(t, (request, response, body) => {
    if (request.url?.startsWith("/token") === true) {
      response.end(JSON.stringify({ token: valid }));
      return;
    }
    if (request.headers.authorization !== `Bearer ${valid}`) {
      const realm = `Bearer realm="http://${request.headers.host}/token",service="test",scope="repository:app:pull"`;
      response.writeHead(401, { "www-authenticate": realm }).end("{}");
      return;
    }
    if (request.url?.includes("/manifests/1") === true) valid = "t2";
    void serveImage(image)(request, response, body);
  });
  const configDir = join(scratch(t), "docker");
  mkdirSync(configDir);
  const store = newStore(t);
  await pullImage(store, `${host}/app:1`, { ...quick, configDir });
  const asked = () => requests.filter(({ line }) => line.includes("/token"));
  assert.deepEqual(
    asked().map(({ line }) => line),
    new Array(2).fill("GET /token?service=test&scope=repository%3Aapp%3Apull"),
  );
  writeFileSync(
    join(configDir, "config.json"),
    JSON.stringify({ auths: { [host]: { identitytoken: "long" } } }),
  );
  await pullImage(newStore(t), `${host}/app:2`, { ...quick, configDir });
  assert.equal(asked().at(-1)?.line, "POST /token");
});

test("a body that breaks off is gone on with; overload is waited for; an error page is not", async (t) => {
  const image = scriptedImage(randomBytes(3 << 20));
  let breaks = 0;
  let busy = 0;
  const { host, requests } = await scriptedServer(
    t,
    serveImage(image, (request, response) => {
      if (request.url?.includes(image.layerDigest) !== true) return false;
      if (busy++ < 1) {
        response.writeHead(429, { "retry-after": "0" }).end();
        return true;
      }
      const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      if (breaks++ >= 3) return false;
      const rest = image.layer.subarray(from);
      response.writeHead(from === 0 ? 200 : 206, {
        "content-length": rest.length,
        ...(from === 0
          ? {}
          : { "content-range": `bytes ${from}-${image.layer.length - 1}/${image.layer.length}` }),
      });
      response.write(rest.subarray(0, 700_000), () => response.destroy());
      return true;
    }),
  );
  const store = newStore(t);
  await pullImage(store, `${host}/app:1`, { ...quick, retries: 5 });
  assert.ok((store.blobSize(image.layerDigest) ?? 0) === image.layer.length);
  const ranges = requests
    .filter(({ line }) => line.includes(image.layerDigest))
    .map(({ headers }) => headers.range);
  assert.equal(ranges.length, 5);
  assert.ok(
    ranges.slice(2).every((range) => range !== undefined),
    "each goes on where the last ended",
  );
});

test("what an earlier command left is gone on with, also where it was damaged", async (t) => {
  const image = scriptedImage(randomBytes(2 << 20));
  const { host, requests } = await scriptedServer(t, serveImage(image));
  for (const [damage, wanted] of [
    [false, ["bytes=1000000-"]],
    [true, ["bytes=1000000-", undefined]],
  ] as const) {
    const store = newStore(t);
    const directory = join(store.root.fetched, "registry");
    mkdirSync(directory, { recursive: true });
    const part = Buffer.from(image.layer.subarray(0, 1_000_000));
    if (damage) part[500] = (part[500] ?? 0) ^ 1;
    writeFileSync(join(directory, image.layerDigest.replace(":", "-")), part);
    requests.length = 0;
    await pullImage(store, `${host}/app:1`, quick);
    const asked = requests.filter(({ line }) => line.includes(image.layerDigest));
    assert.deepEqual(
      asked.map(({ headers }) => headers.range),
      wanted,
    );
    assert.deepEqual(readdirSync(directory), []);
  }
});
