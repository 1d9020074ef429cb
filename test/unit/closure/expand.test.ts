import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../../src/base/errors.ts";
import type { Expansion, Seed } from "../../../src/closure/expand.ts";
import { expand } from "../../../src/closure/expand.ts";
import { verifyClosure } from "../../../src/closure/verify.ts";
import type { MachineFiles } from "../../../src/machine/machine.ts";
import { buildElf } from "../../support/elf-builder.ts";
import { memoryFiles } from "../../support/memory-files.ts";

const loader = "/lib64/ld-linux-x86-64.so.2";
const program = (parts: Parameters<typeof buildElf>[0] = {}) => ({
  content: buildElf({ interpreter: loader, ...parts }),
  mode: 0o755,
});
const library = (parts: Parameters<typeof buildElf>[0] = {}) => ({ content: buildElf(parts) });
/** The strings of a loader that say where it searches. */
const loaderFile = library({
  extra: "\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0lib/x86_64-linux-gnu\0",
});

const traced = (path: string, detail = "open"): Seed => ({ path, reason: { kind: "traced", detail } });

/** A root with merged /usr, a loader and a libc. */
const minimal = {
  "/lib": { link: "usr/lib" },
  "/lib64": { link: "usr/lib64" },
  "/usr/lib64/ld-linux-x86-64.so.2": loaderFile,
  "/usr/lib/x86_64-linux-gnu/libc.so.6": library({ soname: "libc.so.6" }),
} as const;

function kindsOf(expansion: Expansion, path: string): string[] {
  return (expansion.paths.get(path) ?? []).map((reason) => reason.kind);
}

test("follows links and adds parents, each with its reason", async () => {
  const files = memoryFiles({
    "/srv/current": { link: "releases/2" },
    "/srv/releases/2": { link: "../../data/two" },
    "/data/two/page.html": "x",
  });
  const expansion = await expand(files, [traced("/srv/current/page.html")]);
  assert.deepEqual(expansion.paths.get("/data/two/page.html"), [{ kind: "traced", detail: "open" }]);
  assert.deepEqual(expansion.paths.get("/srv/current"), [{ kind: "link", from: "/srv/current/page.html" }]);
  assert.deepEqual(kindsOf(expansion, "/srv/releases/2"), ["link"]);
  assert.deepEqual(expansion.paths.get("/data/two"), [{ kind: "parent", from: "/data/two/page.html" }]);
  assert.ok(expansion.paths.has("/data"));
});

test("a dangling link is kept, an absent seed is missing, a loop ends", async () => {
  const files = memoryFiles({
    "/a/dangling": { link: "/nowhere" },
    "/a/x": { link: "y" },
    "/a/y": { link: "x" },
  });
  const expansion = await expand(files, [traced("/a/dangling"), traced("/a/gone"), traced("/a/x/file")]);
  assert.deepEqual(kindsOf(expansion, "/a/dangling"), ["link"]);
  assert.deepEqual(
    expansion.missing.map((one) => one.path),
    ["/a/gone"],
  );
  assert.ok(expansion.paths.has("/a/x") && expansion.paths.has("/a/y"));
});

test("takes the libraries of libraries, the interpreter, and names what does not exist", async () => {
  const files = memoryFiles({
    ...minimal,
    "/usr/bin/app": program({ needed: ["liba.so.1", "libgone.so.9"] }),
    "/usr/lib/x86_64-linux-gnu/liba.so.1": { link: "liba.so.1.2.3" },
    "/usr/lib/x86_64-linux-gnu/liba.so.1.2.3": library({ soname: "liba.so.1", needed: ["libb.so"] }),
    "/usr/lib/libb.so": library({ soname: "libb.so", needed: ["libc.so.6"] }),
    // Another class under the same name stands first and is passed over.
    "/usr/lib/x86_64-linux-gnu/libb.so": library({ bits: 32, machine: 3 }),
  });
  const expansion = await expand(files, [traced("/usr/bin/app", "exec")]);
  assert.deepEqual(kindsOf(expansion, "/usr/lib64/ld-linux-x86-64.so.2")[0], "interpreter");
  assert.deepEqual(kindsOf(expansion, "/usr/lib/x86_64-linux-gnu/liba.so.1.2.3"), ["needed"]);
  assert.deepEqual(kindsOf(expansion, "/usr/lib/x86_64-linux-gnu/liba.so.1"), ["link"]);
  assert.deepEqual(
    expansion.paths.get("/usr/lib/libb.so")?.[0]?.from,
    "/usr/lib/x86_64-linux-gnu/liba.so.1.2.3",
  );
  assert.ok(!expansion.paths.has("/usr/lib/x86_64-linux-gnu/libb.so"));
  assert.ok(expansion.paths.has("/usr/lib/x86_64-linux-gnu/libc.so.6"));
  assert.deepEqual(expansion.missing, [
    { path: "libgone.so.9", reason: { kind: "needed", from: "/usr/bin/app", detail: "libgone.so.9" } },
  ]);
});

