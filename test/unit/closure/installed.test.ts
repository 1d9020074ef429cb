import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { configurationStates } from "../../../src/closure/edited.ts";
import { expand } from "../../../src/closure/expand.ts";
import { loadInstalled } from "../../../src/closure/installed.ts";
import { memoryFiles } from "../../support/memory-files.ts";
import { rpmDatabase } from "../../support/rpm.ts";

const info = "/var/lib/dpkg/info";
const status = (...stanzas: Array<Record<string, string>>): string =>
  stanzas
    .map((fields) =>
      Object.entries({ Status: "install ok installed", ...fields })
        .map(([key, value]) => `${key}: ${value}\n`)
        .join(""),
    )
    .join("\n");

const machine = {
  "/lib": { link: "usr/lib" },
  "/usr/lib/shop/engine": "x",
  "/usr/lib/shop/untouched": "x",
  "/usr/share/doc/shop/README": "x",
  "/etc/shop/sites/added-later.conf": "x",
  "/usr/share/base/data": "x",
  "/usr/bin/tool": "x",
  "/usr/bin/tool.distrib": "x",
  "/var/lib/dpkg/status": status(
    { Package: "shop", Depends: "base-data | other, httpd, dpkg (>= 1)" },
    { Package: "base-data" },
    { Package: "server", Provides: "httpd", "Pre-Depends": "shop" },
    { Package: "dpkg" },
    { Package: "gone", Status: "deinstall ok config-files" },
  ),
  [`${info}/shop.list`]:
    "/.\n/lib\n/lib/shop\n/lib/shop/engine\n/lib/shop/untouched\n/usr/share/doc/shop/README\n/etc\n/etc/shop\n/etc/shop/sites\n/usr/bin/tool\n",
  [`${info}/base-data.list`]: "/usr/share/base/data\n",
  [`${info}/server:amd64.list`]: "/usr/bin/tool\n",
  [`${info}/dpkg.list`]: "/usr/bin/dpkg\n",
  "/var/lib/dpkg/diversions": "/usr/bin/tool\n/usr/bin/tool.distrib\nserver\n",
};

test("owners through merged /usr and diversions, dependencies through Provides", async () => {
  const installed = await loadInstalled(memoryFiles(machine));
  assert.deepEqual(installed.owner("/usr/lib/shop/engine"), ["shop"]);
  assert.deepEqual(installed.owner("/lib/shop/engine"), ["shop"]);
  assert.deepEqual(installed.owner("/usr/bin/tool"), ["server"]);
  assert.deepEqual(installed.owner("/usr/bin/tool.distrib"), ["shop"]);
  assert.deepEqual(installed.owner("/nobody"), []);
  assert.deepEqual(installed.depends("shop"), ["base-data", "dpkg", "server"]);
  assert.deepEqual(
    installed.all().map((one) => one.name),
    ["base-data", "dpkg", "server", "shop"],
  );
  assert.deepEqual(installed.problems, []);
});

test("a corrupt database is reported by line and used as far as it goes", async () => {
  const installed = await loadInstalled(
    memoryFiles({
      ...machine,
      "/var/lib/dpkg/status": `${machine["/var/lib/dpkg/status"]}\n\x00\x01garbage`,
    }),
  );
  assert.equal(installed.all().length, 4);
  assert.deepEqual(installed.problems.map((one) => [one.path, one.line])[0], ["/var/lib/dpkg/status", 19]);
});

test("a missing list, a half-installed package and a foreign database are reported", async () => {
  const broken = await loadInstalled(
    memoryFiles({
      "/var/lib/dpkg/status": status({ Package: "a" }, { Package: "b", Status: "install ok half-installed" }),
      [`${info}/b.list`]: "/b\n",
    }),
  );
  assert.deepEqual(
    broken.problems.map((one) => one.message),
    ["b is half-installed", "the list of files is missing"],
  );
  const rpm = await loadInstalled(memoryFiles({ "/var/lib/rpm/Packages": "x" }));
  assert.match(rpm.problems[0]?.message ?? "", /no database of rpm/);
  const apk = await loadInstalled(memoryFiles({ "/lib/apk/db/installed": "x" }));
  assert.match(apk.problems[0]?.message ?? "", /not read/);
});

