// Layers written and read again: the same bytes whoever writes them, every attribute after unpacking, and GNU tar and
// Python's tarfile agree on the archive.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import type { LayerItem } from "../../src/image/layer-item.ts";
import { recompress } from "../../src/image/recompress.ts";
import { ensureLayer } from "../../src/image/unpack.ts";
import {
  fingerprint,
  imageOf,
  itemsOf,
  layerOf,
  makeAttributeTree,
  needsRoot,
  newStore,
  scratch,
} from "../support/images.ts";
import { blankEntry } from "../support/tar.ts";

test(
  "the same tree gives the same digests: by stream or from the host, whatever the concurrency",
  needsRoot,
  async (t) => {
    const tree = join(scratch(t), "tree");
    makeAttributeTree(tree);
    const digests = new Set<string>();
    for (const way of ["stream", "host"] as const) {
      for (const concurrency of [1, 2, 5]) {
        const built = await layerOf(newStore(t), itemsOf(t, tree, way), { concurrency });
        digests.add(`${built.diffId} ${built.descriptor.digest} ${built.entries}`);
      }
    }
    assert.equal(digests.size, 1);
    appendFileSync(join(tree, "old"), "y");
    const other = await layerOf(newStore(t), itemsOf(t, tree, "host"));
    assert.ok(
      ![...digests].some((known) => known.startsWith(other.diffId)),
      "another content has another digest",
    );
  },
);

test("a layer can be stopped in the middle of a large file", needsRoot, async (t) => {
  const tree = join(scratch(t), "tree");
  mkdirSync(tree);
  writeFileSync(join(tree, "large"), Buffer.alloc(64 << 20, "x"));
  for (const way of ["stream", "host"] as const) {
    let asked = 0;
    const check = (): void => {
      if (++asked === 3) throw new Error("enough");
    };
    const store = newStore(t);
    await assert.rejects(layerOf(store, itemsOf(t, tree, way), { check }), /enough/);
    assert.equal(asked, 3, way);
  }
});

test("two builds of one image have the same index, image and config", needsRoot, async (t) => {
  const tree = join(scratch(t), "tree");
  makeAttributeTree(tree);
  const one = await imageOf(t, newStore(t), "a:1", [tree], {
    evidence: '{"time":1}',
    captured: "2026-01-01T00:00:00Z",
  });
  const two = await imageOf(t, newStore(t), "a:1", [tree], {
    evidence: '{"time":2}',
    captured: "2026-01-02T00:00:00Z",
  });
  assert.deepEqual(one, two);
});

test("an unpacked layer has every attribute of the tree, holes too", needsRoot, async (t) => {
  const tree = join(scratch(t), "tree");
  makeAttributeTree(tree);
  const store = newStore(t);
  await imageOf(t, store, "a:1", [tree]);
  const layer = store.image("a:1").layers[0] ?? assert.fail("no layer");
  const path = await ensureLayer(store.root, store, layer.diffId);
  assert.equal(fingerprint(path), fingerprint(tree));
  assert.equal(statSync(join(path, "sparse")).blocks, statSync(join(tree, "sparse")).blocks);
  assert.equal(statSync(join(path, "allhole")).blocks, 0);
  assert.equal(await ensureLayer(store.root, store, layer.diffId), path, "a second time it is there");
});

test(
  "several processes' worth of ensureLayer at once make one layer and leave no work behind",
  needsRoot,
  async (t) => {
    const tree = join(scratch(t), "tree");
    makeAttributeTree(tree);
    const store = newStore(t);
    await imageOf(t, store, "a:1", [tree]);
    const { diffId } = store.image("a:1").layers[0] ?? assert.fail("no layer");
    // With limits of its own each unpacks for itself, as processes do.
    const limits = { maxEntries: 100_000 };
    const paths = await Promise.all([1, 2, 3].map(() => ensureLayer(store.root, store, diffId, limits)));
    assert.equal(new Set(paths).size, 1);
    assert.equal(fingerprint(paths[0] ?? ""), fingerprint(tree));
    assert.deepEqual(readdirSync(store.root.work), []);
  },
);

test("one process unpacks a layer once, however many wait for it", needsRoot, async (t) => {
  const tree = join(scratch(t), "tree");
  makeAttributeTree(tree);
  const store = newStore(t);
  await imageOf(t, store, "a:1", [tree]);
  const { diffId } = store.image("a:1").layers[0] ?? assert.fail("no layer");
  const asked = Array.from({ length: 8 }, () => ensureLayer(store.root, store, diffId));
  let most = 0;
  const looking = setInterval(() => {
    most = Math.max(most, readdirSync(store.root.work).length);
  }, 1);
  most = readdirSync(store.root.work).length;
  const paths = await Promise.all(asked).finally(() => clearInterval(looking));
  assert.equal(most, 1);
  assert.equal(new Set(paths).size, 1);
  // Nobody waits any more: what has gone meanwhile is made again.
  assert.equal(fingerprint(await ensureLayer(store.root, store, diffId)), fingerprint(tree));
});

