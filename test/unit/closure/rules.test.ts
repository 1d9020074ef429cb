// Single rules on small trees.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { expand, type Seed } from "../../../src/closure/expand.ts";
import { parseShebang } from "../../../src/formats/shebang.ts";
import { manifestClassPath } from "../../../src/formats/zip.ts";
import { buildElf } from "../../support/elf-builder.ts";
import { memoryFiles } from "../../support/memory-files.ts";

const traced = (path: string, detail = "read"): Seed => ({ path, reason: { kind: "traced", detail } });
const elf = (parts: Parameters<typeof buildElf>[0] = {}) => ({ content: buildElf(parts), mode: 0o755 });

test("libraries bring the modules that they load from beside them", async () => {
  const files = memoryFiles({
    "/usr/lib/x86_64-linux-gnu/libcrypto.so.3": elf({ soname: "libcrypto.so.3" }),
    "/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so": elf(),
    "/usr/lib/x86_64-linux-gnu/engines-3/afalg.so": elf(),
    "/usr/lib/x86_64-linux-gnu/sasl2/libplain.so": elf(),
    "/opt/x/libsasl2.so.2": elf({ soname: "libsasl2.so.2" }),
    "/opt/x/sasl2/own.so": elf(),
  });
  const { paths } = await expand(files, [traced("/usr/lib/x86_64-linux-gnu/libcrypto.so.3")]);
  assert.ok(paths.has("/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so"));
  assert.ok(paths.has("/usr/lib/x86_64-linux-gnu/engines-3/afalg.so"));
  assert.ok(!paths.has("/usr/lib/x86_64-linux-gnu/sasl2/libplain.so"));
  const other = await expand(files, [traced("/opt/x/libsasl2.so.2")]);
  assert.equal(other.paths.get("/opt/x/sasl2/own.so")?.[0]?.kind, "loaded");
});

test("python: directories that .pth and .egg-link files name, and links to directories in a tree", async () => {
  const files = memoryFiles({
    "/usr/bin/python3.9": elf(),
    "/usr/lib/python3.9/os.py": "x",
    "/usr/lib/python3/dist-packages/shop.pth":
      "import site; site.main()\n# no\n/home/dev/shop/src\n../../extra\n/\n/none\n",
    "/usr/lib/python3/dist-packages/own.egg-link": "/home/dev/own/src\n.\n",
    "/usr/lib/python3/dist-packages/linked": { link: "/home/dev/linked" },
    "/usr/lib/python3/dist-packages/everything": { link: "/" },
    "/home/dev/shop/src/shop.py": "x",
    "/home/dev/own/src/own.py": "x",
    "/home/dev/linked/deep/l.py": "x",
    "/usr/lib/extra/e.py": "x",
    "/home/other/secret.txt": "x",
  });
  const { paths } = await expand(files, [traced("/usr/bin/python3.9", "exec")]);
  for (const path of [
    "/home/dev/shop/src/shop.py",
    "/home/dev/own/src/own.py",
    "/usr/lib/extra/e.py",
    "/home/dev/linked/deep/l.py",
  ])
    assert.equal(paths.get(path)?.[0]?.kind, "language", path);
  assert.ok(!paths.has("/home/other/secret.txt"));
});

/** A zip of one member. */
function jar(manifest: string, deflated: boolean): Uint8Array {
  const name = Buffer.from("META-INF/MANIFEST.MF");
  const content = deflated ? deflateRawSync(manifest) : Buffer.from(manifest);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50);
  local.writeUInt16LE(name.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50);
  central.writeUInt16LE(deflated ? 8 : 0, 10);
  central.writeUInt32LE(content.length, 20);
  central.writeUInt32LE(manifest.length, 24);
  central.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt32LE(46 + name.length, 12);
  end.writeUInt32LE(30 + name.length + content.length, 16);
  return Buffer.concat([local, name, content, central, name, end]);
}

