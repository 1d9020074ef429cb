// The builds: C programs are reproducible, the release build starts hot verbs without heavy dependencies and runs from elsewhere.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { buildTo } from "../../scripts/build.ts";

const top = join(import.meta.dirname, "../..");
const scratch = mkdtempSync(join(tmpdir(), "tranship-builds-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

function hashes(directory: string): Record<string, string> {
  const names = readdirSync(directory).sort();
  return Object.fromEntries(
    names.map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(directory, name)))
        .digest("hex"),
    ]),
  );
}

test("two builds of the C programs in two folders give the same files", () => {
  const built = ["one", "another folder"].map((name) => {
    const copy = join(scratch, name);
    cpSync(join(top, "native"), copy, {
      recursive: true,
      filter: (path) => !/native\/(bin|bin-san|build)($|\/)/.test(path),
    });
    const result = spawnSync("make", ["-s", "-C", copy], { encoding: "utf8" });
    assert.equal(result.status, 0, result.stderr);
    return hashes(join(copy, "bin"));
  });
  assert.deepEqual(Object.keys(built[0] ?? {}), [
    "breaches",
    "engine",
    "enter",
    "init",
    "pause",
    "proxy",
    "refusals",
    "rootless",
    "supervise",
    "trace",
    "tree",
    "witness",
  ]);
  assert.deepEqual(built[0], built[1]);
});

test("hot verbs of the release build load neither zod nor yaml, and the build runs where it is put", async () => {
  const install = join(scratch, "install");
  mkdirSync(install);
  const { metafile, hot, run } = await buildTo(join(install, "dist"));
  for (const [name, built] of [
    ["hot", hot],
    ["run", run],
  ] as const) {
    const brought = Object.keys(built.metafile.inputs).filter((input) => input.includes("node_modules"));
    assert.deepEqual(brought, [], `${name}.cjs holds modules of others`);
    const text = readFileSync(join(install, `dist/${name}.cjs`), "utf8");
    assert.doesNotMatch(text, /\bimport\(/);
  }
  // Loading them takes longer than all else before a start: host/process.ts does it where a program is started.
  assert.doesNotMatch(
    readFileSync(join(install, "dist/run.cjs"), "utf8"),
    /=require\("node:(child_process|os|net|crypto)"\)/,
  );
  assert.deepEqual(
    Object.keys(run.metafile.inputs).filter((input) =>
      /image\/(unpack|layer)|instances\/(ps|exec)/.test(input),
    ),
    [],
    "run.cjs holds what a start does not need",
  );
  const outputs = Object.entries(metafile.outputs);
  const chunkOf = (source: string) => outputs.find(([, output]) => output.entryPoint === source)?.[0] ?? "";
  for (const verb of [
    "instances/run",
    "instances/ps",
    "instances/exec",
    "instances/logs",
    "instances/stop",
  ]) {
    const inputs = [...inputsOf(metafile, chunkOf(`src/cli/${verb}.ts`))];
    assert.ok(
      inputs.some((input) => input.startsWith("src/runtime/")),
      `${verb} has no chunk of its own`,
    );
    const heavy = inputs.filter((input) => /node_modules\/(zod|yaml)\//.test(input));
    assert.deepEqual(heavy, [], verb);
  }
  for (const name of ["bin", "package.json"])
    cpSync(join(top, name), join(install, name), { recursive: true });
  symlinkSync(join(top, "node_modules"), join(install, "node_modules"));
  const version = spawnSync(join(install, "bin/tranship"), ["version"], { encoding: "utf8" });
  assert.match(version.stdout, /^tranship \d+\.\d+\.\d+\n$/);
  const help = spawnSync(join(install, "bin/tranship"), ["run", "--help"], { encoding: "utf8" });
  assert.match(help.stdout, /^Examples:/);
  const listed = spawnSync(join(install, "bin/tranship"), ["--root", join(scratch, "root"), "ps"], {
    encoding: "utf8",
  });
  assert.match(listed.stdout, /^INSTANCE ID/, listed.stderr);
  const unknown = spawnSync(join(install, "bin/tranship"), ["rnu"], { encoding: "utf8" });
  assert.match(unknown.stderr, /did you mean run/);
  assert.equal(unknown.status, 2);
});

test("the code compiled ahead fits the Node that comes along, and is not needed", () => {
  const dist = join(scratch, "install/dist");
  const program = `
    const { readFileSync } = require("node:fs");
    const { Script } = require("node:vm");
    const [source, cachedData] = process.argv.slice(1).map((path) => readFileSync(path));
    const script = new Script(source.toString("latin1"), { cachedData });
    process.exit(script.cachedDataRejected ? 1 : 0);`;
  const words = ["--disable-warning=ExperimentalWarning", "-e", program];
  for (const name of ["hot", "run"]) {
    const fits = spawnSync(process.execPath, [
      ...words,
      join(dist, `${name}.cjs`),
      join(dist, `${name}.bin`),
    ]);
    assert.equal(fits.status, 0, `V8 refuses ${name}.bin`);
  }
  const start = [join(dist, "start.cjs"), "--root", join(scratch, "root"), "ps", "-q"];
  for (const damage of [
    () => writeFileSync(join(dist, "hot.bin"), "x"),
    () => rmSync(join(dist, "hot.bin")),
  ]) {
    damage();
    const listed = spawnSync(process.execPath, start, { encoding: "utf8" });
    assert.deepEqual([listed.status, listed.stdout, listed.stderr], [0, "", ""]);
  }
});

/** The sources in a chunk and in all chunks that it imports statically. */
function inputsOf(
  metafile: Awaited<ReturnType<typeof buildTo>>["metafile"],
  chunk: string,
  seen = new Set<string>(),
): Set<string> {
  const inputs = new Set<string>();
  const output = metafile.outputs[chunk];
  if (output === undefined || seen.has(chunk)) return inputs;
  seen.add(chunk);
  for (const input of Object.keys(output.inputs)) inputs.add(input);
  for (const one of output.imports)
    if (one.kind === "import-statement")
      for (const input of inputsOf(metafile, one.path, seen)) inputs.add(input);
  return inputs;
}
