import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeAccounts } from "../../../src/deploy/dissolve/accounts.ts";
import { debName, debVersion } from "../../../src/deploy/dissolve/deb.ts";
import { sortOf } from "../../../src/deploy/dissolve/sorts.ts";
import { unitFiles } from "../../../src/deploy/dissolve/units.ts";
import { newDescriptor } from "../../../src/package/descriptor.ts";

test("what becomes of a path", () => {
  const sorting = {
    owners: new Map([
      ["/usr/sbin/lighttpd", ["lighttpd"]],
      ["/etc/lighttpd/lighttpd.conf", ["lighttpd"]],
      ["/etc/ld.so.conf", ["libc-bin"]],
    ]),
    volumes: ["/var/lib/board"],
    isSystem: (path: string) => path === "/etc/ld.so.conf" || path === "/etc/nsswitch.conf",
  };
  const sort = (path: string, isFile = true): string => sortOf(path, isFile, sorting);
  assert.equal(sort("/usr/sbin/lighttpd"), "distribution");
  assert.equal(sort("/usr/lib/libz.so.1", false), "distribution");
  assert.equal(sort("/lib", false), "distribution");
  assert.equal(sort("/etc/lighttpd/lighttpd.conf"), "configuration");
  assert.equal(sort("/etc/ld.so.conf"), "distribution");
  assert.equal(sort("/etc/nsswitch.conf"), "generated");
  assert.equal(sort("/usr/lib/locale/locale-archive"), "generated");
  assert.equal(sort("/etc/lighttpd/conf-available/60-board.conf"), "own");
  assert.equal(sort("/usr/local/bin/x"), "own");
  assert.equal(sort("/srv/board", false), "own");
  assert.equal(sort("/var/lib/board/board.db"), "data");
  for (const path of ["/etc/passwd", "/etc/hostname", "/run/x", "/.tranship/init", "/var/lib/dpkg/status"])
    assert.equal(sort(path), "machine");
});

test("accounts: who is there keeps his number, who is missing gets a free one", () => {
  const merged = mergeAccounts(
    {
      passwd: "root:x:0:0::/root:/bin/sh\nweb:x:105:110:Web:/srv:/bin/false\nnew:x:106:110::/:/bin/false\n",
      group: "root:x:0:\nweb:x:110:new\n",
    },
    {
      passwd: "root:x:0:0::/root:/bin/sh\nweb:x:107:999::/:/bin/sh\nother:x:106:9::/:/x\n",
      group: "root:x:0:\nother:x:110:\n",
    },
  );
  assert.deepEqual(merged.passwd, ["new:x:999:999::/:/bin/false"]);
  assert.deepEqual(merged.group, ["web:x:999:new"]);
  assert.deepEqual([...merged.uids], [[105, 107], [106, 999]]); // biome-ignore format: short
  assert.deepEqual([...merged.gids], [[110, 999]]);
});

test("services as units, schedules and directories", () => {
  const descriptor = {
    ...newDescriptor(
      { id: "a", name: "a b", version: "1", publisher: "" },
      { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" },
    ),
    environment: { LANG: "C", ODD: 'a "b" $c %d' },
    programs: [
      { name: "main", command: ["/opt/x/run me", "$HOME", "100%"], user: "web:www", workingDirectory: "/opt/x" },
      { name: "rotate", command: ["/usr/sbin/logrotate", "it's"] },
    ],
    services: [
      { name: "x", program: "main", type: "forking" as const, pidFile: "/run/x.pid", after: ["db"], stop: { signal: "SIGINT", timeout: "1m" }, restart: { policy: "always" as const } },
      { name: "x-before-1", program: "rotate", type: "oneshot" as const, startup: "manual" as const },
    ],
    schedules: [{ name: "r", cron: "0 3 * * *", program: "rotate" }],
    directories: [{ path: "/run/x", mode: "0750", uid: 105, gid: 110 }],
  }; // biome-ignore format: a table
  const files = unitFiles(descriptor, { user: () => "web", group: (gid) => String(gid) });
  const [main, before, cron, tmpfiles] = files;
  assert.ok(main && before && cron && tmpfiles);
  for (const line of [
    "After=network-online.target db.service",
    "Type=forking",
    "PIDFile=/run/x.pid",
    "User=web",
    "Group=www",
    'Environment="ODD=a \\"b\\" $c %%d"',
    'ExecStart="/opt/x/run me" "$$HOME" 100%%',
    "KillSignal=SIGINT",
    "TimeoutStopSec=60",
    "Restart=always",
  ])
    assert.ok(main.content.split("\n").includes(line), `${line} in\n${main.content}`);
  assert.deepEqual([main.enable, before.enable], [true, false]);
  assert.ok(before.unless.includes("/lib/systemd/system/x.service"));
  assert.deepEqual(
    [cron.path, cron.content],
    ["/etc/cron.d/tranship-a-b", "0 3 * * * root /usr/sbin/logrotate 'it'\\''s'\n"],
  );
  assert.equal(tmpfiles.content, "d /run/x 0750 web 110 -\n");
});

test("names and versions as Debian wants them", () => {
  assert.deepEqual(["Shop", "a b_c", "x", "--"].map(debName), [
    "shop",
    "a-b-c",
    "tranship-x",
    "tranship-package",
  ]);
  assert.deepEqual(["2.1", "v3", "2-beta 1"].map(debVersion), ["2.1", "0+v3", "2+beta+1"]);
});
