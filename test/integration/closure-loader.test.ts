// Our search for libraries against the dynamic loader itself (`ld.so --list`).
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ElfReader } from "../../src/closure/elf-reader.ts";
import { Loader } from "../../src/closure/loader.ts";
import { machineTree } from "../../src/closure/tree.ts";
import { verifyClosure } from "../../src/closure/verify.ts";
import { run, runChecked } from "../../src/host/process.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { openMachine } from "../../src/machine/open.ts";

const step = Number(process.env.ELF_SAMPLE ?? 20);
const environment = { PATH: process.env.PATH ?? "/usr/bin", LC_ALL: "C" };
let machine: Machine;
let work: string;

before(async () => {
  machine = await openMachine("rootfs:/");
  work = realpathSync(mkdtempSync(join(tmpdir(), "closure-loader-")));
});

after(async () => {
  rmSync(work, { recursive: true, force: true });
  await machine.close();
});

/** soname -> canonical path, as we find it; undefined for what is no dynamic program. */
async function ours(path: string): Promise<Map<string, string> | undefined> {
  const tree = machineTree(machine.files);
  const elves = new ElfReader(tree);
  const canonical = (await tree.resolve(path)).at;
  const elf = await elves.info(canonical);
  if (elf === undefined || elf.interpreter === undefined || elf.problems.length > 0) return undefined;
  const result = await new Loader(tree, elves).load(canonical, elf);
  const found = new Map(result.found.map(({ name, library }) => [name, library.canonical]));
  for (const { name } of result.missing) found.set(name, "not found");
  return found;
}

async function theirs(path: string, loader: string): Promise<Map<string, string>> {
  const result = await run(loader, ["--list", path], { env: environment });
  const found = new Map<string, string>();
  for (const line of new TextDecoder().decode(result.stdout).split("\n")) {
    const match = /^\t(\S+) => (not found|\/.*?)(?: \(0x[0-9a-f]+\))?$/.exec(line);
    if (match === null) continue;
    const target = match[2] ?? "";
    found.set(match[1] ?? "", target === "not found" ? target : realpathSync(target));
  }
  return found;
}

async function compare(path: string): Promise<boolean> {
  const mine = await ours(path);
  if (mine === undefined) return false;
  const loader = await new ElfLoader(path).path();
  // The loader names itself and the kernel's page; it says "=>" only for what it searched.
  for (const [name, target] of await theirs(path, loader)) {
    if (!name.startsWith("/")) assert.equal(mine.get(name), target, `${name} of ${path}`);
  }
  return true;
}

class ElfLoader {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async path(): Promise<string> {
    const text = await runChecked("readelf", ["-Wl", this.#path], { env: environment });
    return /interpreter: ([^\]]+)\]/.exec(text)?.[1] ?? "";
  }
}

test("finds for the programs of this host what its loader finds", async () => {
  let compared = 0;
  for (const [index, name] of readdirSync("/usr/bin").entries()) {
    if (index % step === 0 && existsSync(`/usr/bin/${name}`) && (await compare(`/usr/bin/${name}`)))
      compared++;
  }
  assert.ok(compared > 0);
});

interface Fixture {
  name: string;
  /** Flags of the program and of liba; libb and libc1 are plain, libb is needed by liba only. */
  program: string[];
  liba?: string[];
  /** Where the libraries are put, below the fixture's directory. */
  at: { a: string; b: string };
  link?: [path: string, target: string];
}

const origin = "-Wl,-rpath,$ORIGIN/lib";
const fixtures: readonly Fixture[] = [
  {
    name: "runpath-is-not-inherited",
    program: [origin, "-Wl,--enable-new-dtags"],
    at: { a: "lib", b: "lib" },
  },
  { name: "rpath-is-inherited", program: [origin, "-Wl,--disable-new-dtags"], at: { a: "lib", b: "lib" } },
  {
    name: "runpath-of-the-library-hides-rpath-of-the-program",
    program: [origin, "-Wl,--disable-new-dtags"],
    liba: ["-Wl,-rpath,$ORIGIN/other", "-Wl,--enable-new-dtags"],
    at: { a: "lib", b: "lib" },
  },
  {
    name: "library-has-its-own-runpath",
    program: [origin, "-Wl,--enable-new-dtags"],
    liba: ["-Wl,-rpath,${ORIGIN}/../deep/b", "-Wl,--enable-new-dtags"],
    at: { a: "lib", b: "deep/b" },
  },
  {
    name: "origin-of-a-library-is-where-its-link-is",
    program: [origin, "-Wl,--enable-new-dtags"],
    liba: ["-Wl,-rpath,$ORIGIN", "-Wl,--enable-new-dtags"],
    at: { a: "real", b: "lib" },
    link: ["lib/liba.so", "../real/liba.so"],
  },
  {
    name: "token-lib",
    program: ["-Wl,-rpath,$ORIGIN/$LIB", "-Wl,--enable-new-dtags"],
    liba: ["-Wl,-rpath,$ORIGIN", "-Wl,--enable-new-dtags"],
    at: { a: "lib/x86_64-linux-gnu", b: "lib/x86_64-linux-gnu" },
  },
];

