// Care of the store: damage is found wherever it is, repaired from what else holds the content, and never made by a full disk or a kill.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext, test } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import { silentProgress } from "../../src/base/log.ts";
import { walkUnpacked } from "../../src/cli/store/walk-unpacked.ts";
import type { Descriptor } from "../../src/formats/oci.ts";
import { repairWork } from "../../src/host/work.ts";
import { imageDifference } from "../../src/image/difference.ts";
import { layerForest } from "../../src/image/layer-forest.ts";
import { repairStore } from "../../src/image/repair/repair.ts";
import type { ImageStore } from "../../src/image/store.ts";
import { removeUnreferenced } from "../../src/image/store-gc.ts";
import { ensureLayer } from "../../src/image/unpack.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { imageOf, makeAttributeTree, needsRoot, newStore, scratch, silentLog } from "../support/images.ts";

const soak = process.env.TRANSHIP_SOAK === "1";
const main = join(import.meta.dirname, "../../src/cli/main.ts");

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

function cli(store: ImageStore, args: readonly string[], env: Record<string, string> = {}): Ended {
  const { NODE_EXTRA_CA_CERTS: _, ...own } = process.env;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    env: { ...own, TRANSHIP_ROOT: store.root.path, ...env },
    encoding: "utf8",
  });
  return { status: signal === "SIGKILL" ? 137 : status, stdout, stderr };
}

function tree(t: TestContext, content: string): string {
  const directory = join(scratch(t), "tree");
  mkdirSync(join(directory, "below"), { recursive: true });
  writeFileSync(join(directory, "content"), content.repeat(1000));
  writeFileSync(join(directory, "below/random"), randomBytes(20_000));
  return directory;
}

/** As tree(), with one of every attribute. */
function oddTree(t: TestContext): string {
  const directory = join(scratch(t), "tree");
  makeAttributeTree(directory);
  return directory;
}

/** Every blob that belongs to an image. */
function blobsOf(store: ImageStore, name: string): Descriptor[] {
  const image = store.image(name);
  const artifacts = [
    ...store.referrers(image.manifestDescriptor.digest),
    image.descriptorManifest as Descriptor,
  ];
  return [
    image.target,
    image.manifestDescriptor,
    image.manifest.config,
    ...image.manifest.layers,
    ...artifacts.flatMap((one) => [one, ...store.readManifest(one).layers]),
  ];
}

const errorsOf = async (store: ImageStore, name: string): Promise<string[]> =>
  (await verifyImage(store, name, { readData: true })).flatMap((one) =>
    one.severity === "error" ? [one.message] : [],
  );

test("one flipped bit anywhere in an image is found by verify, and never served", needsRoot, async (t) => {
  const store = newStore(t);
  await imageOf(t, store, "app:1", [tree(t, "one"), tree(t, "two")], { evidence: "{}" });
  assert.deepEqual(await errorsOf(store, "app:1"), []);
  const blobs = blobsOf(store, "app:1");
  const bytes = blobs.reduce((sum, one) => sum + one.size, 0);
  const flips = soak ? 500 : 24;
  for (let flip = 0; flip < flips; flip++) {
    // Spread evenly over the blobs in turn, and over each of them.
    const blob = blobs[flip % blobs.length] as Descriptor;
    const path = store.blobPath(blob.digest);
    const before = readFileSync(path);
    const damaged = Buffer.from(before);
    const at = Math.floor((flip * 7919) % before.length);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (flip % 8));
    writeFileSync(path, damaged);
    const found = await errorsOf(store, "app:1").catch((error: unknown) => {
      if (!isTranshipError(error)) throw error;
      return [error.message];
    });
    assert.ok(found.length > 0, `${blob.mediaType}: bit ${flip % 8} of byte ${at}`);
    const layer = store.root.layers;
    if (blob.mediaType.includes("layer")) {
      const { diffIds } = { diffIds: store.image("app:1").layers.map((one) => one.diffId) };
      const served = await Promise.allSettled(diffIds.map((id) => ensureLayer(store.root, store, id)));
      assert.ok(
        served.some((one) => one.status === "rejected"),
        "a damaged layer was unpacked",
      );
      rmSync(layer, { recursive: true });
      mkdirSync(layer);
    }
    writeFileSync(path, before);
  }
  assert.deepEqual(await errorsOf(store, "app:1"), []);
  t.diagnostic(`${flips} flips over ${blobs.length} blobs of ${bytes} bytes`);
});