test("takes the variants for better processors and what dlopen may be given", async () => {
  const files = memoryFiles({
    ...minimal,
    "/usr/bin/app": program({
      needed: ["libm.so"],
      imports: ["dlopen"],
      extra: "\0libplugin.so.3\0libnone.so\0",
    }),
    "/usr/lib/libm.so": library(),
    "/usr/lib/haswell/libm.so": library(),
    "/usr/lib/glibc-hwcaps/x86-64-v3/libm.so": library(),
    "/usr/lib/libplugin.so.3": library(),
  });
  const expansion = await expand(files, [traced("/usr/bin/app", "exec")]);
  assert.ok(expansion.paths.has("/usr/lib/haswell/libm.so"));
  assert.ok(expansion.paths.has("/usr/lib/glibc-hwcaps/x86-64-v3/libm.so"));
  assert.deepEqual(expansion.paths.get("/usr/lib/libplugin.so.3"), [
    { kind: "loaded", from: "/usr/bin/app", detail: "libplugin.so.3" },
  ]);
  assert.deepEqual(expansion.missing, []);
});

test("takes the plug-ins of a directory that a program was built with, and never those of all programs", async () => {
  const files = memoryFiles({
    ...minimal,
    "/usr/bin/app": program({
      imports: ["dlopen"],
      extra: "\0/usr/lib/app/plugin\0/usr/lib\0/usr/lib/x86_64-linux-gnu/\0/srv/plugins\0",
    }),
    "/usr/bin/other": program({ extra: "\0/usr/lib/other/plugin\0" }),
    "/usr/lib/app/plugin/one.so": library(),
    "/usr/lib/app/plugin/notes.txt": "text",
    "/usr/lib/other/plugin/two.so": library(),
    "/usr/lib/libelse.so": library(),
    "/srv/plugins/three.so": library(),
  });
  const expansion = await expand(files, [traced("/usr/bin/app", "exec"), traced("/usr/bin/other", "exec")]);
  assert.deepEqual(expansion.paths.get("/usr/lib/app/plugin/one.so"), [
    { kind: "loaded", from: "/usr/bin/app", detail: "plug-in of a directory that it names" },
  ]);
  for (const path of ["/usr/lib/app/plugin/notes.txt", "/usr/lib/other/plugin/two.so", "/usr/lib/libelse.so", "/srv/plugins/three.so"]) // biome-ignore format: one line
    assert.ok(!expansion.paths.has(path), path);
});

test("scripts bring their interpreter, also through env", async () => {
  const files = memoryFiles({
    ...minimal,
    "/srv/app/run": { content: "#!/usr/bin/env tool\n", mode: 0o755 },
    "/usr/bin/env": program(),
    "/usr/local/bin/tool": { content: "#!/bin/lost -x\n", mode: 0o755 },
  });
  const expansion = await expand(files, [traced("/srv/app/run", "exec")]);
  assert.deepEqual(kindsOf(expansion, "/usr/bin/env"), ["interpreter"]);
  assert.deepEqual(kindsOf(expansion, "/usr/local/bin/tool"), ["interpreter"]);
  assert.deepEqual(expansion.missing, [
    { path: "/bin/lost", reason: { kind: "interpreter", from: "/usr/local/bin/tool" } },
  ]);
});

