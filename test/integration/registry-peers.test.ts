// Our client against Debian's docker-registry: logins, certificates, proxies, mounts, referrers; and skopeo, podman and umoci on the other side of it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ErrorCode, isTranshipError } from "../../src/base/errors.ts";
import { mediaType } from "../../src/formats/oci.ts";
import { CredentialStore } from "../../src/image/registry/credentials.ts";
import { registryEndpoint } from "../../src/image/registry/endpoint.ts";
import { type PullOptions, pullImage } from "../../src/image/registry/pull.ts";
import { type PushOptions, pushImage } from "../../src/image/registry/push.ts";
import { RegistryClient } from "../../src/image/registry/registry-client.ts";
import type { ImageStore } from "../../src/image/store.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { imageOf, newStore, scratch } from "../support/images.ts";
import { dockerRegistry, makeCertificates, needsDockerRegistry } from "../support/registries.ts";

const quick: PushOptions & PullOptions = { plainHttp: true, unpack: false, retries: 2, retryDelay: 1 };
const code = (wanted: ErrorCode) => (error: unknown) => {
  assert.ok(isTranshipError(error, wanted), String(error));
  return true;
};

/** A package of two layers, one of which fills several chunks of an upload. */
async function makePackage(t: TestContext, store: ImageStore, name: string): Promise<void> {
  const top = scratch(t);
  for (const layer of ["one", "two"]) mkdirSync(join(top, layer));
  writeFileSync(join(top, "one/big"), randomBytes(10 << 20));
  writeFileSync(join(top, "two/words"), "many words\n".repeat(100_000));
  await imageOf(t, store, name, [join(top, "one"), join(top, "two")], { evidence: '{"why":"test"}' });
}

test(
  "a package goes there and comes back whole, as gzip, as zstd and as it is",
  needsDockerRegistry,
  async (t) => {
    const { host } = await dockerRegistry(t);
    const store = newStore(t);
    await makePackage(t, store, "team/shop:1");
    const types = { gzip: mediaType.layerGzip, zstd: mediaType.layerZstd, keep: mediaType.layerZstd };
    for (const [compression, type] of Object.entries(types) as ["gzip" | "zstd" | "keep", string][]) {
      const name = `${host}/team/shop:${compression}`;
      const pushed = await pushImage(store, "team/shop:1", name, { ...quick, compression });
      assert.equal(pushed.name, name);
      const other = newStore(t);
      const pulled = await pullImage(other, name, quick);
      assert.equal(pulled.digest, pushed.digest);
      const image = other.image(name);
      assert.deepEqual(new Set(image.layers.map(({ descriptor }) => descriptor.mediaType)), new Set([type]));
      assert.deepEqual(
        image.layers.map(({ diffId }) => diffId),
        store.image("team/shop:1").layers.map(({ diffId }) => diffId),
      );
      assert.deepEqual(await verifyImage(other, name, { readData: true }), []);
      assert.deepEqual(other.descriptorYaml(image), store.descriptorYaml(store.image("team/shop:1")));
      // docker-registry lists no referrers: they came by the fallback tag.
      assert.deepEqual(
        other.referrers(image.manifestDescriptor.digest).map(({ artifactType }) => artifactType),
        [mediaType.evidence],
      );
      if (compression !== "gzip") assert.equal(pushed.digest, store.resolve("team/shop:1").target.digest);
      // By digest alone, and with a wrong one.
      assert.equal(
        (await pullImage(other, `${host}/team/shop@${pushed.digest}`, quick)).digest,
        pushed.digest,
      );
      await assert.rejects(
        pullImage(other, `${host}/team/shop@sha256:${"0".repeat(64)}`, quick),
        code("E_REGISTRY_NOT_FOUND"),
      );
    }
    const again = await pushImage(store, "team/shop:1", `${host}/team/shop:gzip`, quick);
    assert.deepEqual([again.reused, again.bytes], [2, 0]);
    const mounted = await pushImage(store, "team/shop:1", `${host}/other/place:1`, quick);
    assert.deepEqual([mounted.reused, mounted.bytes], [2, 0]);
    const cut = store.image("team/shop:1").layers[0]?.descriptor.digest ?? "";
    writeFileSync(store.blobPath(cut), readFileSync(store.blobPath(cut)).fill(0, 100, 200));
    // A registry that has not seen the layer gets none of it.
    const fresh = await dockerRegistry(t);
    const damaged = `${fresh.host}/damaged:1`;
    await assert.rejects(
      pushImage(store, "team/shop:1", damaged, { ...quick, compression: "keep" }),
      code("E_IMAGE_CORRUPT"),
    );
    await assert.rejects(pushImage(store, "team/shop:1", damaged, quick), code("E_IMAGE_CORRUPT"));
  },
);