test("GNU tar and Python's tarfile unpack and read the same", needsRoot, async (t) => {
  const top = scratch(t);
  const tree = join(top, "tree");
  makeAttributeTree(tree);
  const store = newStore(t);
  await imageOf(t, store, "a:1", [tree]);
  const layer = store.image("a:1").layers[0] ?? assert.fail("no layer");
  const tar = join(top, "layer.tar");
  await recompress(store, layer, tar, "none");
  const out = join(top, "gnu");
  mkdirSync(out);
  execFileSync("tar", ["--xattrs", "--xattrs-include=*", "-xpf", tar, "-C", out], { stdio: "pipe" });
  assert.equal(fingerprint(out), fingerprint(tree));
  const script = `
import tarfile, sys, os, hashlib
for m in tarfile.open(sys.argv[1]):
    p = os.path.join(os.fsencode(sys.argv[2]), os.fsencode(m.name)); s = os.lstat(p)
    assert (m.uid, m.gid) == (s.st_uid, s.st_gid) and m.mode == s.st_mode & 0o7777, m.name
    assert abs(m.mtime - s.st_mtime) < 1e-5, m.name
    if m.isreg(): assert hashlib.sha256(tarfile.open(sys.argv[1]).extractfile(m.name).read()).digest() == hashlib.sha256(open(p, "rb").read()).digest(), m.name
print("agreed")`;
  assert.equal(execFileSync("python3", ["-c", script, tar, tree], { encoding: "utf8" }).trim(), "agreed");
});

test("what cannot be packed is left out and named", needsRoot, async (t) => {
  const tree = join(scratch(t), "tree");
  mkdirSync(join(tree, "d"), { recursive: true });
  writeFileSync(join(tree, "d/.wh.x"), "");
  writeFileSync(join(tree, "kept"), "k");
  execFileSync("mknod", [join(tree, "null"), "c", "1", "3"]);
  execFileSync("mknod", [join(tree, "zero"), "c", "1", "5"]);
  execFileSync("setfattr", ["-n", "trusted.overlay.opaque", "-v", "y", join(tree, "d")]);
  const server = createServer().listen(join(tree, "socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => server.close());
  const built = await layerOf(newStore(t), itemsOf(t, tree), { devices: new Set(["c 1:5"]) });
  assert.equal(built.entries, 4, "the root, d, kept, zero");
  assert.deepEqual(
    built.notes.map(({ path, reason }) => `${path}: ${reason.split(" ").slice(-4).join(" ")}`),
    [
      "/d: the extended attributes trusted.overlay.opaque",
      "/d/.wh.x: deletion in a layer",
      "/null: 1:3 is not declared",
      "/socket: it when it starts",
    ],
  );
});

test("a file that is not what its entry says ends the layer, and leaves no blob", needsRoot, async (t) => {
  const tree = scratch(t);
  const file = join(tree, "f");
  writeFileSync(file, "a".repeat(5000));
  const listed: LayerItem[] = [];
  for await (const item of itemsOf(t, tree, "host")) listed.push(item);
  const store = newStore(t);
  const changed = (error: unknown): boolean => isTranshipError(error, "E_SOURCE_CHANGED");
  const build = (): Promise<unknown> =>
    layerOf(store, (async function* () { yield* listed; })()); // biome-ignore format: short
  appendFileSync(file, "b");
  await assert.rejects(build(), changed, "longer");
  writeFileSync(join(tree, "g"), "a".repeat(5000));
  renameSync(join(tree, "g"), file);
  await assert.rejects(build(), changed, "another inode");
  renameSync(file, join(tree, "h"));
  symlinkSync("h", file);
  await assert.rejects(build(), changed, "a link in its place");
  execFileSync("rm", [file]);
  execFileSync("mkfifo", [file]);
  await assert.rejects(build(), changed, "a fifo in its place");
  assert.deepEqual(readdirSync(join(store.path, "blobs/sha256")), []);
  assert.deepEqual(readdirSync(store.root.work), []);
});

test("a stream that gives too much or goes backwards is refused, one that gives too little is zeros", async (t) => {
  const entry = { ...blankEntry, path: "/f", size: 10 };
  const store = newStore(t);
  const build = (pieces: [number, string][]): Promise<unknown> => {
    const data = (async function* () {
      for (const [offset, text] of pieces) yield { offset, bytes: Buffer.from(text) };
    })();
    return layerOf(store, (async function* () { yield { entry, data }; })()); // biome-ignore format: short
  };
  for (const pieces of [
    [[0, "12345678901"]],
    [
      [5, "12"],
      [0, "1"],
    ],
    [[11, "1"]],
  ] as [number, string][][]) {
    await assert.rejects(
      build(pieces),
      (error) => isTranshipError(error, "E_SOURCE_CHANGED"),
      JSON.stringify(pieces),
    );
  }
  await build([
    [2, "ab"],
    [7, "c"],
  ]);
  assert.ok(existsSync(store.path));
});