test("never takes kernel parts, secrets, logs, caches, sockets; says so", async () => {
  const files = memoryFiles({
    "/boot/vmlinuz-5.10": "k", "/usr/lib/modules/5.10/x.ko": "k", "/vmlinuz": "k", "/swapfile": "s", "/var/log/app/app.log": "l",
    "/etc/shadow": "root:*", "/etc/ssl/private/key.pem": "p", "/var/cache/apt/x.bin": "c", "/run/app/app.pid": "1", "/proc/cpuinfo": "x",
  }); // biome-ignore format: short
  const seeds = [
    "/boot/vmlinuz-5.10",
    "/usr/lib/modules/5.10/x.ko",
    "/vmlinuz",
    "/swapfile",
    "/var/log/app/app.log",
    "/var/cache/apt/x.bin",
    "/run/app/app.pid",
    "/proc/cpuinfo",
  ];
  const expansion = await expand(
    files,
    seeds.map((path) => traced(path)),
  );
  for (const path of [...seeds, "/etc/shadow", "/etc/ssl/private/key.pem"])
    assert.ok(!expansion.paths.has(path), path);
  const because = new Map(expansion.candidates.map((one) => [one.path, one.because]));
  assert.equal(because.get("/etc/shadow"), "secret");
  assert.equal(because.get("/var/log/app/app.log"), "log file");
  assert.equal(because.get("/swapfile"), "swap file");
  assert.match(because.get("/vmlinuz") ?? "", /kernel/);
  const rule = await expand(files, [{ path: "/usr/lib/modules/5.10/x.ko", reason: { kind: "rule" } }]);
  assert.ok(!rule.paths.has("/usr/lib/modules/5.10/x.ko"), "not even when asked for");
});

test("a listed directory brings its names, a shared one only candidates", async () => {
  const files = memoryFiles({ "/srv/x/a": "1", "/srv/x/b": "2", "/srv/x/sub/c": "3", "/usr/bin/other": "4" });
  const expansion = await expand(files, [traced("/srv/x", "list"), traced("/usr/bin", "list")]);
  assert.deepEqual(expansion.paths.get("/srv/x/b"), [{ kind: "listed", from: "/srv/x" }]);
  assert.ok(expansion.paths.has("/srv/x/sub"));
  assert.ok(!expansion.paths.has("/srv/x/sub/c"));
  assert.ok(!expansion.paths.has("/usr/bin/other"));
  assert.ok(expansion.candidates.some((one) => one.path === "/usr/bin/other"));
});

test("configuration brings what it names, document roots whole, comments as candidates", async () => {
  const files = memoryFiles({
    "/etc/web/web.conf":
      'DocumentRoot "/data/site"\nErrorDocument 404 /data/other/404.html\n# Old /data/old/x.html\nUser /home/joe\nCache /var/lib\n',
    "/data/site/deep/page.html": "x",
    "/data/other/404.html": "x",
    "/data/other/unnamed": "x",
    "/data/old/x.html": "x",
    "/home/joe/private": "x",
    "/var/lib/else": "x",
  });
  const expansion = await expand(files, [traced("/etc/web/web.conf")]);
  assert.deepEqual(kindsOf(expansion, "/data/site/deep/page.html"), ["listed"]);
  assert.deepEqual(expansion.paths.get("/data/other/404.html"), [
    { kind: "configuration", from: "/etc/web/web.conf" },
  ]);
  for (const path of ["/data/other/unnamed", "/data/old/x.html", "/home/joe/private", "/var/lib/else"]) {
    assert.ok(!expansion.paths.has(path), path);
  }
  assert.ok(
    expansion.candidates.some(
      (one) => one.path === "/data/old/x.html" && one.because === "named in a comment",
    ),
  );
});

test("a database brings its data directory whole", async () => {
  const files = memoryFiles({
    ...minimal,
    "/usr/sbin/mariadbd": program(),
    "/var/lib/mysql/ibdata1": "x",
    "/var/lib/mysql/app/t.ibd": "x",
    "/etc/mysql/my.cnf": "[mysqld]\ndatadir = /data/db/\n",
    "/data/db/ib": "x",
  });
  const expansion = await expand(files, [traced("/usr/sbin/mariadbd", "exec"), traced("/etc/mysql/my.cnf")]);
  assert.deepEqual(kindsOf(expansion, "/var/lib/mysql/app/t.ibd"), ["data"]);
  assert.ok(expansion.paths.has("/data/db/ib"));
});

