// What no run has shown: the words of start scripts, working directories, and the configuration of packages that were named.
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandSeeds } from "../../../src/capture/seeds/command-seeds.ts";
import { configurationSeeds } from "../../../src/capture/seeds/configuration-seeds.ts";
import { loadInstalled } from "../../../src/closure/installed.ts";
import { findShellCommands } from "../../../src/formats/shell-commands.ts";
import { newDescriptor } from "../../../src/package/descriptor.ts";
import { memoryMachine } from "../../support/memory-machine.ts";

const text = (lines: string) => ({ text: lines, mode: 0o755 });

test("commands and paths of a shell script", () => {
  const script = `#!/bin/sh
# rm -rf /srv/never
. /etc/default/shop
[ -x /usr/sbin/shop ] || exit 0
case "$1" in
start) start-stop-daemon --start --exec /usr/sbin/shop -- -c "/etc/shop/shop.conf" && logger done ;;
esac
if ! LANG=C grep -q x /etc/mailname; then
  VALUE=$(hostname -f) \\
  helper /opt/shop/data
fi
`;
  const { names, paths } = findShellCommands(script);
  for (const name of ["start-stop-daemon", "logger", "grep", "hostname", "helper"])
    assert.ok(names.includes(name), `${name}: ${names}`);
  assert.ok(!names.includes("rm"));
  assert.deepEqual(paths, ["/etc/default/shop", "/usr/sbin/shop", "/etc/shop/shop.conf", "/etc/mailname", "/opt/shop/data"]); // biome-ignore format: one line
});

test("what a script of a service calls and names, its users, and its working directory", async () => {
  const machine = memoryMachine({
    "/etc/init.d/shop": text(
      "#!/bin/sh\n/usr/lib/shop/prepare\nstart-stop-daemon --chuid keeper:keeper --chdir /srv/shop --exec /usr/bin/shop\n",
    ),
    "/usr/lib/shop/prepare": text("#!/bin/bash\ncat /etc/mailname /dev/null /no/such/file\n"),
    "/usr/bin/cat": text("\x7fELF"),
    "/usr/bin/shop": text("\x7fELF"),
    "/sbin/start-stop-daemon": text("\x7fELF"),
    "/etc/mailname": "shop\n",
    "/srv/shop/config.ru": "run\n",
    "/srv/ledger/wsgi.py": "application = 1\n",
  });
  const origin = { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" };
  const descriptor = {
    ...newDescriptor({ id: "shop", name: "shop", version: "1", publisher: "" }, origin),
    programs: [
      { name: "shop", command: ["/etc/init.d/shop", "start"] },
      { name: "ledger", command: ["/usr/bin/shop"], workingDirectory: "/srv/ledger" },
    ],
  };
  const { seeds, users } = await commandSeeds(machine, descriptor);
  const paths = new Set(seeds.map((seed) => seed.path));
  for (const path of ["/etc/init.d/shop", "/usr/lib/shop/prepare", "/usr/bin/cat", "/sbin/start-stop-daemon", "/etc/mailname", "/srv/shop/config.ru", "/srv/ledger/wsgi.py"]) // biome-ignore format: one line
    assert.ok(paths.has(path), `${path}: ${[...paths]}`);
  assert.ok(!paths.has("/dev/null") && !paths.has("/no/such/file"));
  assert.deepEqual([...users], ["keeper"]);
});

test("the configuration of named packages and of what they depend on counts as read", async () => {
  const machine = memoryMachine({
    "/var/lib/dpkg/status": `Package: shop
Status: install ok installed
Architecture: all
Version: 1
Depends: shop-common
Description: x

Package: shop-common
Status: install ok installed
Architecture: all
Version: 1
Description: x

Package: other
Status: install ok installed
Architecture: all
Version: 1
Description: x
`,
    "/var/lib/dpkg/info/shop.list": "/.\n",
    "/var/lib/dpkg/info/shop-common.list": "/.\n/etc\n/etc/shop\n/etc/shop/main.conf\n",
    "/var/lib/dpkg/info/other.list": "/.\n/etc\n/etc/other\n/etc/other/x.conf\n",
    "/etc/shop/main.conf": "include sites/*\n",
    "/etc/shop/sites/one": "root /srv/one;\n",
    "/etc/default/shop": "OPTIONS=\n",
    "/etc/other/x.conf": "x\n",
  });
  const seeds = await configurationSeeds(machine, await loadInstalled(machine.files), ["shop"]);
  const paths = seeds.map((seed) => seed.path).sort();
  assert.deepEqual(paths, ["/etc/default/shop", "/etc/shop/main.conf", "/etc/shop/sites/one"]);
  assert.ok(seeds.every((seed) => seed.reason.kind === "configuration"));
});

test("the script that an interpreter is given is a program; a home as working directory comes with what lies openly in it", async () => {
  const machine = memoryMachine({
    "/home/shopd/venv/bin/python3": text("\x7fELF"),
    "/home/shopd/app/server.py": "import app\n",
    "/home/shopd/app/worker.py": "import app\n",
    "/home/shopd/settings.json": "{}",
    "/home/shopd/.netrc": "x",
    "/home/shopd/letters/1": "x",
    "/mnt/letters/1": "x",
  });
  const origin = { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" };
  const python = "/home/shopd/venv/bin/python3";
  const descriptor = {
    ...newDescriptor({ id: "shop", name: "shop", version: "1", publisher: "" }, origin),
    programs: [
      { name: "shop", command: [python, "-u", "/home/shopd/app/server.py"], workingDirectory: "/home/shopd" },
      {
        name: "worker",
        command: ["/bin/sh", "-c", 'umask 27; exec "$@"', "worker", python, "-W", "ignore", "app/worker.py"],
        workingDirectory: "/home/shopd",
      },
      { name: "other", command: [python, "-m", "http.server"], workingDirectory: "/mnt" },
    ],
  };
  const { seeds } = await commandSeeds(machine, descriptor);
  const reason = (path: string) => seeds.find((seed) => seed.path === path)?.reason.kind;
  for (const path of [python, "/home/shopd/app/server.py", "/home/shopd/app/worker.py"])
    assert.equal(reason(path), "rule", path);
  for (const path of ["/home/shopd", "/home/shopd/settings.json", "/mnt"])
    assert.equal(reason(path), "configuration", path);
  for (const path of ["/home/shopd/.netrc", "/home/shopd/letters/1", "/mnt/letters/1"])
    assert.equal(reason(path), undefined, path);
});