test(
  "logins: basic by config.json, by a helper, a wrong one, none; nothing is shown",
  needsDockerRegistry,
  async (t) => {
    const top = scratch(t);
    const hash = execFileSync(
      "python3",
      [
        "-W",
        "ignore",
        "-c",
        "import crypt; print(crypt.crypt('s3cret', crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))",
      ],
      { encoding: "utf8" },
    ).trim();
    writeFileSync(join(top, "htpasswd"), `ann:${hash.replace("$2b$", "$2y$")}\n`);
    const { host } = await dockerRegistry(t, `auth: {htpasswd: {realm: x, path: ${top}/htpasswd}}\n`);
    const store = newStore(t);
    await makePackage(t, store, "shop:1");
    const configDir = join(top, "docker");
    const push = (options: PushOptions) =>
      pushImage(store, "shop:1", `${host}/shop:1`, { ...quick, configDir, ...options });
    await assert.rejects(push({}), code("E_REGISTRY_DENIED"));
    await assert.rejects(push({ credentials: { username: "ann", password: "wrong" } }), (error: Error) => {
      assert.doesNotMatch(`${error.message}${error.stack}`, /wrong/);
      return code("E_REGISTRY_DENIED")(error);
    });
    const credentials = { username: "ann", password: "s3cret" };
    const keeper = new CredentialStore({ configDir });
    await keeper.set(host, credentials);
    assert.equal(statSync(join(configDir, "config.json")).mode & 0o777, 0o600);
    assert.equal((await push({})).layers, 2);
    // docker and skopeo write the same file and read ours.
    execFileSync("skopeo", [
      "inspect",
      "--tls-verify=false",
      "--authfile",
      join(configDir, "config.json"),
      `docker://${host}/shop:1`,
    ]);
    assert.equal(await keeper.erase(host), true);
    assert.equal(await keeper.get(host), undefined);
    const bin = join(top, "bin");
    mkdirSync(bin);
    writeFileSync(
      join(bin, "docker-credential-test"),
      `#!/bin/sh\nread key\necho "$1 $key" >>${top}/asked\ncase $1 in\nstore) echo "$key" >${top}/kept ;;\nget) [ -e ${top}/kept ] && sed 's/.*"ServerURL":"'$key'"/{"ServerURL":"x"/' ${top}/kept || { echo "credentials not found in native keychain"; exit 1; } ;;\nerase) rm -f ${top}/kept ;;\nesac\n`,
    );
    chmodSync(join(bin, "docker-credential-test"), 0o755);
    writeFileSync(join(configDir, "config.json"), JSON.stringify({ credsStore: "test", other: 1 }));
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
    const helped = new CredentialStore({ configDir, env });
    assert.equal(await helped.get(host), undefined);
    assert.equal(await helped.set(host, credentials), "docker-credential-test");
    assert.deepEqual(await helped.get(host), credentials);
    assert.doesNotMatch(readFileSync(join(configDir, "config.json"), "utf8"), /auths/);
    assert.equal((await push({ env })).reused, 2);
    assert.equal(await helped.erase(host), true);
    assert.equal(existsSync(join(top, "kept")), false);
    writeFileSync(join(configDir, "config.json"), JSON.stringify({ credsStore: "../evil" }));
    await assert.rejects(helped.get(host), code("E_IO"));
    writeFileSync(join(configDir, "config.json"), JSON.stringify({ credsStore: "absent" }));
    await assert.rejects(helped.get(host), (error: unknown) => {
      assert.ok(code("E_TOOL_MISSING")(error));
      assert.match(String((error as { hint?: unknown }).hint), /config\.json in .* names it/);
      return true;
    });
  },
);

test(
  "TLS: an authority of one's own, a certificate of the client, and none of them",
  needsDockerRegistry,
  async (t) => {
    const top = scratch(t);
    const made = join(top, "made");
    makeCertificates(made);
    const tls = `certificate: ${made}/server.cert, key: ${made}/server.key, clientcas: [${made}/ca.crt]`;
    const { host } = await dockerRegistry(t, "", `, tls: {${tls}}`);
    const ping = async (options: PullOptions): Promise<void> => {
      const client = new RegistryClient(registryEndpoint(host), { retries: 0, ...options });
      try {
        await client.ping();
      } finally {
        await client.close();
      }
    };
    const files = (...names: string[]): string => {
      const directory = join(top, `certs-${names.join("-")}`);
      mkdirSync(directory);
      for (const name of names) copyFileSync(join(made, name), join(directory, name));
      return directory;
    };
    await assert.rejects(ping({}), (error: Error) => {
      assert.match((error as { hint?: string }).hint ?? "", /--cert-dir/);
      return code("E_REGISTRY_UNREACHABLE")(error);
    });
    await assert.rejects(ping({ certDir: files("ca.crt") }), code("E_REGISTRY_UNREACHABLE"));
    await assert.rejects(ping({ certDir: files("ca.crt", "client.cert") }), code("E_IO"));
    await ping({ certDir: files("ca.crt", "client.cert", "client.key") });
    await ping({ certDir: files("client.cert", "client.key"), insecure: true });
  },
);