test("language trees come with the interpreter, of its version only", async () => {
  const files = memoryFiles({
    ...minimal,
    "/usr/bin/python3": { link: "python3.9" },
    "/usr/bin/python3.9": program(),
    "/usr/lib/python3.9/decimal.py": "x",
    "/usr/lib/python3.8/decimal.py": "x",
    "/usr/lib/python3/dist-packages/yaml.py": "x",
  });
  const expansion = await expand(files, [traced("/usr/bin/python3", "exec")]);
  assert.deepEqual(expansion.paths.get("/usr/lib/python3.9/decimal.py"), [
    { kind: "language", from: "/usr/bin/python3.9", detail: "python3.9" },
  ]);
  assert.ok(expansion.paths.has("/usr/lib/python3/dist-packages/yaml.py"));
  assert.ok(!expansion.paths.has("/usr/lib/python3.8/decimal.py"));
  assert.deepEqual(expansion.languages, [{ name: "python3.9", from: "/usr/bin/python3.9" }]);
});

test("more paths than the limit is an error that names the limit", async () => {
  const files = memoryFiles({ "/srv/x/a": "1", "/srv/x/b": "2" });
  await assert.rejects(
    expand(files, [traced("/srv/x", "list")], { maxPaths: 3 }),
    (error: unknown) => isTranshipError(error, "E_LIMIT") && error.message.includes("3"),
  );
});

async function verify(files: MachineFiles, paths: string[]) {
  return verifyClosure({
    paths,
    entry: (path) => files.stat(path, { follow: false }),
    readRange: (path, offset, length) => files.readRange(path, offset, length),
  });
}

test("verifyClosure: names what is not in the set, though the machine has it", async () => {
  const files = memoryFiles({
    ...minimal,
    "/usr/bin/app": program({ needed: ["liba.so", "libc.so.6"] }),
    "/usr/lib/liba.so": library(),
    "/usr/bin/script": { content: "#!/usr/bin/app\n", mode: 0o755 },
    "/etc/link": { link: "/usr/lib/liba.so" },
    "/etc/mtab": { link: "/proc/mounts" },
    "/": { directory: true },
  });
  const all: string[] = [];
  for await (const one of files.walk("/")) if (!("error" in one)) all.push(one.path);
  assert.deepEqual(await verify(files, all), []);
  const without = (...gone: string[]) =>
    verify(
      files,
      all.filter((path) => !gone.includes(path)),
    );
  assert.deepEqual(await without("/usr/lib/liba.so"), [
    { kind: "link", path: "/etc/link", wants: "/usr/lib/liba.so" },
    { kind: "library", path: "/usr/bin/app", wants: "liba.so" },
  ]);
  assert.deepEqual(await without("/lib64"), [{ kind: "interpreter", path: "/usr/bin/app", wants: loader }]);
  assert.deepEqual(await without("/usr/bin/app"), [
    { kind: "script interpreter", path: "/usr/bin/script", wants: "/usr/bin/app" },
  ]);
});

test("a huge directory named in configuration is a candidate, unless another rule takes it whole", async () => {
  const many: Record<string, string> = {};
  for (let index = 0; index <= 20_000; index++) many[`/data/many/${index}`] = "";
  const files = memoryFiles({
    ...many,
    "/etc/a/a.conf": "store = /data/many\n",
    "/etc/b/b.conf": "DocumentRoot /data/many\n",
  });
  const named = await expand(files, [traced("/etc/a/a.conf")]);
  assert.ok(!named.paths.has("/data/many/7"));
  assert.match(named.candidates.find((one) => one.path === "/data/many")?.because ?? "", /large directory/);
  const served = await expand(files, [traced("/etc/a/a.conf"), traced("/etc/b/b.conf")]);
  assert.deepEqual(kindsOf(served, "/data/many/7"), ["listed"]);
  assert.ok(!served.candidates.some((one) => one.path === "/data/many"));
});

test("an unused script brings its interpreter, but no language tree; a used one brings both", async () => {
  const files = memoryFiles({
    ...minimal,
    "/usr/bin/python3.9": program(),
    "/usr/lib/python3.9/decimal.py": "x",
    "/srv/x/example.py": { content: "#!/usr/bin/python3.9\n", mode: 0o755 },
  });
  const unused = await expand(files, [traced("/srv/x", "list")]);
  assert.ok(unused.paths.has("/usr/bin/python3.9"));
  assert.ok(!unused.paths.has("/usr/lib/python3.9/decimal.py"));
  const used = await expand(files, [traced("/srv/x", "list"), traced("/srv/x/example.py", "exec")]);
  assert.ok(used.paths.has("/usr/lib/python3.9/decimal.py"));
});

