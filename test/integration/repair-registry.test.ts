// Damaged packages are made whole from registries: where they came from and went to, and where a person says; nothing that comes is believed.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentProgress } from "../../src/base/log.ts";
import { parseReference } from "../../src/formats/oci-reference.ts";
import { repairWork } from "../../src/host/work.ts";
import { changeDescriptor } from "../../src/image/change-descriptor.ts";
import { pullImage } from "../../src/image/registry/pull.ts";
import { pushImage } from "../../src/image/registry/push.ts";
import { startRegistry } from "../../src/image/registry-server/server.ts";
import type { RegistryChoice } from "../../src/image/repair/registry-copies.ts";
import { type RepairedBlob, repairStore } from "../../src/image/repair/repair.ts";
import type { ImageStore } from "../../src/image/store.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { imageOf, newStore, scratch, silentLog } from "../support/images.ts";
import {
  dockerRegistry,
  makeCertificates,
  needsDockerRegistry,
  scriptedServer,
} from "../support/registries.ts";
import { scriptedImage, serveImage } from "../support/scripted-image.ts";

const soak = process.env.TRANSHIP_SOAK === "1";
const main = join(import.meta.dirname, "../../src/cli/main.ts");
const quick = { plainHttp: true, unpack: false, retries: 2, retryDelay: 1 };

function tree(t: TestContext): string {
  const directory = join(scratch(t), "tree");
  mkdirSync(directory);
  writeFileSync(join(directory, "content"), "content ".repeat(1000));
  writeFileSync(join(directory, "random"), randomBytes(60_000));
  return directory;
}

function named(...from: string[]): RegistryChoice {
  return { images: from.map(parseReference), registries: [], known: false, settings: quick };
}

async function repaired(
  store: ImageStore,
  registries: RegistryChoice,
  dryRun = false,
): Promise<RepairedBlob[]> {
  const options = { registries, dryRun, log: silentLog, progress: silentProgress };
  return (await repairStore(store, options)).blobs;
}

/** Every blob of the store. */
function everyBlob(store: ImageStore): string[] {
  const directory = join(store.path, "blobs/sha256");
  return readdirSync(directory).map((name) => join(directory, name));
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4;
  writeFileSync(path, bytes);
}

async function assertWhole(store: ImageStore, name: string): Promise<void> {
  assert.deepEqual(await verifyImage(store, name, { readData: true }), [], name);
}

test("all blobs of a package come back by their digests from where it was pulled, whatever their damage", async (t) => {
  const from = newStore(t);
  await imageOf(t, from, "app:1", [tree(t), tree(t)], { evidence: "{}" });
  const certificates = join(scratch(t), "certs");
  makeCertificates(certificates);
  const read = (name: string): Buffer => readFileSync(join(certificates, name));
  const server = await startRegistry(from, {
    host: "127.0.0.1",
    port: 0,
    log: silentLog,
    readOnly: true,
    tls: { cert: read("server.cert"), key: read("server.key") },
  });
  t.after(() => server.close());
  const host = `127.0.0.1:${server.address.port}`;
  const home = scratch(t);
  const trusted = join(home, ".config/docker/certs.d", host);
  mkdirSync(trusted, { recursive: true });
  cpSync(join(certificates, "ca.crt"), join(trusted, "ca.crt"));
  const before = process.env.HOME;
  process.env.HOME = home;
  t.after(() => {
    process.env.HOME = before;
  });
  const store = newStore(t);
  const known: RegistryChoice = { images: [], registries: [], known: true, settings: { retryDelay: 1 } };
  await pullImage(store, `${host}/app:1`, { unpack: false });
  // Under another name it is known all the same.
  await store.tag(`${host}/app:1`, "mine:1");
  await store.untag(`${host}/app:1`);
  for (const damage of [rmSync, flip, (path: string) => writeFileSync(path, "cut")]) {
    const all = everyBlob(store);
    for (const path of all) damage(path);
    assert.ok((await repaired(store, { ...known, known: false })).every((one) => one.from === undefined));
    const dry = await repaired(store, known, true);
    assert.equal(dry[0]?.from, `${host}/app`);
    const done = await repaired(store, known);
    assert.equal(done.length, all.length);
    assert.ok(done.every((one) => one.from === `${host}/app`));
    await assertWhole(store, "mine:1");
  }
});

test("a layer that was pushed as gzip is packed again as it was; a changed descriptor keeps the places", async (t) => {
  const far = newStore(t);
  const server = await startRegistry(far, { host: "127.0.0.1", port: 0, log: silentLog });
  t.after(() => server.close());
  const host = `127.0.0.1:${server.address.port}`;
  const store = newStore(t);
  await imageOf(t, store, "app:1", [tree(t)], { evidence: "{}" });
  await pushImage(store, "app:1", `${host}/team/app:7`, quick);
  await changeDescriptor(
    store,
    store.image("app:1"),
    "apiVersion: tranship/v1alpha1\nkind: Package\nx: 1\n",
    "app:1",
  );
  assert.match(JSON.stringify(store.image("app:1").target.annotations), /team\/app:7@sha256/);
  const { layers } = store.image("app:1");
  const digest = layers[0]?.descriptor.digest ?? "";
  flip(store.blobPath(digest));
  const other = await repaired(store, named(`${host}/team/nothing:1`));
  assert.deepEqual(
    other.map((one) => one.from),
    [undefined],
  );
  const [dry] = await repaired(store, named(`${host}/team/app:7`), true);
  assert.match(dry?.from ?? "", /^sha256:[0-9a-f]+ of 127/);
  const [done] = await repaired(store, named(`${host}/team/app:7`));
  assert.match(done?.from ?? "", /^sha256:[0-9a-f]+ of 127/);
  await assertWhole(store, "app:1");
});

