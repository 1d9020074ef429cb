// Our registry: the behaviours of the distribution specification as a table, logins, limits, and others' tools on both sides.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as plainRequest } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hashSync } from "bcryptjs";
import { mediaType } from "../../src/formats/oci.ts";
import { pullImage } from "../../src/image/registry/pull.ts";
import { pushImage } from "../../src/image/registry/push.ts";
import { type ServerOptions, startRegistry } from "../../src/image/registry-server/server.ts";
import type { ImageStore } from "../../src/image/store.ts";
import { removeUnreferenced } from "../../src/image/store-gc.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { imageOf, newStore, scratch } from "../support/images.ts";
import { dockerRegistry, makeCertificates, needsDockerRegistry } from "../support/registries.ts";

const nothing = (): void => {};
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const quick = { plainHttp: true, unpack: false, retries: 2, retryDelay: 1 };

async function serve(
  t: TestContext,
  store: ImageStore,
  options: Partial<ServerOptions> = {},
): Promise<string> {
  const server = await startRegistry(store, { host: "127.0.0.1", port: 0, log, ...options });
  t.after(() => server.close());
  return `127.0.0.1:${server.address.port}`;
}

const sha256 = (bytes: Buffer | string): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const sha512 = (bytes: Buffer | string): string =>
  `sha512:${createHash("sha512").update(bytes).digest("hex")}`;

