// EMP folders into the store and out of it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import { importFolder } from "../../src/deploy/emp/import.ts";
import { installRoot } from "../../src/host/native.ts";
import { repairWork } from "../../src/host/work.ts";
import type { ImageStore } from "../../src/image/store.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { soaking } from "../support/counts.ts";
import { empTexts } from "../support/emp.ts";
import { needsRoot, newStore, scratch, silentLog } from "../support/images.ts";
import { makePackage } from "./runtime-fixture.ts";

function makeFolder(top: string, name = "Acme"): string {
  const folder = join(top, name);
  for (const below of ["ProgData/Program Files/Acme", "EngineBinaries/x64"])
    mkdirSync(join(folder, below), { recursive: true });
  for (const [one, text] of Object.entries(empTexts))
    writeFileSync(join(folder, one), text.replaceAll("\n", "\r\n"));
  for (const program of ["acme.exe", "service.exe", "com.exe", "setup.exe"])
    writeFileSync(join(folder, "ProgData/Program Files/Acme", program), `MZ ${program}`);
  writeFileSync(join(folder, "users.ps1"), "net user acme\r\n");
  writeFileSync(join(folder, "EngineBinaries/x64/Compatibility.Package.Engine.exe"), "MZ");
  return folder;
}

function cli(
  store: ImageStore,
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
): { status: number | null; out: string; err: string } {
  const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
  const done = spawnSync(process.execPath, [join(installRoot, "src/cli/main.ts"), ...words], {
    env: { ...inherited, TRANSHIP_ROOT: store.root.path, ...env },
    encoding: "utf8",
  });
  return { status: done.status, out: done.stdout, err: done.stderr };
}

const same = (a: string, b: string): void =>
  void execFileSync("diff", ["-r", "--no-dereference", a, b], { stdio: "pipe" });

/** Owners, modes, times and links too. */
const listing = (directory: string): string =>
  execFileSync("find", [directory, "-mindepth", "1", "-printf", "%P %y %m %U %G %n %T@ %l\n"], {
    encoding: "utf8",
  })
    .split("\n")
    .sort()
    .join("\n");

test("a folder comes back as it was, and with what was changed in the package", needsRoot, (t) => {
  const store = newStore(t);
  const top = scratch(t);
  const folder = makeFolder(top);
  const imported = cli(store, ["package", "import", "--emp", folder, "acme:1"]);
  assert.equal(imported.status, 0, imported.err);
  assert.match(imported.err, /COM servers/);
  const out = join(top, "out");
  assert.equal(cli(store, ["package", "export", "--emp", out, "acme:1"]).status, 0);
  same(folder, out);
  assert.equal(listing(out), listing(folder));
  const edited = cli(store, ["package", "edit", "--set", "services[AcmeSvc].stop.timeout=5s", "acme:1"]);
  assert.equal(edited.status, 0, edited.err);
  const changed = join(top, "changed");
  assert.equal(cli(store, ["package", "export", "--emp", changed, "acme:1"]).status, 0);
  assert.equal(
    readFileSync(join(changed, "Services.xml"), "utf8"),
    readFileSync(join(folder, "Services.xml"), "utf8").replace("300000", "5000"),
  );
  writeFileSync(join(changed, "Services.xml"), readFileSync(join(folder, "Services.xml")));
  same(folder, changed);
  const taken = cli(store, ["package", "export", "--emp", changed, "acme:1"]);
  assert.match(taken.err, /is there already/);
});

test("any package has a folder, and comes back from it whole", needsRoot, async (t) => {
  const store = newStore(t);
  const top = scratch(t);
  await makePackage(store.root, "box:1", {
    files: { "etc/a:b": "x", "etc/A:b": "y" },
    descriptor: {
      programs: [{ name: "main", command: ["/bin/sh", "-c", "echo hi; exit 7"] }],
      services: [{ name: "web", program: "main" }],
      volumes: [{ path: "/srv/data", initial: "copy" }],
    },
  });
  const out = join(top, "box");
  const exported = cli(store, ["package", "export", "--emp", out, "box:1"]);
  assert.equal(exported.status, 0, exported.err);
  assert.match(exported.err, /cannot be had on Windows/);
  assert.equal(readFileSync(join(out, "ProgData/srv/data/seed.txt"), "utf8"), "from the image\n");
  const back = cli(store, ["package", "import", "--emp", out, "box:2"]);
  assert.equal(back.status, 0, back.err);
  const yaml = (name: string): string =>
    Buffer.from(store.descriptorYaml(store.image(name)) ?? []).toString();
  assert.equal(yaml("box:2"), yaml("box:1"));
  assert.deepEqual(await verifyImage(store, "box:2", { readData: true }), []);
  const again = join(top, "again");
  assert.equal(cli(store, ["package", "export", "--emp", again, "box:2"]).status, 0);
  assert.equal(listing(again), listing(out));
  const services = join(again, "Services.xml");
  writeFileSync(services, readFileSync(services, "utf8").replace("Automatic", "Disabled"));
  assert.equal(cli(store, ["package", "import", "--emp", again, "box:3"]).status, 0);
  assert.match(yaml("box:3"), /startup: disabled/);
  assert.match(yaml("box:3"), /path: \/srv\/data/);
});

