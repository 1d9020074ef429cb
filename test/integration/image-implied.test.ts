// Layers that have something in directories without an entry for them: what those look like is said by the layers below.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { silentProgress } from "../../src/base/log.ts";
import { walkUnpacked } from "../../src/cli/store/walk-unpacked.ts";
import type { Entry } from "../../src/formats/entry.ts";
import type { PaxRecord } from "../../src/formats/pax.ts";
import { exportImage } from "../../src/image/export.ts";
import { ensureInherited } from "../../src/image/inherited-directories.ts";
import { repairStore } from "../../src/image/repair/repair.ts";
import type { ImageStore } from "../../src/image/store.ts";
import { removeUnreferenced } from "../../src/image/store-gc.ts";
import { ensureLayer, unpackedLayer } from "../../src/image/unpack.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { openOci } from "../../src/machine/oci.ts";
import { layerDirectories } from "../../src/runtime/image.ts";
import { needsRoot, newStore, rawImage, scratch, silentLog } from "../support/images.ts";
import { tarMember, tarOf } from "../support/tar.ts";

const time = 1_000_000_000;
const directory = (name: string, mode: number, id: number, pax: readonly PaxRecord[] = []): Buffer =>
  tarMember({ name, type: "5", mode, uid: id, gid: id + 1, mtime: time + id }, "", pax);
const file = (name: string): Buffer => tarMember({ name, mtime: time }, name);

const layers = [
  tarOf(
    directory("./", 0o711, 4),
    directory("data", 0o700, 999, [["SCHILY.xattr.user.kept", "yes"]]),
    file("data/a"),
    directory("data/sub", 0o1770, 998),
    directory("marked", 0o2770, 997),
    file("marked/x"),
    directory("emptied", 0o701, 996),
    directory("emptied/old", 0o700, 995),
    directory("gone", 0o700, 994),
    directory("file", 0o700, 993),
    directory("said", 0o700, 992),
  ),
  tarOf(
    file("data/sub/new"),
    file("marked/.wh.x"),
    file("emptied/.wh..wh..opq"),
    file(".wh.gone"),
    file("said/b"),
  ),
  tarOf(
    file("data/later"),
    file("gone/c"),
    directory("said", 0o711, 991),
    file("file"),
    file("emptied/old/d"),
  ),
  tarOf(file("own/e"), file("file/f"), file("said/e")),
];

/** path -> mode, owner, time and attributes, as the layers give them one after the other. */
const wanted: Record<string, string> = {
  "/": `711 4:5 ${time + 4}`,
  "/data": `700 999:1000 ${time + 999} user.kept=yes`,
  "/data/sub": `1770 998:999 ${time + 998}`,
  "/marked": `2770 997:998 ${time + 997}`,
  "/emptied": `701 996:997 ${time + 996}`,
  "/said": `711 991:992 ${time + 991}`,
  // Nothing below them says what they are.
  "/emptied/old": "755 0:0",
  "/gone": "755 0:0",
  "/file": "755 0:0",
  "/own": "755 0:0",
};

function lineOf(entry: Entry | undefined, path: string): string {
  if (entry?.kind !== "directory") return `${path} is ${entry?.kind ?? "nothing"}`;
  const xattrs = entry.xattrs.map(([name, value]) => ` ${name}=${Buffer.from(value).toString()}`);
  const seconds = ` ${entry.mtime / 1_000_000_000n}`;
  const owner = `${entry.mode.toString(8)} ${entry.uid}:${entry.gid}`;
  return `${owner}${wanted[path]?.includes(String(time).slice(0, 3)) ? seconds : ""}${xattrs.join("")}`;
}

async function shown(address: string, reference: string, store: ImageStore): Promise<Record<string, string>> {
  const machine = await openOci(address, reference, store.root);
  try {
    const lines: Record<string, string> = {};
    for (const path of Object.keys(wanted)) lines[path] = lineOf(await machine.files.stat(path), path);
    return lines;
  } finally {
    await machine.close();
  }
}

test("a directory without an entry looks as in the layers below", needsRoot, async (t) => {
  const store = newStore(t);
  const stored = await rawImage(store, "app:1", layers);
  const diffIds = stored.map(({ diffId }) => diffId);
  assert.deepEqual(await shown("oci:app:1", "app:1", store), wanted);
  const directories = await layerDirectories(store.root, diffIds);
  assert.equal(directories.length, layers.length + 1);
  assert.equal(directories[0], await ensureInherited(store.root, store, diffIds));
  assert.deepEqual(readdirSync(directories[0] ?? "").sort(), ["data", "emptied", "marked", "said"]);
  assert.deepEqual(readdirSync(store.root.work), []);
  // As another tool's layout, which is unpacked aside.
  const top = scratch(t);
  await exportImage(store, "app:1", join(top, "layout"), { type: "oci-dir" });
  const layout = join(top, "layout");
  assert.deepEqual(await shown(`oci:${layout}`, layout, store), wanted);
});