describe("repair", { ...needsRoot, concurrency: false }, () => {
  /** What damages a blob, by how it is found. */
  const damages: Record<string, (path: string) => void> = {
    missing: (path) => rmSync(path),
    cut: (path) => writeFileSync(path, readFileSync(path).subarray(1)),
    flipped: (path) => {
      const bytes = readFileSync(path);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4;
      writeFileSync(path, bytes);
    },
  };

  it("takes every kind of blob from another root or layout, whatever its damage", async (t) => {
    const store = newStore(t);
    await imageOf(t, store, "app:1", [tree(t, "one")], { evidence: "{}" });
    const copy = join(scratch(t), "copy");
    cpSync(store.path, copy, { recursive: true });
    for (const [name, damage] of Object.entries(damages)) {
      const blobs = blobsOf(store, "app:1");
      for (const blob of blobs) damage(store.blobPath(blob.digest));
      const told = cli(store, ["repair", "--from", copy, "--format", "json"]);
      assert.equal(told.status, 0, `${name}: ${told.stdout} ${told.stderr}`);
      assert.equal(JSON.parse(told.stdout).left, 0);
      assert.deepEqual(await errorsOf(store, "app:1"), [], name);
    }
    assert.equal(cli(store, ["repair"]).stdout, "nothing is damaged\n");
  });

  it("packs a layer again from what was unpacked of it, and from another form of it", async (t) => {
    const store = newStore(t);
    await imageOf(t, store, "app:1", [oddTree(t)]);
    const [layer] = store.image("app:1").layers;
    assert.ok(layer !== undefined);
    await ensureLayer(store.root, store, layer.diffId);
    const path = store.blobPath(layer.descriptor.digest);
    rmSync(path);
    const dry = cli(store, ["repair", "--dry-run"]);
    assert.ok(!existsSync(path), "a dry run changes nothing");
    assert.equal(dry.status, 0, dry.stdout);
    const told = cli(store, ["repair"]);
    assert.equal(told.status, 0, told.stdout + told.stderr);
    assert.match(told.stdout, /made whole from .*layers/);
    assert.deepEqual(await errorsOf(store, "app:1"), []);

    // gzip of the same content, from which the zstd form is made again.
    const other = newStore(t);
    const exported = join(scratch(t), "gzip");
    const written = cli(store, ["package", "export", "--type", "oci-dir", "-o", exported, "app:1"]);
    assert.equal(written.status, 0, written.stderr);
    await imageOf(t, other, "app:1", [tree(t, "other")]);
    rmSync(store.root.layers, { recursive: true });
    mkdirSync(store.root.layers);
    damages.flipped?.(path);
    const again = cli(store, ["repair", "--from", other.root.path, "--from", exported]);
    assert.equal(again.status, 0, again.stdout + again.stderr);
    assert.match(again.stdout, /made whole from sha256:[0-9a-f]+ of .*gzip/);
    assert.deepEqual(await errorsOf(store, "app:1"), []);
  });

  it("says what is left, and makes nothing worse", async (t) => {
    const store = newStore(t);
    await imageOf(t, store, "app:1", [tree(t, "one")]);
    const [layer] = store.image("app:1").layers;
    const path = store.blobPath(layer?.descriptor.digest ?? "");
    damages.flipped?.(path);
    const before = readFileSync(path);
    const told = cli(store, ["repair"]);
    assert.equal(told.status, 4);
    assert.match(told.stdout, /1 damaged, 0 repaired, 1 left/);
    assert.deepEqual(readFileSync(path), before);
    assert.equal(cli(store, ["repair", "--from", scratch(t)]).status, 2);
  });
});

