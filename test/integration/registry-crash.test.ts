// kill -9 of a push and of a pull at every step, and full disks: the next command does what the first was to do, and nothing is left.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openStateRoot } from "../../src/host/state-root.ts";
import { repairWork } from "../../src/host/work.ts";
import { pullImage } from "../../src/image/registry/pull.ts";
import { pushImage } from "../../src/image/registry/push.ts";
import { type ImageStore, openStore } from "../../src/image/store.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { imageOf, needsRoot, newStore, scratch } from "../support/images.ts";
import { dockerRegistry, needsDockerRegistry } from "../support/registries.ts";

const worker = fileURLToPath(new URL("../support/registry-worker.ts", import.meta.url));
const nothing = (): void => {};
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const settings = { plainHttp: true, retryDelay: 1 };
/** Sizes of disks that are too small, and every step instead of some. */
const soak = process.env.TRANSHIP_SOAK === "1";

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

async function work(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  before: string[] = [],
): Promise<Ended> {
  const [program = "", ...rest] = [...before, process.execPath, worker, ...args];
  const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
  const child = spawn(program, rest, { env: { ...inherited, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { status: code, stdout, stderr };
}

/** What a finished command leaves beside the store. */
function leftovers(store: ImageStore): string[] {
  const { root } = store;
  repairWork(root, log);
  return [
    root.work,
    root.locks,
    join(root.fetched, "registry"),
    join(root.fetched, "registry-uploads"),
  ].flatMap((path) => (existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : []));
}

/** Numbers of the steps that are tried: without a soak the first of each kind, as a lock or a document is written in the same way each time. */
function tried(steps: readonly string[]): number[] {
  const kind = (step: string): string => step.replace(/^\d+ /, "").replace(/sha256:[0-9a-f]+/, "");
  const numbers = steps.map((_, i) => i + 1);
  if (soak) return numbers;
  return numbers.filter((n) => steps.findIndex((one) => kind(one) === kind(steps[n - 1] ?? "")) === n - 1);
}

function stepsIn(file: string): string[] {
  const steps = readFileSync(file, "utf8").trim().split("\n");
  rmSync(file);
  return steps;
}

/** Layers that are moved at once do not always take the same number of steps: the last ones may not be reached. Then it is begun anew and killed one step earlier. */
async function killedAt(n: number, words: string[], anew: () => void): Promise<void> {
  for (let at = n; at > 0; at--) {
    const { status, stderr } = await work(words, { TRANSHIP_CRASH_AT: String(at) });
    if (status === null) return;
    assert.equal(status, 0, stderr);
    anew();
  }
  assert.fail(`${words.join(" ")}: was not killed at step ${n}`);
}

test("kill -9 at every step of push and of pull", { ...needsDockerRegistry, timeout: 900_000 }, async (t) => {
  const { host } = await dockerRegistry(t);
  const top = scratch(t);
  mkdirSync(join(top, "tree"));
  // Two chunks of an upload, several pieces of a download.
  writeFileSync(join(top, "tree/data"), randomBytes(9 << 20));
  const source = newStore(t);
  await imageOf(t, source, "shop:1", [join(top, "tree")], { evidence: '{"why":"test"}' });
  const { path } = source.root;
  const stepsFile = join(top, "steps");
  const forget = (): void => rmSync(join(path, "cache"), { recursive: true, force: true });
  const listed = await work(["push", path, "shop:1", `${host}/steps:1`], { TRANSHIP_STEPS_FILE: stepsFile });
  assert.equal(listed.status, 0, listed.stderr);
  const pushSteps = stepsIn(stepsFile);
  assert.ok(pushSteps.length >= 8, pushSteps.join("\n"));
  for (const n of tried(pushSteps)) {
    forget();
    const name = `${host}/push${n}:1`;
    await killedAt(n, ["push", path, "shop:1", name], forget);
    const pushed = await pushImage(source, "shop:1", name, settings);
    assert.equal(pushed.digest, listed.stdout.trim(), pushSteps[n - 1]);
    assert.deepEqual(leftovers(source), [], pushSteps[n - 1]);
  }
  const name = `${host}/steps:1`;
  const first = openStateRoot(join(top, "first"));
  const pulled = await work(["pull", first.path, name], { TRANSHIP_STEPS_FILE: stepsFile });
  assert.equal(pulled.status, 0, pulled.stderr);
  const pullSteps = stepsIn(stepsFile);
  assert.ok(pullSteps.length >= 15, pullSteps.join("\n"));
  // The layer is unpacked while it is fetched: a kill between two pieces of it meets both.
  const places = (what: string): number[] => pullSteps.flatMap((one, i) => (one.includes(what) ? [i] : []));
  const pieces = places("write a piece of a blob");
  const trees = places("make the layer work directory");
  assert.ok(
    trees.some((at) => at > (pieces[0] ?? 0) && at < (pieces.at(-1) ?? 0)),
    pullSteps.join("\n"),
  );
  for (const n of tried(pullSteps)) {
    const root = openStateRoot(join(top, `pull${n}`));
    await killedAt(n, ["pull", root.path, name], () => rmSync(root.path, { recursive: true }));
    const store = openStore(root);
    repairWork(root, log);
    const again = await pullImage(store, name, settings);
    assert.equal(again.digest, pulled.stdout.trim(), pullSteps[n - 1]);
    assert.deepEqual(await verifyImage(store, name, { readData: true }), [], pullSteps[n - 1]);
    assert.deepEqual(leftovers(store), [], pullSteps[n - 1]);
    execFileSync("rm", ["-rf", root.path]);
  }
});

test("a full disk: said so, no name, the space comes back, and the next pull succeeds", {
  ...needsDockerRegistry,
  timeout: 900_000,
}, async (t) => {
  if (needsRoot.skip !== false) return t.skip("needs root: mounts");
  const { host } = await dockerRegistry(t);
  const top = scratch(t);
  mkdirSync(join(top, "tree"));
  writeFileSync(join(top, "tree/data"), randomBytes(4 << 20));
  const source = newStore(t);
  await imageOf(t, source, "shop:1", [join(top, "tree")], { evidence: '{"why":"test"}' });
  const name = `${host}/shop:1`;
  await pushImage(source, "shop:1", name, settings);
  const count = soak ? 20 : 2;
  for (let i = 1; i <= count; i++) {
    // The image takes 8 MiB: its layer packed and unpacked.
    const size = Math.round(64 + (i * 7000) / count);
    const root = join(top, "small");
    mkdirSync(root, { recursive: true });
    const script = `mount -t tmpfs -o size=${size}k tmpfs ${root} && "$@"; status=$?; ls ${root}/fetched/registry ${root}/work >&2; mount -o remount,size=64m ${root}; "$@" >&2 || status=9; exit $status`;
    const ended = await work(["pull", root, name], {}, [
      "unshare",
      "-m",
      "--propagation",
      "private",
      "sh",
      "-c",
      script,
      "sh",
    ]);
    assert.equal(ended.status, 1, `${size}k: ${ended.stderr}`);
    assert.match(ended.stderr, /E_NO_SPACE: |E_IO: |no space left/i, `${size}k: ${ended.stderr}`);
    assert.equal(ended.stdout, "", `${size}k`);
    assert.doesNotMatch(ended.stderr, /^sha256-/m, `${size}k: a part was left`);
  }
});
