// The store under kill -9, under writers side by side, under the collector, and with damaged blobs.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type ErrorCode, isTranshipError } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import { type Descriptor, mediaType } from "../../src/formats/oci.ts";
import { openStateRoot } from "../../src/host/state-root.ts";
import { repairWork } from "../../src/host/work.ts";
import { digestOf } from "../../src/image/digest.ts";
import { inspectImage } from "../../src/image/inspect.ts";
import { listImages } from "../../src/image/list.ts";
import { type ImageStore, openStore } from "../../src/image/store.ts";
import { removeUnreferenced } from "../../src/image/store-gc.ts";
import { StoreSession, withSession } from "../../src/image/store-session.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { newStore, rawImage, scratch } from "../support/images.ts";
import { tarMember, tarOf } from "../support/tar.ts";

const nothing = (): void => {};
const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

const writer = fileURLToPath(new URL("../support/store-writer.ts", import.meta.url));
const code = (wanted: ErrorCode) => (error: unknown) => isTranshipError(error, wanted);
const tarNamed = (name: string): Buffer => tarOf(tarMember({ name }, name.repeat(100)));

function blobs(store: ImageStore): string[] {
  return readdirSync(join(store.path, "blobs/sha256"));
}

/** Every blob has the content of its name, and every image is whole. */
async function assertWhole(store: ImageStore): Promise<void> {
  for (const hex of blobs(store)) {
    assert.equal(digestOf(readFileSync(join(store.path, "blobs/sha256", hex))), `sha256:${hex}`);
  }
  for (const { name } of store.names())
    assert.deepEqual(await verifyImage(store, name, { readData: true }), [], name);
}

