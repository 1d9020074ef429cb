// What configurations include and what variables search, on small machines.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Seed } from "../../../src/closure/expand.ts";
import { expand } from "../../../src/closure/expand.ts";
import { verifyClosure } from "../../../src/closure/verify.ts";
import { buildElf } from "../../support/elf-builder.ts";
import { memoryFiles } from "../../support/memory-files.ts";

const traced = (path: string, detail = "open"): Seed => ({ path, reason: { kind: "traced", detail } });
const loader = "/lib64/ld-linux-x86-64.so.2";
const program = (parts: Parameters<typeof buildElf>[0] = {}) => ({
  content: buildElf({ interpreter: loader, ...parts }),
  mode: 0o755,
});
const library = (parts: Parameters<typeof buildElf>[0] = {}) => ({ content: buildElf(parts) });
const script = (content: string) => ({ content: `#!/bin/sh\n${content}`, mode: 0o755 });

function holds(
  paths: ReadonlyMap<string, unknown>,
  wanted: readonly string[],
  unwanted: readonly string[] = [],
): void {
  for (const path of wanted) assert.ok(paths.has(path), `${path} is not in`);
  for (const path of unwanted) assert.ok(!paths.has(path), `${path} is in`);
}

test("includes by pattern, by relative name and with variables bring files and what these name", async () => {
  const files = memoryFiles({
    "/etc/httpd/conf/httpd.conf":
      'ServerRoot "/srv/httpd"\nDefine SITE /data/site\nInclude conf.modules.d/*.conf\nIncludeOptional sites/[a-m]*.conf\nInclude ${WHERE}/more.conf\nLoadModule a modules/mod_a.so\n# Include conf.modules.d/off.txt\n',
    "/srv/httpd/conf.modules.d/00.conf": "MimeMagicFile conf/magic.txt\n",
    "/srv/httpd/conf.modules.d/off.txt": "x",
    "/srv/httpd/conf/magic.txt": "x",
    "/srv/httpd/modules/mod_a.so": "x",
    "/srv/httpd/modules/mod_b.so": "x",
    "/srv/httpd/sites/blog.conf": "DocumentRoot ${SITE}/blog\nErrorDocument 404 ${SITE}/404.html\n",
    "/srv/httpd/sites/zoo.conf": "x",
    "/data/site/blog/page.html": "x",
    "/data/site/404.html": "x",
    "/data/site/other": "x",
    "/etc/httpd/envvars": ': ${WHERE:=/x}\nexport WHERE="/opt/web$SUFFIX"\n',
    "/opt/web/more.conf": "x",
    "/opt/web/not.txt": "x",
  });
  const { paths } = await expand(files, [
    traced("/etc/httpd/conf/httpd.conf"),
    traced("/srv/httpd/sites/blog.conf"),
  ]);
  holds(
    paths,
    [
      "/srv/httpd/conf.modules.d/00.conf", "/srv/httpd/conf/magic.txt", "/srv/httpd/modules/mod_a.so", "/srv/httpd/sites/blog.conf",
      "/data/site/blog/page.html", "/data/site/404.html", "/opt/web/more.conf",
    ],
    ["/opt/web/not.txt"],
  ); // biome-ignore format: short
});

test("a file that was looked at before its includer is looked at again with what that one sets", async () => {
  const files = memoryFiles({
    "/etc/a/early.conf": "page ${ROOT}/page.html\n",
    "/etc/a/z/main.conf": "Define ROOT /data/a\nInclude /etc/a/early.conf\n",
    "/data/a/page.html": "x",
  });
  holds((await expand(files, [traced("/etc/a/early.conf"), traced("/etc/a/z/main.conf")])).paths, [
    "/data/a/page.html",
  ]);
});

test("inside of a chroot absolute names are meant there; directories of the start count as bases", async () => {
  const files = memoryFiles({
    "/etc/unbound/unbound.conf": 'chroot: "/var/jail"\nauto-trust-anchor-file: "/keys/root.key"\n',
    "/var/jail/keys/root.key": "x",
    "/srv/named/etc/n.conf":
      'options { directory "/zones"; };\ninclude "/etc/more.conf";\nzone "a" { file "a.db"; };\n',
    "/srv/named/etc/more.conf": "x",
    "/zones/a.db": "x",
  });
  const starts = [
    {
      name: "main",
      command: ["/usr/sbin/named", "-t", "/srv/named", "-c", "etc/n.conf"],
      variables: {},
      workingDirectory: "/srv/named",
    },
  ];
  const { paths } = await expand(files, [traced("/etc/unbound/unbound.conf")], { starts });
  holds(paths, [
    "/var/jail/keys/root.key",
    "/srv/named/etc/n.conf",
    "/srv/named/etc/more.conf",
    "/zones/a.db",
  ]);
});

