// Rules of the closure against the programs whose behaviour they foretell.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { expand } from "../../src/closure/expand.ts";
import { languagePaths } from "../../src/closure/rules/language-paths.ts";
import { parseShebang } from "../../src/formats/shebang.ts";
import { runChecked } from "../../src/host/process.ts";
import { openMachine } from "../../src/machine/open.ts";

const env = { PATH: "/usr/bin:/bin", LC_ALL: "C" };

test("python's path files: the directories that python itself adds", async (t) => {
  const work = realpathSync(mkdtempSync(join(tmpdir(), "closure-judges-")));
  t.after(() => rmSync(work, { recursive: true }));
  const site = join(work, "lib/site-packages");
  for (const name of ["lib/site-packages", "own/src", "lib/beside", "unused", "etc"])
    mkdirSync(join(work, name), { recursive: true });
  for (const name of ["own/src/own.py", "lib/beside/b.py", "unused/u.py"])
    writeFileSync(join(work, name), "");
  writeFileSync(join(site, "x.pth"), "# ../../unused\n../../own/src\n../beside\n../absent\nimport sys\n");
  const script = `import site, sys; before = set(sys.path); site.addsitedir(${JSON.stringify(site)}); print("\\n".join(set(sys.path) - before))`;
  const told = (await runChecked("/usr/bin/python3", ["-S", "-c", script], { env })).trim().split("\n");
  const added = new Set(
    told
      .map((path) => realpathSync(path))
      .filter((path) => path !== site)
      .map((path) => path.slice(work.length)),
  );
  const machine = await openMachine(`rootfs:${work}`);
  t.after(() => machine.close());
  const seeds = [{ path: "/lib/site-packages/x.pth", reason: { kind: "rule", detail: "test" } as const }];
  const { paths } = await expand(machine.files, seeds, { rules: [languagePaths()] });
  const ours = [...paths]
    .filter(([, reasons]) => reasons.some((one) => one.kind === "language"))
    .map(([path]) => path);
  assert.deepEqual(new Set(ours.filter((path) => !path.endsWith(".py"))), added);
  assert.equal(ours.filter((path) => path.endsWith(".py")).length, 2);
});

test("a jar made by another program brings its Class-Path", async (t) => {
  const work = realpathSync(mkdtempSync(join(tmpdir(), "closure-judges-")));
  t.after(() => rmSync(work, { recursive: true }));
  for (const name of ["lib", "etc"]) mkdirSync(join(work, name));
  writeFileSync(join(work, "lib/a.jar"), "a");
  const script =
    "import zipfile,sys\nz=zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED)\nfor i in range(3000): z.writestr('x/%d'%i,'y'*i)\nz.writestr('META-INF/MANIFEST.MF','Class-Path: lib/a.jar\\r\\n')\nz.comment=b'c'*500\nz.close()";
  await runChecked("/usr/bin/python3", ["-c", script, join(work, "main.jar")], { env });
  const machine = await openMachine(`rootfs:${work}`);
  t.after(() => machine.close());
  const seeds = [{ path: "/main.jar", reason: { kind: "rule", detail: "test" } as const }];
  const { paths } = await expand(machine.files, seeds, { rules: [languagePaths()] });
  assert.ok(paths.has("/lib/a.jar"));
});

test("node: what it requires is in the expansion of its main file, wherever it looks for it", async (t) => {
  const work = realpathSync(mkdtempSync(join(tmpdir(), "closure-judges-")));
  t.after(() => rmSync(work, { recursive: true }));
  const files: Record<string, string> = {
    "srv/shop/main.js":
      'require("left"); require("@own/scoped/deep"); require("up"); require("linked"); console.log(Object.keys(require.cache).join("\\n"))',
    "srv/shop/node_modules/left/package.json": '{"main": "lib/entry"}',
    "srv/shop/node_modules/left/lib/entry.js": 'require("inner"); require("./data.json")',
    "srv/shop/node_modules/left/lib/data.json": "{}",
    "srv/shop/node_modules/left/node_modules/inner/index.js": "",
    "srv/shop/node_modules/@own/scoped/package.json":
      '{"exports": {"./deep": {"require": "./cjs/deep.cjs"}}}',
    "srv/shop/node_modules/@own/scoped/cjs/deep.cjs": "",
    "srv/node_modules/up/index.js": "",
    "opt/linked/package.json": '{"main": "main.js"}',
    "opt/linked/main.js": 'require("./beside")',
    "opt/linked/beside.js": "",
  };
  for (const [name, text] of Object.entries({ ...files, "etc/passwd": "" })) {
    mkdirSync(join(work, name, ".."), { recursive: true });
    writeFileSync(join(work, name), text);
  }
  symlinkSync("../../../opt/linked", join(work, "srv/shop/node_modules/linked"));
  const told = (await runChecked(process.execPath, [join(work, "srv/shop/main.js")], { env }))
    .trim()
    .split("\n");
  assert.equal(told.length, 8, told.join());
  const machine = await openMachine(`rootfs:${work}`);
  t.after(() => machine.close());
  const seeds = [{ path: "/srv/shop/main.js", reason: { kind: "traced", detail: "read" } as const }];
  const { paths } = await expand(machine.files, seeds);
  assert.deepEqual(
    told.map((path) => path.slice(work.length)).filter((path) => !paths.has(path)),
    [],
  );
});

test("env -S: the program that env itself starts", () => {
  const cases = [
    "sh -c",
    "-i sh",
    "A=1 B=2 sh",
    "-u HOME sh",
    "-C / sh",
    `A='b c' sh`,
    `"no such" x`,
    "no-such --y",
    "-i -u PATH A=b sh",
  ];
  for (const words of cases) {
    const { stderr } = spawnSync("/usr/bin/env", [`-vS${words}`], { env, input: "", encoding: "utf8" });
    const told = /^executing: (.*)$/m.exec(stderr)?.[1];
    const ours = parseShebang(Buffer.from(`#!/usr/bin/env -S ${words}\n`))?.envProgram;
    assert.equal(ours, told, `${words}: ${stderr}`);
  }
});