test("umoci, which applies one layer to the other, has the same", {
  skip: needsRoot.skip || (spawnSync("umoci", ["--version"]).status === 0 ? false : "not installed: umoci"),
}, async (t) => {
  const store = newStore(t);
  await rawImage(store, "app:1", layers.slice(0, 2));
  const top = scratch(t);
  await exportImage(store, "app:1", join(top, "layout"), { type: "oci-dir" });
  execFileSync("umoci", ["unpack", "--image", `${top}/layout:app:1`, join(top, "bundle")], { stdio: "pipe" });
  const ours = await shown("oci:app:1", "app:1", store);
  for (const path of ["/", "/data", "/data/sub", "/marked", "/emptied"]) {
    const { mode, uid, gid } = statSync(join(top, "bundle/rootfs", path));
    assert.ok(
      ours[path]?.startsWith(`${(mode & 0o7777).toString(8)} ${uid}:${gid}`),
      `${path}: ${ours[path]}`,
    );
  }
});

test("what directories inherit goes with the first of its layers", needsRoot, async (t) => {
  const store = newStore(t);
  const stored = await rawImage(store, "app:1", layers);
  await rawImage(store, "other:1", layers.slice(0, 1));
  const diffIds = stored.map(({ diffId }) => diffId);
  const inherited = (await layerDirectories(store.root, diffIds))[0] ?? assert.fail();
  await removeUnreferenced(store, { log: silentLog });
  assert.ok(existsSync(inherited), "as long as the image is there");
  await store.updateIndex("remove app:1", (all) =>
    all.filter(
      ({ annotations }) => annotations?.["org.opencontainers.image.ref.name"]?.startsWith("other") === true,
    ),
  );
  await removeUnreferenced(store, { log: silentLog, keepLayers: new Set(diffIds) });
  assert.ok(existsSync(inherited), "as long as an instance has it");
  await removeUnreferenced(store, { log: silentLog });
  assert.ok(!existsSync(inherited));
  assert.ok(unpackedLayer(store.root, diffIds[0] ?? ""), "the layer that another image has");
});

test("layers with entries for all their directories need nothing more", needsRoot, async (t) => {
  const store = newStore(t);
  const whole = [layers[0] ?? Buffer.alloc(0), tarOf(directory("data", 0o711, 5), file("data/b"))];
  const stored = await rawImage(store, "app:1", whole);
  const directories = await layerDirectories(
    store.root,
    stored.map(({ diffId }) => diffId),
  );
  assert.equal(directories.length, 2);
});

test("the root of a layer is for everybody, whatever the umask", needsRoot, async (t) => {
  const store = newStore(t);
  const [layer] = await rawImage(store, "app:1", [tarOf(file("a"))]);
  const before = process.umask(0o077);
  t.after(() => process.umask(before));
  const path = await ensureLayer(store.root, store, layer?.diffId ?? "");
  assert.equal(statSync(path).mode & 0o7777, 0o755);
});

test("what was changed in it is found, and made anew", needsRoot, async (t) => {
  const store = newStore(t);
  const diffIds = (await rawImage(store, "app:1", layers)).map(({ diffId }) => diffId);
  const [top = ""] = await layerDirectories(store.root, diffIds);
  const noted = join(store.root.layers, (diffIds[1] ?? "").slice(7), "implied.json");
  const note = readFileSync(noted, "utf8");
  const unpacked = async (): Promise<string[]> =>
    (await verifyImage(store, "app:1", { walkUnpacked }))
      .filter(({ id }) => id === "unpacked")
      .map(({ message }) => message);
  assert.deepEqual(await unpacked(), []);
  chmodSync(join(top, "data"), 0o777);
  chownSync(join(top, "marked"), 0, 0);
  writeFileSync(join(top, "emptied/new"), "");
  rmSync(join(top, "said"), { recursive: true });
  writeFileSync(noted, "[]\n");
  const found = (await unpacked()).join("\n");
  assert.match(found, /of the unpacked layer .*: the note of its directories/);
  assert.match(found, /inherit from lower layers: \/data has other attributes/);
  assert.match(found, /inherit from lower layers: \/emptied\/new was added/);
  assert.match(found, /inherit from lower layers: \/said is gone/);
  const options = { walkUnpacked, log: silentLog, progress: silentProgress };
  const running = await repairStore(store, { ...options, usersOf: () => "app uses it" });
  assert.deepEqual([...new Set(running.trees.map(({ left }) => left))], ["app uses it"]);
  const { trees } = await repairStore(store, options);
  assert.equal(trees.length, 2);
  assert.match(trees.flatMap(({ changes }) => changes).join("\n"), /above it, \/marked has other attributes/);
  assert.deepEqual(await unpacked(), []);
  assert.equal(readFileSync(noted, "utf8"), note);
  assert.deepEqual(await shown("oci:app:1", "app:1", store), wanted);
  assert.deepEqual(readdirSync(store.root.work), []);
});