test(
  "a change below an unpacked layer is found, and unpacked anew where nothing uses it",
  needsRoot,
  async (t) => {
    const unpacked = async (store: ImageStore, directory: string): Promise<string> => {
      await imageOf(t, store, "app:1", [directory]);
      return await ensureLayer(store.root, store, store.image("app:1").layers[0]?.diffId ?? "");
    };
    const changesOf = async (store: ImageStore): Promise<string[]> =>
      (await verifyImage(store, "app:1", { readData: true, walkUnpacked })).map((one) => one.message);
    const odd = newStore(t);
    await unpacked(odd, oddTree(t));
    assert.deepEqual(await changesOf(odd), []);
    const store = newStore(t);
    const directory = await unpacked(store, tree(t, "one"));
    const changed = () => changesOf(store);
    assert.deepEqual(await changed(), []);
    const file = join(directory, "added");
    const changes: [name: string, change: () => void, words: RegExp][] = [
      ["added", () => writeFileSync(file, "x"), /\/added was added/],
      ["removed", () => rmSync(join(directory, "content")), /\/content is gone/],
      [
        "content",
        () =>
          execFileSync("sh", [
            "-c",
            'touch -r "$0" "$0.t"; printf X | dd of="$0" conv=notrunc status=none; touch -r "$0.t" "$0"; rm "$0.t"',
            join(directory, "content"),
          ]),
        /\/content has other content/,
      ],
      [
        "mode",
        () => execFileSync("chmod", ["0602", join(directory, "content")]),
        /\/content has other attributes/,
      ],
      [
        "attribute",
        () => execFileSync("setfattr", ["-n", "user.more", "-v", "1", join(directory, "content")]),
        /\/content has other attributes/,
      ],
      [
        "kind",
        () => {
          rmSync(join(directory, "content"));
          mkdirSync(join(directory, "content"));
        },
        /\/content is a directory instead of a file/,
      ],
      [
        "hidden",
        () => execFileSync("mknod", [file, "c", "0", "0"]),
        /\/added hides what lower layers have there/,
      ],
      [
        "time",
        () => execFileSync("touch", ["-d", "@1", join(directory, "content")]),
        /\/content has another time/,
      ],
    ];
    for (const [name, change, words] of changes) {
      change();
      const found = await changed();
      assert.equal(found.length, 1, `${name}: ${found}`);
      assert.match(found[0] ?? "", words);
      const { trees } = await repairStore(store, { walkUnpacked, log: silentLog, progress: silentProgress });
      assert.deepEqual(
        trees.map((one) => [one.changes.length, one.left]),
        [[1, undefined]],
      );
      assert.deepEqual(await changed(), [], name);
    }
    writeFileSync(file, "x");
    assert.equal(cli(store, ["verify", "--read-data", "app:1"]).status, 4);
    assert.match(
      cli(store, ["repair"]).stdout,
      /unpacked layer sha256:\w+ was changed \(\/added was added\): unpacked anew/,
    );
    // Several at once, and one whose layer somebody has mounted.
    writeFileSync(file, "x");
    rmSync(join(directory, "content"));
    const { trees } = await repairStore(store, {
      walkUnpacked,
      usersOf: () => "web uses it",
      log: silentLog,
      progress: silentProgress,
    });
    assert.deepEqual(
      trees.map((one) => [one.changes.length, one.left]),
      [[2, "web uses it"]],
    );
    assert.ok(existsSync(file), "what is used stays");
  },
);