test("a log that was written stays out, its directory comes with its owner", async () => {
  const files = memoryFiles({ "/var/log/shop/shop.log": "line\n", "/run/shop/shop.pid": "1" });
  const { paths, candidates } = await expand(files, [
    traced("/var/log/shop/shop.log", "write"),
    traced("/run/shop/shop.pid", "write"),
  ]);
  assert.ok(paths.has("/var/log/shop"));
  assert.ok(!paths.has("/var/log/shop/shop.log"));
  assert.ok(candidates.some((one) => one.path === "/var/log/shop/shop.log"));
  assert.ok(!paths.has("/run/shop"), "made anew in memory");
});

test("a program that imports system() brings the Essential packages, another does not", async () => {
  const tree = (imports: string[]) =>
    memoryFiles({
      ...minimal,
      "/usr/bin/server": program({ imports }),
      "/usr/bin/sed": { content: "sed", mode: 0o755 },
      "/usr/bin/mawk": { content: "awk", mode: 0o755 },
      "/var/lib/dpkg/status":
        "Package: sed\nEssential: yes\nPre-Depends: awk\nStatus: install ok installed\nArchitecture: amd64\nVersion: 4\n\n" +
        "Package: mawk\nProvides: awk\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n",
      "/var/lib/dpkg/info/sed.list": "/.\n/usr\n/usr/bin\n/usr/bin/sed\n",
      "/var/lib/dpkg/info/mawk.list": "/.\n/usr\n/usr/bin\n/usr/bin/mawk\n",
    });
  const { paths } = await expand(tree(["system"]), [traced("/usr/bin/server")]);
  assert.ok(paths.has("/usr/bin/sed"));
  assert.ok(paths.has("/usr/bin/mawk"), "and what they depend on, by any of its names");
  assert.ok(!(await expand(tree(["write"]), [traced("/usr/bin/server")])).paths.has("/usr/bin/sed"));
});

test("a site's own scripts bring the files that they name in quotes, and only those", async () => {
  const files = memoryFiles({
    ...minimal,
    "/etc/web/web.conf": "DocumentRoot /srv/site\n",
    "/srv/site/page.php":
      "<?php parse_ini_file('/etc/site/config.ini'); include '/opt/site/lib'; $x = /etc/site/bare.ini; exec('/usr/bin/tool');",
    "/etc/site/config.ini": "a=1",
    "/etc/site/bare.ini": "b=1",
    "/opt/site/lib/one.php": "x",
    "/usr/bin/tool": "x",
  });
  const expansion = await expand(files, [traced("/etc/web/web.conf")]);
  assert.deepEqual(expansion.paths.get("/etc/site/config.ini")?.[0], {
    kind: "configuration",
    from: "/srv/site/page.php",
  });
  assert.equal(expansion.paths.get("/etc/site/bare.ini"), undefined);
  assert.ok(expansion.candidates.some((one) => one.path === "/opt/site/lib"));
});

test("the plug-ins beside one that was loaded join; a directory of the system's libraries is none of plug-ins", async () => {
  const files = memoryFiles({
    ...minimal,
    "/usr/lib/shop/plugins/one.so": library(),
    "/usr/lib/shop/plugins/two.so": library(),
    "/usr/lib/shop/plugins/README": "no plug-in",
    "/usr/lib/x86_64-linux-gnu/libused.so.1": library(),
    "/usr/lib/x86_64-linux-gnu/libother.so.1": library(),
  });
  const seeds = [
    traced("/usr/lib/shop/plugins/one.so", "read"),
    traced("/usr/lib/x86_64-linux-gnu/libused.so.1", "read"),
  ];
  const expansion = await expand(files, seeds);
  assert.deepEqual(kindsOf(expansion, "/usr/lib/shop/plugins/two.so"), ["loaded"]);
  assert.equal(expansion.paths.has("/usr/lib/shop/plugins/README"), false);
  assert.equal(expansion.paths.has("/usr/lib/x86_64-linux-gnu/libother.so.1"), false);
});