for (const fixture of fixtures) {
  test(`as the loader: ${fixture.name}`, async () => {
    const directory = join(work, fixture.name);
    await build(directory, fixture);
    assert.equal(await compare(join(directory, "program")), true);
  });
}

async function build(directory: string, fixture: Fixture): Promise<void> {
  const put = (path: string): string => {
    mkdirSync(join(directory, path), { recursive: true });
    return join(directory, path);
  };
  const [a, b] = [put(fixture.at.a), put(fixture.at.b)];
  writeFileSync(join(directory, "b.c"), "int b(void) { return 2; }\n");
  writeFileSync(join(directory, "a.c"), "int b(void); int a(void) { return b(); }\n");
  writeFileSync(join(directory, "main.c"), "int a(void); int main(void) { return a(); }\n");
  const cc = (args: string[]): Promise<string> =>
    runChecked("cc", args, { cwd: directory, env: environment });
  await cc(["-shared", "-fPIC", "-Wl,-soname,libb.so", "-o", join(b, "libb.so"), "b.c"]);
  await cc([
    "-shared",
    "-fPIC",
    "-Wl,-soname,liba.so",
    "-o",
    join(a, "liba.so"),
    "a.c",
    `-L${b}`,
    "-lb",
    ...(fixture.liba ?? []),
  ]);
  await cc(["-o", "program", "main.c", `-L${a}`, "-la", "-Wl,--allow-shlib-undefined", ...fixture.program]);
  if (fixture.link === undefined) return;
  put(join(fixture.link[0], ".."));
  symlinkSync(fixture.link[1], join(directory, fixture.link[0]));
}

test("filters are loaded, auxiliary objects only where they are there; as the loader says", async () => {
  const directory = join(work, "filters");
  mkdirSync(directory);
  writeFileSync(join(directory, "b.c"), "int b(void) { return 2; }\n");
  writeFileSync(join(directory, "main.c"), "int b(void); int main(void) { return b(); }\n");
  const cc = (...args: string[]) => runChecked("cc", args, { cwd: directory, env: environment });
  await cc("-shared", "-fPIC", "-Wl,-soname,libreal.so", "-o", "libreal.so", "b.c");
  const filters = ["-Wl,-F,libreal.so", "-Wl,-f,libnone.so", "-Wl,-rpath,$ORIGIN"];
  await cc("-shared", "-fPIC", "-Wl,-soname,libfilter.so", "-o", "libfilter.so", "b.c", ...filters);
  await cc("-o", "program", "main.c", "-L.", "-lfilter", "-Wl,-rpath,$ORIGIN");
  assert.equal(await compare(join(directory, "program")), true);
  const mine = await ours(join(directory, "program"));
  assert.equal(mine?.get("libreal.so"), join(directory, "libreal.so"));
  assert.equal(mine?.has("libnone.so"), false);
});

test("a library that lacks a version that is needed is a finding, where the loader refuses it", async () => {
  const directory = join(work, "versions");
  mkdirSync(directory);
  writeFileSync(join(directory, "v.c"), "int v(void) { return 2; }\n");
  writeFileSync(join(directory, "main.c"), "int v(void); int main(void) { return v() - 2; }\n");
  const cc = (...args: string[]) => runChecked("cc", args, { cwd: directory, env: environment });
  const library = async (...versions: string[]) => {
    const script = versions.map(
      (name) => `${name} { global: ${name === versions.at(-1) ? "v; local: *" : `x${name}`}; };\n`,
    );
    writeFileSync(join(directory, "map"), script.join(""));
    await cc("-shared", "-fPIC", "-Wl,-soname,libv.so", "-Wl,--version-script=map", "-o", "libv.so", "v.c");
  };
  const findings = async () => {
    const { files } = machine;
    const paths: string[] = [];
    for (const top of [
      directory,
      "/lib64",
      "/lib",
      "/usr/lib64",
      "/usr/lib/x86_64-linux-gnu/libc.so.6",
      "/etc/ld.so.cache",
    ]) {
      for (const { entry, links } of [await machineTree(files).resolve(top)])
        for (const one of [...links, ...(entry === undefined ? [] : [entry])])
          for (let at = one.path; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) paths.push(at);
    }
    for await (const entry of files.walk(directory)) paths.push(entry.path);
    const loaders = [
      (await machineTree(files).resolve("/lib64/ld-linux-x86-64.so.2")).at,
      (await machineTree(files).resolve("/lib/x86_64-linux-gnu/libc.so.6")).at,
    ];
    const found = await verifyClosure({
      paths: new Set([...paths, ...loaders, "/", "/lib64/ld-linux-x86-64.so.2"]),
      entry: (path) => files.stat(path, { follow: false }),
      readRange: (path, offset, length) => files.readRange(path, offset, length),
    });
    return found.filter((one) => one.path === join(directory, "program") && one.kind === "version");
  };
  const status = async () => (await run(join(directory, "program"), [], { env: environment })).status;
  await library("V_1", "V_2");
  await cc("-o", "program", "main.c", "-L.", "-lv", "-Wl,-rpath,$ORIGIN");
  assert.equal(await status(), 0);
  assert.deepEqual(await findings(), []);
  await library("V_1");
  assert.notEqual(await status(), 0);
  assert.deepEqual(await findings(), [
    { kind: "version", path: join(directory, "program"), wants: "V_2 of libv.so" },
  ]);
});
