// Whatever lies beside the blobs may be damaged by a disk or a hand: it is made anew, or done without; no verb is stopped by it, nothing else
// is lost, and what runs is what ran before.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
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
import { type TestContext, test } from "node:test";
import { mediaType } from "../../src/formats/oci.ts";
import { openStateRoot } from "../../src/host/state-root.ts";
import { buildImage } from "../../src/image/build.ts";
import { digestOf } from "../../src/image/digest.ts";
import { inheritedName } from "../../src/image/layer-note.ts";
import { startRegistry } from "../../src/image/registry-server/server.ts";
import { type ImageStore, openStore } from "../../src/image/store.ts";
import { StoreSession, withSession } from "../../src/image/store-session.ts";
import { ensureLayer } from "../../src/image/unpack.ts";
import { newDescriptor } from "../../src/package/descriptor.ts";
import { printDescriptor } from "../../src/package/yaml.ts";
import { scratch, silentLog } from "../support/images.ts";
import { tarMember, tarOf } from "../support/tar.ts";
import { makePackage, whyNot } from "./runtime-fixture.ts";

const soak = process.env.TRANSHIP_SOAK === "1";
const main = join(import.meta.dirname, "../../src/cli/main.ts");

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

const environmentOf = (root: string): NodeJS.ProcessEnv => {
  const { NODE_EXTRA_CA_CERTS: _, ...own } = process.env;
  return { ...own, TRANSHIP_ROOT: root };
};

function cli(root: string, args: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    env: environmentOf(root),
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

/** Beside a server of this process, which has to answer meanwhile. */
async function cliBeside(root: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], { env: environmentOf(root) });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const [status] = await once(child, "close");
  return { status, stdout, stderr };
}