test("variables of the start: libraries, preloads, trees of languages, class paths", async () => {
  const files = memoryFiles({
    "/usr/lib64/ld-linux-x86-64.so.2": library(),
    "/lib64": { link: "usr/lib64" },
    "/usr/bin/app": program({ needed: ["libown.so.1", "libgone.so.1"] }),
    "/data/own/libown.so.1": library({ soname: "libown.so.1", needed: ["libdeep.so"] }),
    "/data/own/libdeep.so": library({ soname: "libdeep.so" }),
    "/data/own/plugin.so": library(),
    "/data/pre/hook.so": library(),
    "/data/py/a/m.py": "x",
    "/data/jars/a.jar": "x",
    "/data/jars/readme": "x",
    "/data/one.jar": "x",
    "/data/conf.xml": "x",
    "/data/notnamed": "x",
  });
  const start = {
    name: "main",
    command: ["/usr/bin/java", "-cp", "/data/jars/*:/data/one.jar", "-Dfile=/data/conf.xml"],
    variables: {
      LD_LIBRARY_PATH: "/data/own:",
      LD_PRELOAD: "/data/pre/hook.so",
      PYTHONPATH: "a",
      PATH: "/data",
    },
    workingDirectory: "/data/py",
  };
  const { paths, missing } = await expand(files, [traced("/usr/bin/app", "exec")], { starts: [start] });
  holds(
    paths,
    ["/data/own/libown.so.1", "/data/own/libdeep.so", "/data/own/plugin.so", "/data/pre/hook.so", "/data/py/a/m.py", "/data/jars/a.jar", "/data/one.jar", "/data/conf.xml"],
    ["/data/notnamed", "/data/jars/readme"],
  ); // biome-ignore format: short
  assert.deepEqual(
    missing.map((one) => one.path),
    ["libgone.so.1"],
  );
  const entries = (path: string) => files.stat(path, { follow: false });
  const findings = await verifyClosure({
    paths: paths.keys(),
    entry: entries,
    readRange: files.readRange.bind(files),
  });
  assert.deepEqual(
    findings.map((one) => one.wants),
    ["libgone.so.1"],
  );
});

test("variables with patterns and lists, and class paths in a line for the shell, bring what is there", async () => {
  const files = memoryFiles({
    "/usr/bin/app": program(),
    "/etc/app/a.conf": "x",
    "/etc/app/b.conf": "x",
    "/etc/app/notes.txt": "x",
    "/srv/one/x": "x",
    "/srv/two.yml": "x",
    "/srv/three.yml": "x",
    "/srv/url.xml": "x",
    "/srv/agent.jar": "x",
    "/srv/home/deep/file": "x",
    "/srv/odd [1].conf": "x",
    "/data/jars/a.jar": "x",
    "/data/jars/readme": "x",
    "/srv/unnamed": "x",
  });
  const start = {
    name: "main",
    command: ["/bin/sh", "-c", 'umask 27; exec "/usr/bin/java" -cp "/data/jars/*" Main'],
    variables: {
      CONFIG: "/etc/app/*.conf",
      FILES: "/srv/two.yml,/srv/three.yml;/srv/gone",
      TREES: "/srv/one:/srv/none",
      JAVA_OPTS: "-javaagent:/srv/agent.jar=port -Dapp.home=/srv/home -Dlog=file:///srv/url.xml",
      ODD: "/srv/odd [1].conf",
      LINK: "https://example.org/srv/unnamed",
    },
    workingDirectory: "/",
  };
  const { paths } = await expand(files, [traced("/usr/bin/app", "exec")], { starts: [start] });
  holds(
    paths,
    [
      "/etc/app/a.conf", "/etc/app/b.conf", "/srv/two.yml", "/srv/three.yml", "/srv/one/x", "/srv/agent.jar", "/srv/home/deep/file", "/srv/url.xml",
      "/srv/odd [1].conf", "/data/jars/a.jar",
    ],
    ["/etc/app/notes.txt", "/data/jars/readme", "/srv/unnamed"],
  ); // biome-ignore format: short
});

test("a script that starts the program sets its library path; one that nobody used does not", async () => {
  const tree = {
    "/bin/sh": "x",
    "/usr/lib64/ld-linux-x86-64.so.2": library(),
    "/lib64": { link: "usr/lib64" },
    "/usr/bin/real": program({ needed: ["libown.so.1"] }),
    "/usr/bin/start": script(
      'top=$(cd "$(dirname "$0")/../share/app" && pwd)\nLD_LIBRARY_PATH=$top/lib exec /usr/bin/real\n',
    ),
    "/usr/share/app/lib/libown.so.1": library({ soname: "libown.so.1" }),
  };
  const used = await expand(memoryFiles(tree), [
    traced("/usr/bin/start", "exec"),
    traced("/usr/bin/real", "exec"),
  ]);
  holds(used.paths, ["/usr/share/app/lib/libown.so.1"]);
  assert.deepEqual(used.missing, []);
  const alone = await expand(memoryFiles(tree), [traced("/usr/bin/real", "exec")]);
  assert.deepEqual(
    alone.missing.map((one) => one.path),
    ["libown.so.1"],
  );
});

test("an egg-link counts by its first line, a finder of an editable installation by what it maps to", async () => {
  const files = memoryFiles({
    "/home/x/lib/site-packages/one.egg-link": "/data/one/src\n../\n",
    "/home/x/lib/site-packages/__editable___two_finder.py":
      "MAPPING: dict[str, str] = {'two': '/data/two'}\n",
    "/home/x/lib/site-packages/__editable__.two.pth":
      "import __editable___two_finder; __editable___two_finder.install()\n",
    "/home/x/lib/beside": "x",
    "/data/one/src/one.py": "x",
    "/data/one/tests/t.py": "x",
    "/data/two/__init__.py": "x",
  });
  const site = ["one.egg-link", "__editable___two_finder.py", "__editable__.two.pth"];
  const { paths } = await expand(
    files,
    site.map((name) => traced(`/home/x/lib/site-packages/${name}`)),
  );
  holds(
    paths,
    ["/data/one/src/one.py", "/data/two/__init__.py"],
    ["/home/x/lib/beside", "/data/one/tests/t.py"],
  );
});