test("what is left out implies no directories", needsRoot, async (t) => {
  const store = newStore(t);
  const device = tarMember({ name: "dev/bus/001", type: "3", devMajor: 189, devMinor: 0, mtime: time });
  const link = tarMember({ name: "dev/more/001", type: "1", linkName: "dev/bus/001" });
  const upper = tarOf(device, link, file("a/b"));
  const diffIds = (await rawImage(store, "app:1", [tarOf(directory("dev", 0o700, 5)), upper])).map(
    ({ diffId }) => diffId,
  );
  const upperDirectory = await ensureLayer(store.root, store, diffIds[1] ?? assert.fail());
  const noted = join(dirname(upperDirectory), "implied.json");
  assert.equal(readFileSync(noted, "utf8"), '["/a"]\n');
  const unpacked = (await verifyImage(store, "app:1", { walkUnpacked })).filter(
    ({ id }) => id === "unpacked",
  );
  assert.deepEqual(unpacked, []);
  rmSync(noted);
  await layerDirectories(store.root, diffIds);
  assert.equal(readFileSync(noted, "utf8"), '["/a"]\n');
});

test("a note that is damaged is found, and made anew", needsRoot, async (t) => {
  const store = newStore(t);
  const diffIds = (await rawImage(store, "app:1", layers)).map(({ diffId }) => diffId);
  const noted = join(
    dirname(await ensureLayer(store.root, store, diffIds[1] ?? assert.fail())),
    "implied.json",
  );
  const note = readFileSync(noted, "utf8");
  for (const damaged of ["", '["/data', '{"a":1}\n', "[1, 2]\n", "null\n"]) {
    writeFileSync(noted, damaged);
    const found = await verifyImage(store, "app:1", { walkUnpacked });
    assert.match(found.map(({ message }) => message).join("\n"), /the note of its directories/, damaged);
    await repairStore(store, { walkUnpacked, log: silentLog, progress: silentProgress });
    assert.equal(readFileSync(noted, "utf8"), note, damaged);
    // As a start does.
    writeFileSync(noted, damaged);
    assert.deepEqual(await shown("oci:app:1", "app:1", store), wanted, damaged);
  }
});

test("layers that were unpacked before directories were noted are looked at again", needsRoot, async (t) => {
  const store = newStore(t);
  const diffIds = (await rawImage(store, "app:1", layers)).map(({ diffId }) => diffId);
  const notes: string[] = [];
  for (const diffId of diffIds)
    notes.push(join(dirname(await ensureLayer(store.root, store, diffId)), "implied.json"));
  const texts = notes.map((note) => readFileSync(note, "utf8"));
  const forget = (): void => {
    for (const note of notes) rmSync(note);
  };
  forget();
  assert.deepEqual(await shown("oci:app:1", "app:1", store), wanted);
  assert.deepEqual(
    notes.map((note) => readFileSync(note, "utf8")),
    texts,
  );
  // An instance whose image is gone meanwhile starts with what is there.
  forget();
  const [top = ""] = await layerDirectories(store.root, diffIds);
  rmSync(dirname(top), { recursive: true });
  await store.updateIndex("remove app:1", () => []);
  assert.equal((await layerDirectories(store.root, diffIds)).length, layers.length);
});

test("marks below what is inherited hide what they hid", needsRoot, async (t) => {
  const store = newStore(t);
  await rawImage(store, "app:1", [
    tarOf(directory("a", 0o700, 5), file("a/x"), file("a/y"), directory("a/b", 0o700, 6), file("a/b/z")),
    tarOf(file("a/.wh.x"), file("a/b/.wh..wh..opq"), file("a/b/own")),
    tarOf(file("a/b/later"), file("a/.wh.own")),
  ]);
  const machine = await openOci("oci:app:1", "app:1", store.root);
  try {
    const names = async (path: string): Promise<string[]> =>
      (await machine.files.list(path))?.map((entry) => entry.path).sort() ?? assert.fail(path);
    assert.deepEqual(await names("/a"), ["/a/b", "/a/y"]);
    assert.deepEqual(await names("/a/b"), ["/a/b/later", "/a/b/own"]);
  } finally {
    await machine.close();
  }
});