test("kill -9 of a writer at any moment leaves a whole store, and what it had said is there", async (t) => {
  const root = openStateRoot(join(scratch(t), "root"));
  const said: string[] = [];
  for (let round = 0; round < 12; round++) {
    const child = spawn(process.execPath, [writer, root.path, `r${round}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    let text = "";
    child.stdout.on("data", (chunk: Uint8Array) => {
      text += new TextDecoder().decode(chunk);
    });
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, (round * 7) % 53));
    child.kill("SIGKILL");
    await once(child, "close");
    said.push(...text.split("\n").slice(0, -1));
    const store = openStore(root);
    repairWork(root, silentLog);
    assert.deepEqual(readdirSync(root.work), []);
    const names = new Set(store.names().map(({ name }) => name));
    assert.deepEqual(
      said.filter((name) => !names.has(name)),
      [],
    );
    await assertWhole(store);
  }
  const store = openStore(root);
  await removeUnreferenced(store, { log: silentLog });
  await assertWhole(store);
});

test("two writers and a collector side by side lose nothing", async (t) => {
  const root = openStateRoot(join(scratch(t), "root"));
  const store = openStore(root);
  const children = ["a", "b"].map((name) => {
    const child = spawn(process.execPath, [writer, root.path, name, "15"], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    return once(child, "close");
  });
  let running = true;
  const collect = (async () => {
    while (running) {
      await removeUnreferenced(store, { log: silentLog });
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  })();
  const ends = await Promise.all(children);
  running = false;
  await collect;
  assert.deepEqual(
    ends.map(([status]) => status),
    [0, 0],
  );
  assert.equal(store.names().length, 30);
  await assertWhole(store);
});

test("the collector removes what no name leads to, and nothing that a session needs", async (t) => {
  const store = newStore(t);
  await rawImage(store, "one:1", [tarNamed("shared"), tarNamed("one")]);
  await rawImage(store, "two:1", [tarNamed("shared"), tarNamed("two")]);
  const before = blobs(store).length;
  assert.deepEqual((await removeUnreferenced(store, { log: silentLog })).blobs, []);
  const session = new StoreSession(store);
  t.after(() => session.close());
  const kept = await session.put(mediaType.layer, "needed by a session");
  const gone = await store.untag("one:1");
  const removed = await removeUnreferenced(store, { log: silentLog });
  assert.ok(removed.blobs.includes(gone.target.digest));
  assert.ok(removed.bytes > 0);
  assert.ok(store.hasBlob(kept.digest));
  assert.ok(blobs(store).length < before + 1);
  await assertWhole(store);
  session.close();
  assert.deepEqual((await removeUnreferenced(store, { log: silentLog })).blobs, [kept.digest]);
});

test("a session of a dead process holds nothing back", async (t) => {
  const store = newStore(t);
  const session = new StoreSession(store);
  const blob = await session.put(mediaType.layer, "left behind");
  const [work = ""] = readdirSync(store.root.work);
  const dead = work.replace(/-\d+-\d+$/, "-4194305-1");
  renameSync(join(store.root.work, work), join(store.root.work, dead));
  assert.deepEqual((await removeUnreferenced(store, { log: silentLog })).blobs, [blob.digest]);
});

test("nothing is removed while a document cannot be read", async (t) => {
  const store = newStore(t);
  await rawImage(store, "one:1", [tarNamed("one")]);
  await rawImage(store, "two:1", [tarNamed("two")]);
  const image = store.image("one:1");
  writeFileSync(store.blobPath(image.manifestDescriptor.digest), "{");
  await store.untag("two:1");
  assert.deepEqual((await removeUnreferenced(store, { log: silentLog })).blobs, []);
});

test("images have names, ids and tags", async (t) => {
  const store = newStore(t);
  await rawImage(store, "team/app:1", [tarNamed("a")]);
  await rawImage(store, "localhost:5000/other", [tarNamed("b")]);
  assert.deepEqual(
    store.names().map(({ name }) => name),
    ["localhost:5000/other:latest", "team/app:1"],
  );
  const image = store.image("team/app:1");
  const id = image.target.digest;
  assert.equal(store.resolve(id).target.digest, id);
  assert.equal(store.resolve(id.slice(7, 19)).target.digest, id);
  assert.equal(store.resolve(`team/app@${id}`).name, "team/app:1");
  assert.equal(store.resolve("team/app:1-image").target.digest, image.manifestDescriptor.digest);
  await store.tag("team/app:1", "app:stable");
  assert.equal(store.image("app:stable").target.digest, id);
  assert.equal(store.image("app:stable-image").manifestDescriptor.digest, image.manifestDescriptor.digest);
  await store.tag("localhost:5000/other", "app:stable");
  assert.notEqual(store.image("app:stable").target.digest, id, "a tag moves");
  await store.untag("app:stable");
  for (const text of ["app:stable", "app:stable-image", "none", "123456", `team/app:1@${digestOf("x")}`]) {
    assert.throws(() => store.resolve(text), code("E_IMAGE_NOT_FOUND"), text);
  }
  await assert.rejects(store.tag("team/app:1", "x:1-image"), code("E_REFERENCE_INVALID"));
  await assert.rejects(store.tag("team/app:1", "X"), code("E_REFERENCE_INVALID"));
});

test("listing and inspection say what is in an image", async (t) => {
  const store = newStore(t);
  await rawImage(store, "team/app:1", [tarNamed("a"), tarNamed("b")]);
  const [listed] = listImages(store);
  assert.deepEqual(
    [listed?.repository, listed?.tag, listed?.layers, listed?.created],
    ["team/app", "1", 2, undefined],
  );
  const inspected = inspectImage(store, "team/app:1");
  assert.equal(inspected.descriptor, "kind: Package\n");
  assert.equal(inspected.size, listed?.size);
  assert.deepEqual(
    inspected.layers.map((layer) => layer.origin),
    ["app", "app"],
  );
  assert.deepEqual(
    inspected.layers.map((layer) => layer.diffId),
    inspected.config.rootfs.diff_ids,
  );
  rmSync(store.blobPath(inspected.configDigest));
  assert.match(listImages(store)[0]?.problem ?? "", /image config sha256:.* is missing/);
});

test("a flipped bit, a cut and a missing blob are all found, and name the blob", async (t) => {
  const store = newStore(t);
  await rawImage(store, "app:1", [tarNamed("a")]);
  for (const hex of blobs(store)) {
    const path = join(store.path, "blobs/sha256", hex);
    const good = readFileSync(path);
    const bad = Buffer.from(good);
    bad[bad.length >> 1] = (bad[bad.length >> 1] ?? 0) ^ 4;
    for (const change of [
      () => writeFileSync(path, bad),
      () => writeFileSync(path, good.subarray(1)),
      () => rmSync(path),
    ]) {
      change();
      const findings = await verifyImage(store, "app:1", { readData: true });
      assert.ok(
        findings.some((finding) => finding.severity === "error" && finding.message.includes(hex)),
        `${hex} ${change}`,
      );
    }
    writeFileSync(path, good);
  }
  assert.deepEqual(await verifyImage(store, "app:1"), []);
});

test("a blob that is not what was expected is refused and not kept", async (t) => {
  const store = newStore(t);
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from("abc");
    yield Buffer.from("def");
  };
  await withSession(store, async (session) => {
    const digest = digestOf("abcdef");
    for (const expected of [
      { digest: digestOf("x"), size: 6 },
      { digest, size: 7 },
      { digest, size: 4 },
    ]) {
      await assert.rejects(session.putStream(mediaType.layer, source(), expected), code("E_IMAGE_CORRUPT"));
    }
    assert.deepEqual(blobs(store), []);
    assert.equal((await session.putStream(mediaType.layer, source(), { digest, size: 6 })).digest, digest);
  });
  assert.equal(blobs(store).length, 1);
  assert.deepEqual(readdirSync(store.root.work), []);
});

test("a store of another make (bare manifests, a damaged index) is read or refused", async (t) => {
  const store = newStore(t);
  assert.deepEqual(store.names(), []);
  assert.ok(!existsSync(join(store.path, "index.json")));
  await rawImage(store, "app:1", [tarNamed("a")]);
  await store.untag("app:1");
  assert.deepEqual(store.names(), []);
  const index = join(store.path, "index.json");
  writeFileSync(index, '{"schemaVersion":2,"manifests":[{}]}');
  assert.deepEqual(store.names(), [], "the copy counts");
  rmSync(`${index}.copy`);
  assert.throws(() => store.names(), code("E_IMAGE_CORRUPT"));
});

test("what is written anew heals a damaged blob, and leaves a whole one as it is", async (t) => {
  const store = newStore(t);
  const contents = [Buffer.from("{}"), Buffer.alloc(0), randomBytes(3 << 20), randomBytes((2 << 20) + 7)];
  const ways: Record<string, (session: StoreSession, content: Buffer) => Promise<Descriptor>> = {
    put: (session, content) => session.put(mediaType.config, content),
    commit: (session, content) => session.putStream(mediaType.layerZstd, Readable.from([content])),
  };
  for (const [way, write] of Object.entries(ways)) {
    for (const content of contents) {
      const { digest } = await withSession(store, (session) => write(session, content));
      const path = store.blobPath(digest);
      const { ino } = statSync(path);
      await withSession(store, (session) => write(session, content));
      assert.equal(statSync(path).ino, ino, `${way}: written though it was whole`);
      for (const at of [0, content.length >> 1, content.length - 1]) {
        if (content.length === 0) continue;
        const damaged = Buffer.from(content);
        damaged[at] = (damaged[at] ?? 0) ^ 1;
        writeFileSync(path, damaged);
        await withSession(store, (session) => write(session, content));
        assert.deepEqual(readFileSync(path), content, `${way}: byte ${at} of ${content.length}`);
      }
    }
  }
});