describe("killed at any step", { ...needsRoot, concurrency: false }, () => {
  /** Runs a command to count its steps, then kills it at each. */
  async function eachStep(
    t: TestContext,
    prepare: () => Promise<ImageStore>,
    words: (copy: string) => string[],
  ) {
    const copy = scratch(t);
    const list = join(scratch(t), "steps");
    cli(await prepare(), words(copy), { TRANSHIP_STEPS_FILE: list });
    const steps = readFileSync(list, "utf8").trim().split("\n").length;
    const store = await prepare();
    const saved = join(scratch(t), "saved");
    cpSync(store.root.path, saved, { recursive: true });
    const every = soak ? 1 : Math.max(1, Math.floor(steps / 4));
    for (let at = 1; at <= steps; at += every) {
      rmSync(store.root.path, { recursive: true });
      cpSync(saved, store.root.path, { recursive: true });
      const killed = cli(store, words(copy), { TRANSHIP_CRASH_AT: String(at) });
      assert.equal(killed.status, 137, `step ${at} of ${steps}: ${killed.stderr}`);
      repairWork(store.root, silentLog);
      assert.deepEqual(readdirSync(store.root.work), [], `step ${at}`);
      const ended = cli(store, words(copy));
      assert.ok([0, 4].includes(ended.status ?? -1), `after step ${at}: ${ended.stderr}`);
      for (const { name } of store.names())
        assert.deepEqual(await errorsOf(store, name), [], `step ${at}: ${name}`);
    }
    return { steps, store };
  }

  it("gc leaves every package whole, and the next one takes the rest", async (t) => {
    const prepare = async (): Promise<ImageStore> => {
      const store = newStore(t);
      await imageOf(t, store, "keep:1", [tree(t, "keep")], { evidence: '{"of":"keep"}' });
      for (const name of ["go:1", "go:2"]) {
        await imageOf(t, store, name, [tree(t, name)], { evidence: `{"of":"${name}"}` });
        await ensureLayer(store.root, store, store.image(name).layers[0]?.diffId ?? "");
        await store.untag(name);
      }
      return store;
    };
    const { steps, store } = await eachStep(t, prepare, () => ["gc"]);
    assert.ok(steps > 10, String(steps));
    assert.deepEqual(readdirSync(store.root.layers), []);
    const left = (await removeUnreferenced(store, { log: silentLog })).blobs;
    assert.deepEqual(left, []);
    assert.equal(readdirSync(join(store.path, "blobs/sha256")).length, blobsOf(store, "keep:1").length + 1);
  });

  it("repair leaves the damaged blob or the whole one", async (t) => {
    let whole = "";
    const prepare = async (): Promise<ImageStore> => {
      const store = newStore(t);
      await imageOf(t, store, "app:1", [tree(t, "one")], { evidence: "{}" });
      const [layer] = store.image("app:1").layers;
      writeFileSync(join(await ensureLayer(store.root, store, layer?.diffId ?? ""), "added"), "x");
      whole = join(scratch(t), "whole");
      cpSync(store.path, whole, { recursive: true });
      for (const blob of blobsOf(store, "app:1")) writeFileSync(store.blobPath(blob.digest), "damaged");
      return store;
    };
    const { steps } = await eachStep(t, prepare, () => ["repair", "--from", whole]);
    assert.ok(steps > 10, String(steps));
  });
});

test("gc says what it would do, and takes nothing that a name leads to", needsRoot, async (t) => {
  const store = newStore(t);
  await imageOf(t, store, "keep:1", [tree(t, "keep")], { evidence: "{}" });
  await imageOf(t, store, "go:1", [tree(t, "go")]);
  await ensureLayer(store.root, store, store.image("go:1").layers[0]?.diffId ?? "");
  await store.untag("go:1");
  const blobs = (): number => readdirSync(join(store.path, "blobs/sha256")).length;
  const before = blobs();
  const dry = JSON.parse(cli(store, ["gc", "--dry-run", "--format", "json"]).stdout);
  assert.equal(blobs(), before);
  assert.ok(dry.blobs.length >= 4 && dry.bytes > 0 && dry.layers.length === 1 && dry.layerBytes > 0);
  const { blobs: gone } = JSON.parse(cli(store, ["gc", "--format", "json"]).stdout);
  assert.deepEqual(gone.sort(), dry.blobs.sort());
  assert.equal(blobs(), before - gone.length);
  assert.deepEqual(await errorsOf(store, "keep:1"), []);
  assert.match(cli(store, ["gc"]).stdout, /removed 0 blobs, 0 B\nremoved 0 unpacked layers, 0 B/);
});