interface Reply {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

function ask(
  host: string,
  method: string,
  path: string,
  body?: Buffer | string,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const [name = "", port = ""] = host.split(":");
  return new Promise((resolve, reject) => {
    const sent = plainRequest(
      {
        host: name,
        port,
        method,
        path,
        headers: {
          ...headers,
          ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers as Record<string, string>,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

const config = Buffer.from("{}");
const blob = Buffer.from("some bytes of a layer");

function manifestOf(more: object = {}): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaType.manifest,
      config: { mediaType: mediaType.empty, digest: sha256(config), size: config.length },
      layers: [{ mediaType: mediaType.layer, digest: sha256(blob), size: blob.length }],
      ...more,
    }),
  );
}

test("the specification's behaviours", async (t) => {
  const store = newStore(t);
  const host = await serve(t, store);
  const manifest = manifestOf();
  const digest = sha256(manifest);
  const artifact = manifestOf({
    artifactType: "a/b",
    subject: { mediaType: mediaType.manifest, digest, size: manifest.length },
    annotations: { k: "v" },
  });
  const type = { "content-type": mediaType.manifest };
  const octets = { "content-type": "application/octet-stream" };
  let at = "";
  const none = `sha256:${"0".repeat(64)}`;
  type Step = [
    name: string,
    method: string,
    path: string | (() => string),
    status: number,
    body?: Buffer | string | undefined,
    headers?: Record<string, string>,
    check?: (reply: Reply) => void,
  ];
  const keep = (reply: Reply): void => {
    at = reply.headers.location ?? "";
    assert.match(at, /^\/v2\//);
  };
  const has = (name: string, value: string) => (reply: Reply) => assert.equal(reply.headers[name], value);
  const error = (code: string) => (reply: Reply) =>
    assert.equal((JSON.parse(reply.body.toString()) as { errors: { code: string }[] }).errors[0]?.code, code);
  const steps: Step[] = [
    ["base", "GET", "/v2/", 200],
    ["unknown path", "GET", "/v2/x", 404],
    ["path outside", "GET", "/v2/../../etc/passwd/manifests/1", 400, undefined, {}, error("NAME_INVALID")],
    ["encoded slashes", "GET", "/v2/a%2f..%2fb/manifests/1", 400, undefined, {}, error("NAME_INVALID")],
    ["bad name", "GET", "/v2/UPPER/manifests/1", 400, undefined, {}, error("NAME_INVALID")],
    ["no blob", "HEAD", `/v2/a/b/blobs/${none}`, 404],
    ["bad digest", "GET", "/v2/a/b/blobs/sha256:12", 400, undefined, {}, error("DIGEST_INVALID")],
    ["no manifest", "GET", "/v2/a/b/manifests/none", 404, undefined, {}, error("MANIFEST_UNKNOWN")],
    ["no tags", "GET", "/v2/a/b/tags/list", 404, undefined, {}, error("NAME_UNKNOWN")],
    [
      "no referrers",
      "GET",
      `/v2/a/b/referrers/${none}`,
      200,
      undefined,
      {},
      has("content-type", mediaType.index),
    ],
    [
      "monolithic POST",
      "POST",
      `/v2/a/b/blobs/uploads/?digest=${sha256(config)}`,
      201,
      config,
      octets,
      has("location", `/v2/a/b/blobs/${sha256(config)}`),
    ],
    [
      "POST with a wrong digest",
      "POST",
      `/v2/a/b/blobs/uploads/?digest=${none}`,
      400,
      config,
      octets,
      error("DIGEST_INVALID"),
    ],
    [
      "manifest before its blobs",
      "PUT",
      "/v2/a/b/manifests/1",
      404,
      manifest,
      type,
      error("MANIFEST_BLOB_UNKNOWN"),
    ],
    ["open", "POST", "/v2/a/b/blobs/uploads/", 202, undefined, {}, keep],
    [
      "chunk out of order",
      "PATCH",
      () => at,
      416,
      blob.subarray(5),
      { ...octets, "content-range": `5-${blob.length - 1}` },
      has("range", "0-0"),
    ],
    [
      "first chunk",
      "PATCH",
      () => at,
      202,
      blob.subarray(0, 5),
      { ...octets, "content-range": "0-4" },
      has("range", "0-4"),
    ],
    ["chunk again", "PATCH", () => at, 416, blob.subarray(0, 5), { ...octets, "content-range": "0-4" }],
    ["state", "GET", () => at, 204, undefined, {}, has("range", "0-4")],
    [
      "of another repository",
      "GET",
      () => at.replace("/a/b/", "/a/c/"),
      404,
      undefined,
      {},
      error("BLOB_UPLOAD_UNKNOWN"),
    ],
    [
      "last chunk",
      "PATCH",
      () => at,
      202,
      blob.subarray(5),
      { ...octets, "content-range": `5-${blob.length - 1}` },
    ],
    [
      "close",
      "PUT",
      () => `${at}?digest=${encodeURIComponent(sha256(blob))}`,
      201,
      "",
      octets,
      has("docker-content-digest", sha256(blob)),
    ],
    ["close again", "PUT", () => `${at}?digest=${sha256(blob)}`, 404, "", octets],
    ["open for one PUT", "POST", "/v2/a/b/blobs/uploads/", 202, undefined, {}, keep],
    ["wrong digest ends it", "PUT", () => `${at}?digest=${none}`, 400, blob, octets, error("DIGEST_INVALID")],
    ["open for sha512", "POST", "/v2/a/b/blobs/uploads/", 202, undefined, {}, keep],
    ["sha512", "PUT", () => `${at}?digest=${sha512(blob)}`, 201, blob, octets],
    [
      "sha512 is there",
      "GET",
      `/v2/a/b/blobs/${sha512(blob)}`,
      200,
      undefined,
      {},
      (reply) => assert.ok(reply.body.equals(blob)),
    ],
    ["open to give up", "POST", "/v2/a/b/blobs/uploads/", 202, undefined, {}, keep],
    ["give up", "DELETE", () => at, 204],
    ["given up", "PATCH", () => at, 404, blob, octets],
    [
      "blob",
      "GET",
      `/v2/a/b/blobs/${sha256(blob)}`,
      200,
      undefined,
      {},
      (reply) => assert.ok(reply.body.equals(blob)),
    ],
    [
      "part",
      "GET",
      `/v2/a/b/blobs/${sha256(blob)}`,
      206,
      undefined,
      { range: "bytes=5-7" },
      (reply) => assert.ok(reply.body.equals(blob.subarray(5, 8))),
    ],
    [
      "end",
      "GET",
      `/v2/a/b/blobs/${sha256(blob)}`,
      206,
      undefined,
      { range: "bytes=-3" },
      (reply) => assert.ok(reply.body.equals(blob.subarray(-3))),
    ],
    ["beyond", "GET", `/v2/a/b/blobs/${sha256(blob)}`, 416, undefined, { range: "bytes=1000-" }],
    [
      "mount",
      "POST",
      `/v2/c/blobs/uploads/?mount=${sha256(blob)}&from=a/b`,
      201,
      undefined,
      {},
      has("location", `/v2/c/blobs/${sha256(blob)}`),
    ],
    ["mount of nothing", "POST", `/v2/c/blobs/uploads/?mount=${none}&from=a/b`, 202, undefined, {}, keep],
    ["which opened an upload", "DELETE", () => at, 204],
    ["manifest", "PUT", "/v2/a/b/manifests/1", 201, manifest, type, has("docker-content-digest", digest)],
    ["manifest by digest", "PUT", `/v2/a/b/manifests/${digest}`, 201, manifest, type],
    ["by a wrong digest", "PUT", `/v2/a/b/manifests/${none}`, 400, manifest, type, error("DIGEST_INVALID")],
    [
      "another type",
      "PUT",
      "/v2/a/b/manifests/2",
      400,
      manifest,
      { "content-type": mediaType.index },
      error("MANIFEST_INVALID"),
    ],
    ["unknown type", "PUT", "/v2/a/b/manifests/2", 415, manifest, { "content-type": "text/html" }],
    ["no JSON", "PUT", "/v2/a/b/manifests/2", 400, "{", type, error("MANIFEST_INVALID")],
    ["too large", "PUT", "/v2/a/b/manifests/2", 413, Buffer.alloc(5 << 20, " "), type],
    [
      "path as a digest",
      "PUT",
      "/v2/a/b/manifests/2",
      400,
      manifest.toString().replace(sha256(blob), "sha256:../../x"),
      type,
      error("MANIFEST_INVALID"),
    ],
    [
      "read",
      "GET",
      "/v2/a/b/manifests/1",
      200,
      undefined,
      {},
      (reply) => assert.ok(reply.body.equals(manifest)),
    ],
    [
      "head",
      "HEAD",
      `/v2/a/b/manifests/${digest}`,
      200,
      undefined,
      {},
      has("content-length", String(manifest.length)),
    ],
    ["in another repository", "GET", `/v2/c/manifests/${digest}`, 404],
    [
      "referrer",
      "PUT",
      `/v2/a/b/manifests/${sha256(artifact)}`,
      201,
      artifact,
      type,
      has("oci-subject", digest),
    ],
    [
      "referrers",
      "GET",
      `/v2/a/b/referrers/${digest}`,
      200,
      undefined,
      {},
      (reply) => {
        const { manifests } = JSON.parse(reply.body.toString()) as { manifests: object[] };
        assert.deepEqual(manifests, [
          {
            mediaType: mediaType.manifest,
            digest: sha256(artifact),
            size: artifact.length,
            artifactType: "a/b",
            annotations: { k: "v" },
          },
        ]);
      },
    ],
    [
      "referrers of a type",
      "GET",
      `/v2/a/b/referrers/${digest}?artifactType=x/y`,
      200,
      undefined,
      {},
      (reply) => {
        assert.equal(reply.headers["oci-filters-applied"], "artifactType");
        assert.match(reply.body.toString(), /"manifests":\[\]/);
      },
    ],
    ["tag 0", "PUT", "/v2/a/b/manifests/0", 201, manifest, type],
    ["tag 2", "PUT", "/v2/a/b/manifests/2", 201, manifest, type],
    [
      "tags",
      "GET",
      "/v2/a/b/tags/list",
      200,
      undefined,
      {},
      (reply) => assert.deepEqual(JSON.parse(reply.body.toString()), { name: "a/b", tags: ["0", "1", "2"] }),
    ],
    [
      "a page",
      "GET",
      "/v2/a/b/tags/list?n=2",
      200,
      undefined,
      {},
      (reply) => {
        assert.match(reply.body.toString(), /\["0","1"\]/);
        assert.match(reply.headers.link ?? "", /^<\/v2\/a\/b\/tags\/list\?last=1&n=2>; rel="next"$/);
      },
    ],
    [
      "the next",
      "GET",
      "/v2/a/b/tags/list?n=2&last=1",
      200,
      undefined,
      {},
      (reply) => {
        assert.match(reply.body.toString(), /\["2"\]/);
        assert.equal(reply.headers.link, undefined);
      },
    ],
    [
      "repositories",
      "GET",
      "/v2/_catalog",
      200,
      undefined,
      {},
      (reply) => assert.deepEqual(JSON.parse(reply.body.toString()), { repositories: ["a/b"] }),
    ],
    ["blobs are not removed one by one", "DELETE", `/v2/a/b/blobs/${sha256(blob)}`, 405],
    ["remove a tag", "DELETE", "/v2/a/b/manifests/2", 202],
    ["it is gone", "GET", "/v2/a/b/manifests/2", 404],
    ["remove all of a digest", "DELETE", `/v2/a/b/manifests/${digest}`, 202],
    ["they are gone", "GET", "/v2/a/b/manifests/1", 404],
    ["and again", "DELETE", `/v2/a/b/manifests/${digest}`, 404],
  ];
  for (const [name, method, path, status, body, headers = {}, check = nothing] of steps) {
    const reply = await ask(host, method, typeof path === "string" ? path : path(), body, headers);
    assert.equal(reply.status, status, `${name}: ${reply.body.toString()}`);
    check(reply);
  }
  assert.deepEqual(
    readdirSync(store.root.work).flatMap((name) =>
      readdirSync(join(store.root.work, name)).filter((one) => one.startsWith("blob")),
    ),
    [],
  );
});

async function makePackage(t: TestContext, store: ImageStore): Promise<void> {
  const top = scratch(t);
  mkdirSync(join(top, "tree"));
  writeFileSync(join(top, "tree/big"), randomBytes(10 << 20));
  await imageOf(t, store, "shop:1", [join(top, "tree")], { evidence: '{"why":"test"}' });
}

test("packages are pushed, served and pulled; what is in use survives the collector, what is damaged is not served", async (t) => {
  const [source, served] = [newStore(t), newStore(t)];
  await makePackage(t, source);
  const host = await serve(t, served);
  const pushed = await pushImage(source, "shop:1", `${host}/team/shop:1`, quick);
  assert.equal((await pushImage(source, "shop:1", `${host}/team/shop:1`, quick)).reused, 1);
  assert.equal((await pushImage(source, "shop:1", `${host}/other:1`, quick)).bytes, 0);
  await removeUnreferenced(served, { log });
  assert.deepEqual(await verifyImage(served, "team/shop:1", { readData: true }), []);
  assert.equal(served.resolve("team/shop:1").target.digest, pushed.digest);
  const other = newStore(t);
  const name = `${host}/team/shop:1`;
  assert.equal((await pullImage(other, name, quick)).digest, pushed.digest);
  assert.deepEqual(
    other.referrers(pushed.imageDigest).map(({ artifactType }) => artifactType),
    [mediaType.evidence],
  );
  const layer = served.image("team/shop:1").layers[0]?.descriptor.digest ?? "";
  const bytes = readFileSync(served.blobPath(layer));
  bytes[5000] = (bytes[5000] ?? 0) ^ 1;
  writeFileSync(served.blobPath(layer), bytes);
  assert.equal((await ask(host, "GET", `/v2/team/shop/blobs/${layer}`)).status, 404);
});

test("logins, and a registry that is only read; with TLS", async (t) => {
  const top = scratch(t);
  const store = newStore(t);
  await makePackage(t, store);
  writeFileSync(join(top, "users"), `# people\nann:${hashSync("s3cret", 5)}\n`);
  makeCertificates(join(top, "tls"));
  const pem = (name: string): Buffer => readFileSync(join(top, "tls", name));
  mkdirSync(join(top, "certs"));
  writeFileSync(join(top, "certs/ca.crt"), pem("ca.crt"));
  const host = await serve(t, store, {
    htpasswd: join(top, "users"),
    tls: { cert: pem("server.cert"), key: pem("server.key") },
    readOnly: true,
  });
  const reach = { certDir: join(top, "certs"), retries: 0, unpack: false, configDir: top };
  for (const credentials of [
    undefined,
    { username: "ann", password: "wrong" },
    { username: "bob", password: "s3cret" },
  ]) {
    const given = credentials === undefined ? {} : { credentials };
    await assert.rejects(pullImage(newStore(t), `${host}/shop:1`, { ...reach, ...given }), {
      code: "E_REGISTRY_DENIED",
    });
  }
  const credentials = { username: "ann", password: "s3cret" };
  await pullImage(newStore(t), `${host}/shop:1`, { ...reach, credentials });
  await assert.rejects(pushImage(store, "shop:1", `${host}/new:1`, { ...reach, credentials }), {
    code: "E_REGISTRY_FAILED",
  });
  writeFileSync(join(top, "users"), `eve:${hashSync("other", 5)}\n`);
  await assert.rejects(pullImage(newStore(t), `${host}/shop:1`, { ...reach, credentials }), {
    code: "E_REGISTRY_DENIED",
  });
  writeFileSync(join(top, "plain"), "ann:{SHA}x\n");
  await assert.rejects(
    startRegistry(store, { host: "127.0.0.1", port: 0, log, htpasswd: join(top, "plain") }),
    { code: "E_USAGE" },
  );
});

test("an upload that is cut off anywhere is gone on with", async (t) => {
  const [source, served] = [newStore(t), newStore(t)];
  await makePackage(t, source);
  const host = await serve(t, served);
  const rounds = process.env.TRANSHIP_SOAK === "1" ? 50 : 4;
  for (let round = 0; round < rounds; round++) {
    const limit = Math.floor(((round + 0.5) / rounds) * (10 << 20));
    const cutter = await cuttingProxy(t, host, limit);
    const pushed = await pushImage(source, "shop:1", `${cutter.host}/cut${round}:1`, {
      ...quick,
      retries: 8,
    });
    assert.ok(cutter.cut(), `round ${round} was not cut`);
    assert.equal(served.resolve(`cut${round}:1`).target.digest, pushed.digest);
    await forget(served, source);
  }
});

/** Removes what a round has pushed, so that the next has something to send. */
async function forget(served: ImageStore, source: ImageStore): Promise<void> {
  for (const directory of [
    join(source.root.path, "cache"),
    join(source.root.fetched, "registry-uploads"),
    join(served.path, "blobs/sha256"),
  ])
    rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(served.path, "blobs/sha256"));
  await served.updateIndex("forget a round", () => []);
}

/** Passes everything on, but breaks the first connection that has sent `limit` bytes. */
async function cuttingProxy(
  t: TestContext,
  host: string,
  limit: number,
): Promise<{ host: string; cut(): boolean }> {
  const [, port = ""] = host.split(":");
  let sent = 0;
  let cut = false;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const through = connect(Number(port), "127.0.0.1");
    for (const one of [socket, through]) {
      sockets.add(one);
      one.on("error", nothing);
      one.on("close", () => {
        socket.destroy();
        through.destroy();
      });
    }
    socket.on("data", (chunk: Buffer) => {
      sent += chunk.length;
      if (!cut && sent >= limit) {
        cut = true;
        socket.destroy();
      } else through.write(chunk);
    });
    through.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const one of sockets) one.destroy();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, cut: () => cut };
}

test("heads and bodies that never come do not keep others waiting", async (t) => {
  const store = newStore(t);
  const host = await serve(t, store);
  const [, port = ""] = host.split(":");
  const slow = Array.from({ length: 100 }, () => connect(Number(port), "127.0.0.1"));
  t.after(() => {
    for (const socket of slow) socket.destroy();
  });
  for (const socket of slow) {
    socket.on("error", nothing);
    socket.resume();
    socket.write("GET /v2/ HTTP/1.1\r\nHost: x\r\nX-A: ");
  }
  assert.equal((await ask(host, "GET", "/v2/")).status, 200);
  // It may close the connection before we have sent all of it.
  const large = await ask(host, "GET", "/v2/", undefined, { "x-large": "x".repeat(64 << 10) }).catch(
    () => undefined,
  );
  assert.ok(large === undefined || large.status === 431);
  // The server itself ends them when their time for a head is over.
  await Promise.all(slow.map((socket) => (socket.destroyed ? undefined : once(socket, "close"))));
});

test("skopeo and umoci take from our registry and bring to it", needsDockerRegistry, async (t) => {
  const store = newStore(t);
  await makePackage(t, store);
  const host = await serve(t, store);
  const top = scratch(t);
  await pushImage(store, "shop:1", `${host}/gzip:1`, quick);
  const run = async (...command: [string, ...string[]]): Promise<string> => {
    const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    const [status] = (await once(child, "close")) as [number];
    assert.equal(status, 0, `${command.join(" ")}: ${err}`);
    return out;
  };
  await run(
    "skopeo",
    "copy",
    "-q",
    "--src-tls-verify=false",
    `docker://${host}/gzip:1`,
    `oci:${top}/layout:shop`,
  );
  for (const format of ["oci", "v2s2"]) {
    await run(
      "skopeo",
      "copy",
      "-q",
      "--format",
      format,
      "--dest-tls-verify=false",
      `oci:${top}/layout:shop`,
      `docker://${host}/from-skopeo:${format}`,
    );
    assert.deepEqual(await verifyImage(store, `from-skopeo:${format}`, { readData: true }), []);
  }
  assert.match(
    await run("skopeo", "list-tags", "--tls-verify=false", `docker://${host}/from-skopeo`),
    /"oci",\s+"v2s2"/,
  );
  const peer = await dockerRegistry(t);
  await run(
    "skopeo",
    "copy",
    "-q",
    "--all",
    "--src-tls-verify=false",
    "--dest-tls-verify=false",
    `docker://${host}/shop:1`,
    `docker://${peer.host}/shop:1`,
  );
  const pulled = await pullImage(newStore(t), `${peer.host}/shop:1`, quick);
  // The index is written anew by skopeo 1.9; the image is the same.
  assert.equal(pulled.imageDigest, store.image("shop:1").manifestDescriptor.digest);
  await run("skopeo", "delete", "--tls-verify=false", `docker://${host}/from-skopeo:oci`);
  assert.equal((await ask(host, "GET", "/v2/from-skopeo/manifests/oci")).status, 404);
});