test("rpm: owners, merged /usr, dependencies by name, path and provided name; two databases of one machine", async () => {
  const installed = await loadInstalled(
    memoryFiles({ ...machine, "/usr/lib/sysimage/rpm/Packages.db": rpmDatabase("Packages.db") }),
  );
  assert.deepEqual(installed.problems, []);
  assert.deepEqual(installed.owner("/lib/shop/plugins/plugin005"), ["shop-plugin005"]);
  assert.deepEqual(installed.owner("/usr/share/base/data"), ["base-data"]);
  assert.deepEqual(installed.depends("shop-plugin005"), ["shop"]);
  assert.equal(installed.get("shop-common")?.version, "2:1.4-3.el9");
  assert.deepEqual(
    ["server", "shop", "shop-common"].map((name) => installed.get(name)?.manager),
    ["dpkg", "dpkg", "rpm"],
  );
  const alone = await loadInstalled(memoryFiles({ "/var/lib/rpm/Packages": rpmDatabase("Packages") }));
  assert.equal(alone.all().length, 24);
  assert.deepEqual(
    alone.depends("shop"),
    ["shop", "shop-common"],
    "by name, by path, by rich and provided names",
  );
});

test("a used file brings its package and the dependencies, without documentation and tooling", async () => {
  const files = memoryFiles({ ...machine, "/usr/bin/dpkg": "x" });
  const expansion = await expand(files, [
    { path: "/lib/shop/engine", reason: { kind: "traced", detail: "open" } },
  ]);
  const untouched = expansion.paths.get("/usr/lib/shop/untouched");
  assert.deepEqual(untouched, [{ kind: "installed", from: "/usr/lib/shop/engine", detail: "shop" }]);
  assert.ok(expansion.paths.has("/usr/share/base/data"));
  assert.ok(expansion.paths.has("/usr/bin/tool"));
  assert.ok(expansion.paths.has("/etc/shop/sites/added-later.conf"), "below a directory of the package");
  assert.ok(!expansion.paths.has("/usr/share/doc/shop/README"));
  assert.ok(!expansion.paths.has("/usr/bin/dpkg"));
  assert.deepEqual(expansion.packages, ["base-data", "server", "shop"]);
  const because = new Map(expansion.candidates.map((one) => [one.path, one.because]));
  assert.equal(because.get("/usr/share/doc/shop/README"), "documentation");
  assert.match(because.get("package:dpkg") ?? "", /installation/);
});

test("what lies in a directory of one package and belongs to none comes along; shared directories are left alone", async () => {
  const files = memoryFiles({
    ...machine,
    "/usr/lib/shop/plugins/site/extra": "x",
    "/usr/lib/shop/own-plugin": "x",
    "/usr/share/base/added": "x",
    "/usr/share/locale/xx/file": "x",
    [`${info}/base-data.list`]: "/usr/share/base\n/usr/share/base/data\n/usr/share/locale\n",
  });
  const expansion = await expand(files, [
    { path: "/lib/shop/engine", reason: { kind: "traced", detail: "open" } },
  ]);
  for (const path of ["/usr/lib/shop/own-plugin", "/usr/lib/shop/plugins/site/extra"])
    assert.deepEqual(expansion.paths.get(path), [
      { kind: "listed", from: "/usr/lib/shop", detail: "unowned in a directory of shop" },
    ]);
  assert.ok(expansion.paths.has("/usr/share/base/added"));
  assert.ok(!expansion.paths.has("/usr/share/locale/xx/file"));
});

test("configuration files are held against the digests that dpkg keeps", async () => {
  const files = memoryFiles({
    "/etc/a": "as it was\n",
    "/etc/b": "edited\n",
    "/etc/dir/x": "",
    "/etc/moved": { link: "a" },
    "/var/lib/dpkg/status": status({
      Package: "shop",
      Version: "1",
      Conffiles: [
        `/etc/a ${digest("as it was\n")}`,
        `/etc/b ${digest("as it was\n")}`,
        `/etc/dir ${digest("")}`,
        `/etc/moved ${digest("as it was\n")}`,
        `/etc/none ${digest("")}`,
        `/etc/old ${digest("")} obsolete`,
        "/etc/new newconffile",
      ]
        .map((line) => `\n ${line}`)
        .join(""),
    }),
    [`${info}/shop.list`]: "/etc/a\n",
  });
  const states = await configurationStates(files, await loadInstalled(files));
  assert.deepEqual(
    states.map(({ path, state }) => `${path} ${state}`),
    ["/etc/a same", "/etc/b edited", "/etc/dir other", "/etc/moved same", "/etc/none gone"],
  );
});

function digest(text: string): string {
  return createHash("md5").update(text).digest("hex");
}