test("images are told apart file by file, with what changed", needsRoot, async (t) => {
  const store = newStore(t);
  const base = tree(t, "base");
  const [one, two] = [join(scratch(t), "one"), join(scratch(t), "two")];
  for (const directory of [one, two]) {
    mkdirSync(join(directory, "etc"), { recursive: true });
    for (const name of ["same", "mode", "text", "owner", "time", "link"])
      writeFileSync(join(directory, "etc", name), name);
    writeFileSync(join(directory, "etc", directory === one ? "old" : "new"), "x");
    execFileSync("touch", [
      "-d",
      "@1000000000",
      ...readdirSync(join(directory, "etc")).map((name) => join(directory, "etc", name)),
    ]);
  }
  execFileSync("sh", [
    "-c",
    "cd $0/etc; chmod 600 mode; printf other >text; chown 7 owner; touch -d @1 time; rm link; ln -s x link; touch -d @1000000000 text",
    two,
  ]);
  await imageOf(t, store, "a:1", [base, one]);
  await imageOf(t, store, "a:2", [base, two], { config: { Env: ["PATH=/bin", "MORE=1"] } });
  const found = await imageDifference(store, store.image("a:1"), store.image("a:2"));
  assert.equal(found.shared, 1);
  assert.deepEqual(found.config, ["Env"]);
  assert.deepEqual(
    found.files.map((file) => `${file.change} ${file.path} ${file.parts.join("+")}`.trim()),
    [
      "changed /etc/link kind",
      "changed /etc/mode mode",
      "added /etc/new",
      "removed /etc/old",
      "changed /etc/owner owner",
      "changed /etc/text size+content",
      "changed /etc/time time",
    ],
  );
  const told = cli(store, ["image", "diff", "a:1", "a:2"]);
  assert.equal(told.status, 4, told.stderr);
  assert.match(told.stdout, /^C \/etc\/text \(size 4 B -> 5 B, content\)$/m);
  assert.match(told.stdout, /^1 added, 1 removed, 5 changed; 1 layers shared of 2 and 2$/m);
  assert.equal(cli(store, ["image", "diff", "a:1", "a:1"]).status, 0);

  const forest = layerForest(store);
  assert.equal(forest.roots.length, 1);
  assert.equal(forest.roots[0]?.sharedBy, 2);
  assert.equal(forest.layers, 3);
  assert.equal(forest.unshared - forest.stored, forest.roots[0]?.size);
  assert.match(cli(store, ["images", "--tree"]).stdout, /in 2 packages\)\n├─ .*\n│ {2}└─ a:1\n└─ /);
  assert.match(cli(store, ["image", "history", "a:1"]).stdout, /^LAYER .*\n.* app /);
});

test("a full disk at any size loses nothing that was acknowledged", needsRoot, (t) => {
  const place = join(scratch(t), "full");
  mkdirSync(place);
  // From what does not even hold the state root to what holds all that is asked for.
  const all = [
    64, 96, 128, 160, 192, 256, 288, 320, 384, 448, 512, 576, 640, 704, 768, 896, 1024, 1280, 2048, 8192,
  ];
  const sizes = soak ? all : [128, 512, 896];
  const outcomes: string[] = [];
  for (const size of sizes) {
    const script = `mount -t tmpfs -o size=${size}k tmpfs "$1" && exec "$2" "$3" "$1"`;
    const program = join(import.meta.dirname, "../support/full-store.ts");
    const { status, stdout, stderr } = spawnSync(
      "unshare",
      ["-m", "sh", "-c", script, "sh", place, process.execPath, program],
      { encoding: "utf8" },
    );
    if (status !== 0) {
      // Too small to begin with: said so, by name.
      assert.match(stderr, /E_NO_SPACE|no space left/i, `${size}k: ${stderr}`);
      outcomes.push(`${size}k: no room for a state root`);
      continue;
    }
    const told = JSON.parse(stdout);
    assert.deepEqual(told.damaged, {}, `${size}k`);
    assert.deepEqual(told.lost, [], `${size}k`);
    assert.deepEqual(told.left, [], `${size}k`);
    assert.ok(told.room || !told.freed, `${size}k: room that was freed is there`);
    for (const code of told.codes) assert.match(code, /^\w+ E_NO_SPACE$/, `${size}k`);
    outcomes.push(
      `${size}k: ${told.acknowledged} packages, ${told.codes.length} refused, ${told.freed ? "freed" : "full to the last page"}`,
    );
  }
  assert.ok(
    outcomes.some((one) => /[1-9] refused/.test(one)),
    outcomes.join("; "),
  );
  assert.ok(statSync(place).isDirectory());
  t.diagnostic(outcomes.join("; "));
});