test("java: jars bring what their Class-Path names", async () => {
  const folded =
    "Manifest-Version: 1.0\r\nClass-Path: lib/a.jar ../share/b%20c.jar http://x/y.jar classe\r\n s/ none.jar\r\n";
  for (const deflated of [false, true]) {
    const files = memoryFiles({
      "/srv/app/main.jar": jar(folded, deflated),
      "/srv/app/lib/a.jar": jar("Manifest-Version: 1.0\r\n\r\n", true),
      "/srv/share/b c.jar": "no zip",
      "/srv/app/classes/deep/X.class": "x",
    });
    // Outside of an application's directory nothing else would take them.
    const { paths } = await expand(files, [
      { path: "/srv/app/main.jar", reason: { kind: "base", detail: "x" } },
    ]);
    for (const path of ["/srv/app/lib/a.jar", "/srv/share/b c.jar", "/srv/app/classes/deep/X.class"])
      assert.ok(paths.has(path), path);
  }
  assert.deepEqual(manifestClassPath("Class-Path: a.jar\n  b.jar\nX: y"), ["a.jar", "b.jar"]);
  const hostile = jar(folded, true);
  for (let at = 0; at < hostile.length; at += 7) {
    const broken = hostile.slice();
    broken[at] = 0xff;
    await expand(memoryFiles({ "/srv/app/main.jar": broken }), [traced("/srv/app/main.jar")]);
  }
});

test("env -S: options, variables and quotes before the program", () => {
  const program = (line: string) => parseShebang(Buffer.from(`#!/usr/bin/env ${line}\n`))?.envProgram;
  assert.equal(program("python3"), "python3");
  assert.equal(program("-S python3 -u"), "python3");
  assert.equal(program("-S -i A=1 -u HOME python3 -m x"), "python3");
  assert.equal(program("-vS --chdir /srv node --x"), "node");
  assert.equal(program(`-S A='b c' "py thon"`), "py thon");
  assert.equal(program("-i python3"), undefined);
});

test("a program of nobody's package brings its directory, as far as that is one application's", async () => {
  const files = memoryFiles({
    "/home/deploy/shop/package.json": "{}",
    "/home/deploy/shop/src/main.js": "x",
    "/home/deploy/shop/src/pages/rare.js": "x",
    "/home/deploy/shop/views/rare.html": "x",
    "/home/deploy/shop/log/shop.log": "x",
    "/home/deploy/shop/.git/HEAD": "x",
    "/home/deploy/other/main.py": "x",
    "/home/deploy/other/rare.py": "x",
    "/home/deploy/asked/main.py": "x",
    "/home/deploy/asked/rare.py": "x",
    "/home/deploy/notes.txt": "x",
    "/var/www/board/app.py": "x",
    "/var/www/board/models/rare.py": "x",
    "/var/www/next/app.py": "x",
    "/data/engine/bin/engine": { content: "x", mode: 0o755 },
    "/data/engine/share/rare.dat": "x",
    "/usr/local/bin/tool": { content: "#!/bin/sh\n", mode: 0o755 },
    "/usr/local/lib/tool/Rare.pm": "x",
    "/usr/local/share/tool/rare.txt": "x",
    "/usr/local/share/man/man1/tool.1": "x",
    "/usr/local/lib/another/A.pm": "x",
    "/home/deploy/start.sh": "x",
    "/home/deploy/read.txt": "x",
  });
  const { paths, candidates } = await expand(files, [
    traced("/home/deploy/shop/src/main.js"),
    traced("/var/www/board/app.py", "argument"),
    traced("/data/engine/bin/engine", "exec"),
    traced("/usr/local/bin/tool", "exec"),
    traced("/home/deploy/start.sh"),
    traced("/home/deploy/other/main.py", "stat"),
    {
      path: "/home/deploy/asked/main.py",
      reason: { kind: "rule", detail: "--include /home/deploy/asked/main.py" },
    },
  ]);
  for (const path of [
    "/home/deploy/shop/src/pages/rare.js",
    "/home/deploy/shop/views/rare.html",
    "/home/deploy/shop/log",
    "/var/www/board/models/rare.py",
    "/data/engine/share/rare.dat",
    "/usr/local/lib/tool/Rare.pm",
    "/usr/local/share/tool/rare.txt",
  ])
    assert.ok(paths.has(path), path);
  for (const path of [
    "/home/deploy/shop/log/shop.log",
    "/home/deploy/notes.txt",
    "/home/deploy/other/rare.py",
    "/home/deploy/asked/rare.py",
    "/var/www/next/app.py",
    "/usr/local/share/man/man1/tool.1",
    "/usr/local/lib/another/A.pm",
  ])
    assert.ok(!paths.has(path), path);
  assert.ok(candidates.some((one) => one.path === "/home/deploy/shop/.git"));
});