test("what a registry sends is not believed, and what is there stays", async (t) => {
  const image = scriptedImage(randomBytes(50_000));
  const honest = await scriptedServer(t, serveImage(image));
  const store = newStore(t);
  await pullImage(store, `${honest.host}/app:1`, quick);
  const lies: Record<string, Buffer> = {
    other: Buffer.from(image.layer).fill(7, 100, 200),
    shorter: image.layer.subarray(1),
    longer: Buffer.concat([image.layer, Buffer.alloc(100)]),
    nothing: Buffer.alloc(0),
  };
  const path = store.blobPath(image.layerDigest);
  for (const [name, lie] of Object.entries(lies)) {
    const liar = await scriptedServer(
      t,
      serveImage(image, (request, response) => {
        if (request.url?.includes(image.layerDigest) !== true) return false;
        response.end(lie);
        return true;
      }),
    );
    flip(path);
    const damaged = readFileSync(path);
    const left = await repaired(store, named(`${liar.host}/app:1`));
    assert.deepEqual(
      left.map((one) => one.from),
      [undefined],
      name,
    );
    assert.deepEqual(readFileSync(path), damaged, name);
    // The next place is asked all the same.
    const done = await repaired(store, named(`${liar.host}/app:1`, `${honest.host}/app:1`));
    assert.deepEqual(
      done.map((one) => one.from),
      [`${honest.host}/app`],
      name,
    );
    await assertWhole(store, `${honest.host}/app:1`);
  }
});

test("killed at any step: the blob is the damaged one or the whole one", needsDockerRegistry, async (t) => {
  const { host } = await dockerRegistry(t);
  const store = newStore(t);
  await imageOf(t, store, "app:1", [tree(t)], { evidence: "{}" });
  await pushImage(store, "app:1", `${host}/app:1`, { ...quick, compression: "keep" });
  const saved = join(scratch(t), "saved");
  for (const path of everyBlob(store)) flip(path);
  cpSync(store.root.path, saved, { recursive: true });
  const cli = (words: string[], env: Record<string, string>) => {
    const { NODE_EXTRA_CA_CERTS: _, ...own } = process.env;
    const args = [main, "repair", "--plain-http", ...words];
    return spawnSync(process.execPath, args, {
      env: { ...own, TRANSHIP_ROOT: store.root.path, ...env },
      encoding: "utf8",
    });
  };
  const anew = (): void => {
    rmSync(store.root.path, { recursive: true });
    cpSync(saved, store.root.path, { recursive: true });
  };
  const list = join(scratch(t), "steps");
  // A registry alone: each repository is looked for under its own name.
  const all = cli(["--from", host], { TRANSHIP_STEPS_FILE: list });
  assert.equal(all.status, 0, all.stderr + all.stdout);
  assert.match(all.stdout, new RegExp(`made whole from ${host}/app\n`));
  const steps = readFileSync(list, "utf8").trim().split("\n").length;
  const every = soak ? 1 : Math.max(1, Math.floor(steps / 2));
  for (let at = 1; at <= steps; at += every) {
    anew();
    const killed = cli(["--from", `${host}/app:1`], { TRANSHIP_CRASH_AT: String(at) });
    assert.equal(killed.signal, "SIGKILL", `step ${at}: ${killed.stderr}`);
    repairWork(store.root, silentLog);
    assert.deepEqual(readdirSync(store.root.work), []);
    const ended = cli(["--from", `${host}/app:1`], {});
    assert.equal(ended.status, 0, `after step ${at}: ${ended.stderr}${ended.stdout}`);
    await assertWhole(store, "app:1");
  }
  t.diagnostic(`${steps} steps`);
});

test("registries that cannot be reached are told once, and what is left is told", async (t) => {
  const store = newStore(t);
  const { NODE_EXTRA_CA_CERTS: _, ...own } = process.env;
  const cli = (...words: string[]) =>
    spawnSync(process.execPath, [main, "repair", ...words], {
      env: { ...own, TRANSHIP_ROOT: store.root.path },
      encoding: "utf8",
    });
  await imageOf(t, store, "app:1", [tree(t)]);
  for (const path of everyBlob(store).slice(0, 3)) rmSync(path);
  const told = cli("--from", "127.0.0.1:1/app:1", "--retry", "0");
  assert.equal(told.status, 4, told.stderr);
  assert.equal(told.stderr.match(/cannot reach 127\.0\.0\.1:1/g)?.length, 1, told.stderr);
  assert.match(told.stdout, /nothing here holds its content/);
  const { status, stderr } = cli("--from", "team/app:1");
  assert.equal(status, 2);
  assert.match(stderr, /no state root, image layout, registry or image at one/);
});