/** A root whose package has run, with a layer that only implies directories, and with all files that lie beside the blobs. */
async function usedRoot(t: TestContext): Promise<{ path: string; server: string }> {
  const path = join(scratch(t), "root");
  const store = openStore(openStateRoot(path));
  await makePackage(store.root, "base:1");
  const base = store.image("base:1");
  const tar = tarOf(tarMember({ name: "srv/data/more", mtime: 1 }, "more"));
  await withSession(store, async (session) => {
    const added = { descriptor: await session.put(mediaType.layer, tar), diffId: digestOf(tar) };
    const about = { id: "app", name: "app", version: "1", publisher: "" };
    const origin = { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" };
    await buildImage(session, {
      reference: "app:1",
      layers: [...base.layers, added].map((layer) => ({ ...layer, origin: "app" })),
      config: base.config.config ?? {},
      architecture: "amd64",
      descriptorYaml: printDescriptor(newDescriptor(about, origin)),
    });
  });
  const far = openStore(openStateRoot(join(scratch(t), "far")));
  await makePackage(far.root, "far:1", { files: { "etc/far": "far" } });
  const server = await startRegistry(far, { host: "127.0.0.1", port: 0, log: silentLog });
  t.after(() => server.close());
  const at = `127.0.0.1:${server.address.port}`;
  assert.equal(cli(path, ["run", "--rm", "app:1", "/bin/true"]).status, 0);
  assert.equal((await cliBeside(path, ["push", "--plain-http", "app:1", `${at}/app:1`])).status, 0);
  // What is left of a push and of a pull that broke off, and of a command that was killed.
  const layer = far.image("far:1").layers[0]?.descriptor.digest ?? "";
  mkdirSync(join(path, "fetched/registry"), { recursive: true });
  cpSync(far.blobPath(layer), join(path, "fetched/registry", layer.replace(":", "-")));
  writeFileSync(join(path, "fetched/registry-uploads/0.json"), `{"location":"http://${at}/v2/"}\n`);
  writeFileSync(join(path, "locks/store-index"), '{"pid":4194305,"startTime":"1","what":"tag"}');
  return { path, server: at };
}

/** Every file that is no blob, no unpacked content and no record of an instance, relative to the root. */
function sideFiles(root: string, store: ImageStore): string[] {
  const { layers } = store.image("app:1");
  const hex = (diffId: string): string => diffId.slice("sha256:".length);
  const inherited = inheritedName(layers.map(({ diffId }) => diffId));
  const below = (directory: string): string[] =>
    readdirSync(join(root, directory)).map((name) => `${directory}/${name}`);
  return [
    "version.json",
    "store/oci-layout",
    "store/index.json",
    "store/index.json.copy",
    ...layers.flatMap(({ diffId }) => [
      `layers/${hex(diffId)}/verified.json`,
      `layers/${hex(diffId)}/implied.json`,
    ]),
    `layers/${inherited}/verified.json`,
    ...below("cache/images"),
    "cache/oci-runtime.json",
    ...below("cache/outward"),
    ...below("fetched/registry"),
    ...below("fetched/registry-uploads"),
    "locks/store-index",
    "network/subnet.json",
  ];
}

const damages: Record<string, (path: string) => void> = {
  flipped: (path) => {
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0x41;
    writeFileSync(path, bytes);
  },
  empty: (path) => writeFileSync(path, ""),
  removed: (path) => rmSync(path),
  cut: (path) => writeFileSync(path, readFileSync(path).subarray(0, statSync(path).size >> 1)),
  zeros: (path) => writeFileSync(path, Buffer.alloc(4096)),
  null: (path) => writeFileSync(path, "null\n"),
  "an object": (path) => writeFileSync(path, "{}\n"),
  "a list": (path) => writeFileSync(path, "[1]\n"),
};

test("damage in any file beside the blobs stops no verb, and loses nothing", {
  skip: whyNot(),
}, async (t) => {
  const { path, server } = await usedRoot(t);
  const saved = join(scratch(t), "saved");
  cpSync(path, saved, { recursive: true, verbatimSymlinks: true });
  const store = openStore(openStateRoot(path));
  const files = sideFiles(path, store);
  const images = cli(path, ["images", "--format", "json"]).stdout;
  const blobs = readdirSync(join(path, "store/blobs/sha256"));
  for (const file of files) assert.ok(existsSync(join(saved, file)), file);
  for (const harm of soak ? eachAlone(files) : allAtOnce(files)) {
    rmSync(path, { recursive: true, maxRetries: 5 });
    cpSync(saved, path, { recursive: true, verbatimSymlinks: true });
    for (const [file, kind] of harm) damages[kind]?.(join(path, file));
    const told = ({ stdout, stderr }: Ended): string =>
      `${harm.map((one) => one.join(" ")).join(", ")}: ${stdout}${stderr}`;
    const seen = cli(path, ["images", "--format", "json"]);
    assert.equal(seen.stdout, images, told(seen));
    const verified = cli(path, ["verify", "--read-data", "app:1"]);
    assert.ok([0, 4].includes(verified.status ?? -1), told(verified));
    const run = cli(path, ["run", "--rm", "app:1", "/bin/cat", "/srv/data/more", "/srv/data/seed.txt"]);
    assert.equal(run.stdout, "morefrom the image\n", told(run));
    for (const words of [["gc"], ["repair", "--offline"], ["gc"]]) {
      const ended = cli(path, words);
      assert.equal(ended.status, 0, told(ended));
    }
    assert.deepEqual(readdirSync(join(path, "store/blobs/sha256")), blobs, told(seen));
    const after = cli(path, ["verify", "--read-data", "app:1"]);
    assert.equal(after.status, 0, told(after));
    assert.doesNotMatch(after.stdout, /index\.json/, told(after));
    const pulled = await cliBeside(path, ["pull", "--plain-http", `${server}/far:1`]);
    assert.equal(pulled.status, 0, told(pulled));
    const again = cli(path, ["run", "--rm", `${server}/far:1`, "/bin/cat", "/etc/far"]);
    assert.equal(again.stdout, "far", told(again));
  }
  t.diagnostic(`${files.length} files, ${Object.keys(damages).length} kinds of damage`);
});

type Harm = [file: string, kind: string][];

/** A letter that was flipped in index.json may be one of a name: what remains is JSON, and counts. */
const cannotBeSeen = (file: string, kind: string): boolean =>
  file === "store/index.json" && kind === "flipped";

function eachAlone(files: readonly string[]): Harm[] {
  const kinds = Object.keys(damages);
  return files.flatMap((file) =>
    kinds.filter((kind) => !cannotBeSeen(file, kind)).map((kind): Harm => [[file, kind]]),
  );
}

/** Each file in another way each time; of the index and its copy one. */
function allAtOnce(files: readonly string[]): Harm[] {
  const kinds = Object.keys(damages);
  return [0, 3, 6].map((round) =>
    files.flatMap((file, at): Harm => {
      const kind = kinds[(at + round) % kinds.length] ?? "";
      if (file === (round === 3 ? "store/index.json" : "store/index.json.copy")) return [];
      return [[file, cannotBeSeen(file, kind) ? "cut" : kind]];
    }),
  );
}

test("a layer without its note is unpacked again, and what lies in its place is put aside", {
  skip: whyNot(),
}, async (t) => {
  const store = openStore(openStateRoot(join(scratch(t), "root")));
  await makePackage(store.root, "app:1");
  const diffId = store.image("app:1").layers[0]?.diffId ?? "";
  const directory = await ensureLayer(store.root, store, diffId);
  rmSync(join(directory, "../verified.json"));
  rmSync(join(directory, "bin"), { recursive: true });
  assert.equal(await ensureLayer(store.root, store, diffId), directory);
  assert.ok(existsSync(join(directory, "bin/busybox")));
  const aside = (): string[] => readdirSync(store.root.layers).filter((name) => name.endsWith(".aside"));
  assert.equal(aside().length, 1);
  assert.equal(cli(store.root.path, ["gc"]).status, 0);
  assert.deepEqual(aside(), []);
});

test("gc takes nothing that a live session needs, whatever becomes of the note of its owner", async (t) => {
  const store = openStore(openStateRoot(join(scratch(t), "root")));
  const session = new StoreSession(store);
  try {
    const { digest } = await session.put(mediaType.layer, "needed");
    const work = readdirSync(store.root.work).map((name) => join(store.root.work, name));
    for (const directory of work) writeFileSync(join(directory, "owner"), "x");
    assert.equal(cli(store.root.path, ["gc"]).status, 0);
    assert.ok(store.hasBlob(digest));
  } finally {
    session.close();
  }
});