test(
  "a proxy is asked where the environment says so, with its own credentials alone",
  needsDockerRegistry,
  async (t) => {
    const { host } = await dockerRegistry(t);
    const seen: string[] = [];
    const proxy = createServer((_, response) => response.writeHead(500).end());
    proxy.on("connect", (request, socket, head) => {
      seen.push(`${request.url} ${request.headers["proxy-authorization"]}`);
      const [, port = ""] = host.split(":");
      const through = connect(Number(port), "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        through.write(head);
        through.pipe(socket).pipe(through);
      });
      socket.on("error", () => through.destroy());
      through.on("error", () => socket.destroy());
    });
    proxy.on("request", (request) => seen.push(`${request.method} ${request.url}`));
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    t.after(() => {
      proxy.closeAllConnections();
      proxy.close();
    });
    const address = `http://name:word@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const client = new RegistryClient(registryEndpoint("registry.invalid"), {
      retries: 0,
      env: { HTTPS_PROXY: address },
    });
    // What answers behind the tunnel has no TLS; that it was asked is what counts.
    await assert.rejects(client.ping(), code("E_REGISTRY_UNREACHABLE"));
    await client.close();
    assert.deepEqual(seen, [`registry.invalid:443 Basic ${Buffer.from("name:word").toString("base64")}`]);
    const exempt = new RegistryClient(registryEndpoint(host), {
      plainHttp: true,
      env: { HTTP_PROXY: address, NO_PROXY: "127.0.0.1" },
    });
    await exempt.ping();
    await exempt.close();
    assert.equal(seen.length, 1);
  },
);

test("mirrors are asked first, and passed over where they fail", needsDockerRegistry, async (t) => {
  const [mirror, own] = [await dockerRegistry(t), await dockerRegistry(t)];
  const store = newStore(t);
  await makePackage(t, store, "shop:1");
  await pushImage(store, "shop:1", `${mirror.host}/shop:1`, quick);
  await pushImage(store, "shop:1", `${own.host}/shop:2`, quick);
  const mirrors = [`${own.host}=http://${mirror.host}`];
  const name = (tag: number): string => `${own.host}/shop:${tag}`;
  assert.equal((await pullImage(newStore(t), name(1), { ...quick, mirrors })).name, name(1));
  assert.equal((await pullImage(newStore(t), name(2), { ...quick, mirrors })).name, name(2));
  await assert.rejects(pullImage(newStore(t), name(1), quick), code("E_REGISTRY_NOT_FOUND"));
});

test(
  "images of skopeo, umoci and buildah are pulled; ours are copied by skopeo and unpacked by umoci",
  needsDockerRegistry,
  async (t) => {
    const { host } = await dockerRegistry(t);
    const top = scratch(t);
    const store = newStore(t);
    await makePackage(t, store, "shop:1");
    await pushImage(store, "shop:1", `${host}/shop:1`, quick);
    const run = (...command: [string, ...string[]]): string =>
      execFileSync(command[0], command.slice(1), { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    run(
      "skopeo",
      "copy",
      "-q",
      "--src-tls-verify=false",
      `docker://${host}/shop:1`,
      `oci:${top}/layout:shop`,
    );
    if (process.getuid?.() === 0) {
      run("umoci", "unpack", "--image", `${top}/layout:shop`, join(top, "bundle"));
      assert.deepEqual(readdirSync(join(top, "bundle/rootfs")).sort(), ["big", "words"]);
    }
    // Docker's own media types, and an index of several platforms.
    run(
      "skopeo",
      "copy",
      "-q",
      "--format",
      "v2s2",
      "--dest-tls-verify=false",
      `oci:${top}/layout:shop`,
      `docker://${host}/docker:1`,
    );
    const docker = await pullImage(store, `${host}/docker:1`, quick);
    assert.equal(store.image(docker.name).manifestDescriptor.mediaType, mediaType.dockerManifest);
    assert.deepEqual(await verifyImage(store, docker.name, { readData: true }), []);
    const pushedOn = await pushImage(store, docker.name, `${host}/again:1`, quick);
    assert.equal(pushedOn.digest, docker.digest, "what is gzip already stays as it is, to the byte");
    const zstd = await pushImage(store, docker.name, `${host}/again:zstd`, { ...quick, compression: "zstd" });
    const inspected = JSON.parse(
      run("skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${host}/again:zstd`),
    ) as { mediaType: string };
    assert.equal(inspected.mediaType, mediaType.manifest);
    assert.notEqual(zstd.digest, docker.digest);
  },
);