test("modules that a user installed for himself come whole", async () => {
  const site = "/home/deploy/.local/lib/python3.9/site-packages";
  const gems = "/home/deploy/.gem/ruby/2.7.0";
  const files = memoryFiles({
    [`${site}/used/__init__.py`]: "x",
    [`${site}/used/rare/__init__.py`]: "x",
    [`${site}/other/__init__.py`]: "x",
    [`${gems}/gems/used-1.0/lib/used.rb`]: "x",
    [`${gems}/gems/used-1.0/lib/used/rare.rb`]: "x",
    [`${gems}/specifications/used-1.0.gemspec`]: "x",
    "/home/deploy/.local/bin/tool": "x",
  });
  const { paths } = await expand(files, [
    traced(`${site}/used/__init__.py`),
    traced(`${gems}/gems/used-1.0/lib/used.rb`),
  ]);
  for (const path of [
    `${site}/used/rare/__init__.py`,
    `${site}/other/__init__.py`,
    `${gems}/gems/used-1.0/lib/used/rare.rb`,
    `${gems}/specifications/used-1.0.gemspec`,
  ])
    assert.equal(paths.get(path)?.[0]?.kind, "language", path);
  assert.ok(!paths.has("/home/deploy/.local/bin/tool"));
});

test("the tables of character sets come with the few sets that every package has", async () => {
  const gconv = "/usr/lib/x86_64-linux-gnu/gconv";
  const files = memoryFiles({
    "/lib/x86_64-linux-gnu/libc.so.6": elf({ soname: "libc.so.6" }),
    [`${gconv}/gconv-modules`]: "x",
    [`${gconv}/gconv-modules.d/gconv-modules-extra.conf`]: "x",
    [`${gconv}/UTF-16.so`]: elf(),
    [`${gconv}/EUC-JP.so`]: elf(),
  });
  const { paths } = await expand(files, [traced("/lib/x86_64-linux-gnu/libc.so.6")]);
  assert.ok(paths.has(`${gconv}/gconv-modules.d/gconv-modules-extra.conf`));
  assert.ok(paths.has(`${gconv}/UTF-16.so`));
  assert.ok(!paths.has(`${gconv}/EUC-JP.so`));
});

test("a data directory is taken with the directories that links in it lead to, and none that is no data", async () => {
  const files = memoryFiles({
    "/usr/lib/postgresql/13/bin/postgres": elf(),
    "/var/lib/postgresql/13/main": { link: "/srv/data/main" },
    "/var/lib/postgresql/13/everything": { link: "/srv" },
    "/var/lib/postgresql/13/log": { link: "/var/log/postgresql" },
    "/srv/data/main/base/1": "rows",
    "/srv/data/main/pg_tblspc/1": { link: "/mnt/fast/space" },
    "/mnt/fast/space/1": "rows",
    "/srv/other": "x",
    "/var/log/postgresql/old/x": "x",
  });
  const { paths } = await expand(files, [traced("/usr/lib/postgresql/13/bin/postgres", "exec")]);
  for (const path of ["/srv/data/main/base/1", "/mnt/fast/space/1"])
    assert.equal(paths.get(path)?.[0]?.kind, "data", path);
  for (const path of ["/srv/other", "/var/log/postgresql/old/x"]) assert.ok(!paths.has(path), path);
});

test("python: the link of a virtual environment that a program is started by brings the environment", async () => {
  const files = memoryFiles({
    "/usr/bin/python3.9": elf(),
    "/usr/bin/python3": { link: "python3.9" },
    "/home/shopd/venv/bin/python3": { link: "/usr/bin/python3" },
    "/home/shopd/venv/pyvenv.cfg": "home = /usr/bin\n",
    "/home/shopd/venv/lib/python3.9/site-packages/flask/app.py": "x",
    "/home/other/bin/python3": { link: "/usr/bin/python3" },
    "/home/other/letters": "x",
  });
  const started = (path: string): Seed => ({
    path,
    reason: { kind: "rule", detail: "program x is started with it" },
  });
  const { paths } = await expand(files, [
    started("/home/shopd/venv/bin/python3"),
    started("/home/other/bin/python3"),
  ]);
  for (const path of ["pyvenv.cfg", "lib/python3.9/site-packages/flask/app.py"])
    assert.equal(paths.get(`/home/shopd/venv/${path}`)?.[0]?.kind, "language", path);
  assert.ok(!paths.has("/home/other/letters"));
});