async function refused(t: TestContext, store: ImageStore, directory: string): Promise<string> {
  const { signal } = new AbortController();
  try {
    await importFolder({ root: store.root, directory, reference: "bad:1", log: silentLog, signal });
  } catch (error) {
    assert.ok(isTranshipError(error), String(error));
    assert.deepEqual(store.names(), []);
    return `${error.code} ${error.message}`;
  }
  t.diagnostic(directory);
  return "taken";
}

test("hostile folders are refused, and nothing gets a name", needsRoot, async (t) => {
  const store = newStore(t);
  const top = scratch(t);
  const secret = join(top, "secret");
  writeFileSync(secret, "<Programs/>");
  const cases: [name: string, change: (folder: string) => void, told: RegExp][] = [
    ["a link for a file", (f) => relink(join(f, "Programs.xml"), secret), /E_EMP_INVALID Programs\.xml is a symlink/],
    ["a link for the tree", (f) => relink(join(f, "ProgData"), "/etc"), /E_EMP_INVALID ProgData is a symlink/],
    ["a fifo", (f) => { rmSync(join(f, "Services.xml")); execFileSync("mkfifo", [join(f, "Services.xml")]); }, /Services\.xml is a fifo/],
    ["two names", (f) => writeFileSync(join(f, "programs.xml"), "<Programs/>"), /E_EMP_INVALID .*one name for EMP/],
    ["two trees", (f) => mkdirSync(join(f, "PROGDATA")), /E_EMP_INVALID .*one name for EMP/],
    ["a huge file", (f) => truncateSync(join(f, "Shortcuts.xml"), 2 ** 40), /E_LIMIT Shortcuts\.xml/],
    ["our own place", (f) => mkdirSync(join(f, "ProgData/.tranship")), /E_EMP_INVALID ProgData\/\.tranship/],
    ["a DTD", (f) => writeFileSync(join(f, "Programs.xml"), '<!DOCTYPE x SYSTEM "/etc/passwd"><Programs/>'), /line 1, column 1.*document type/],
    ["a rule that leaves", (f) => writeFileSync(join(f, "Redirections.xml"), "<FileSystem>\n<FolderMatch><From>C:\\</From><To>..\\x</To></FolderMatch></FileSystem>"), /Redirections\.xml: line 2: .*outside/],
    ["an id", (f) => writeFileSync(join(f, "_metadata.json"), '{"PackageId":"../../x"}'), /E_EMP_INVALID _metadata\.json/],
    ["nothing", (f) => { rmSync(f, { recursive: true }); mkdirSync(f); }, /E_EMP_INVALID .*neither ProgData nor/],
  ]; // biome-ignore format: a table
  for (const [name, change, told] of cases) {
    const folder = makeFolder(top, name.replaceAll(" ", "-"));
    change(folder);
    const began = performance.now();
    assert.match(await refused(t, store, folder), told, name);
    if (soaking) assert.ok(performance.now() - began < 2000, name);
  }
  assert.match(await refused(t, store, join(top, "none")), /E_IO/);
});

function relink(path: string, target: string): void {
  rmSync(path, { recursive: true });
  symlinkSync(target, path);
}

test("links in the tree lead nowhere outside when it is imported or exported", needsRoot, (t) => {
  const store = newStore(t);
  const top = scratch(t);
  const folder = makeFolder(top);
  const victim = join(top, "victim");
  mkdirSync(victim);
  symlinkSync(victim, join(folder, "ProgData/out"));
  symlinkSync(victim, join(folder, "More"));
  assert.equal(cli(store, ["package", "import", "--emp", folder, "acme:1"]).status, 0);
  const out = join(top, "back");
  assert.equal(cli(store, ["package", "export", "--emp", out, "acme:1"]).status, 0);
  assert.equal(listing(out), listing(folder));
  assert.deepEqual(readdirSync(victim), []);
});

test("kill -9 at every step of import and export", needsRoot, (t) => {
  const store = newStore(t);
  const top = scratch(t);
  const folder = makeFolder(top);
  const out = join(top, "out");
  for (const words of [
    ["package", "import", "--emp", folder, "acme:1"],
    ["package", "export", "--emp", out, "acme:1"],
  ]) {
    const file = join(top, "steps");
    const list = cli(store, words, { TRANSHIP_STEPS_FILE: file });
    assert.equal(list.status, 0, list.err);
    const steps = readFileSync(file, "utf8").trim().split("\n");
    rmSync(file);
    const kind = (step: string): string => step.replace(/^\d+ /, "").replace(/sha256:[0-9a-f]+/, "");
    const kinds = steps.map(kind);
    for (const [index, step] of steps.entries()) {
      if (!soaking && (kinds.indexOf(kind(step)) !== index || index % 3 !== 0)) continue;
      rmSync(out, { recursive: true, force: true });
      if (words[1] === "import") cli(store, ["rmi", "-f", "acme:1"]);
      const killed = cli(store, words, { TRANSHIP_CRASH_AT: String(index + 1) });
      assert.equal(killed.status, null, `${step}: ${killed.err}`);
      if (words[1] === "export") assert.ok(!existsSync(out), step);
      const again = cli(store, words);
      assert.equal(again.status, 0, `${step}: ${again.err}`);
      repairWork(store.root, silentLog);
      assert.deepEqual(readdirSync(store.root.work), [], step);
      assert.deepEqual(
        readdirSync(top).filter((name) => name.endsWith(".emp")),
        [],
        step,
      );
    }
  }
  same(folder, out);
});
