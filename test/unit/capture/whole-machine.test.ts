import assert from "node:assert/strict";
import { test } from "node:test";
import { silentProgress } from "../../../src/base/log.ts";
import { parseSize } from "../../../src/base/units.ts";
import { captureInstalled } from "../../../src/capture/capture-installed.ts";
import { captureMachine, describeTrim } from "../../../src/capture/capture-machine.ts";
import type { EvidenceDocument } from "../../../src/capture/evidence/evidence-document.ts";
import { parsePattern } from "../../../src/capture/plan/filters.ts";
import type { Plan } from "../../../src/capture/plan/plan.ts";
import type { StateRoot } from "../../../src/host/state-root.ts";
import { type MadeUpTree, memoryMachine } from "../../support/memory-machine.ts";

const nothing = (): void => {};
const tools = {
  root: { path: "/made-up/var/lib/tranship" } as StateRoot,
  log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  progress: silentProgress,
  signal: new AbortController().signal,
  tool: "test",
};
const choices = {
  include: [], filters: [], volumes: [], keepSecrets: [], closure: true, alsoInstalled: [],
}; // biome-ignore format: short
const application = { name: "old", services: [], command: [], environment: {}, ports: [] };

const tree: MadeUpTree = {
  "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
  "/etc/fstab": "/dev/sda1 / ext4 defaults 0 1\n/srv/more.swap none swap sw 0 0\n",
  "/etc/udev/rules.d/70-persistent-net.rules": "old cards",
  "/etc/udev/rules.d/50-shop.rules": "own rule",
  "/etc/network/interfaces": "auto eth0",
  "/etc/network/if-up.d/shop": "#!/bin/sh\n",
  "/etc/shop.conf": "port=80\n",
  "/boot/vmlinuz-5.10": "kernel",
  "/boot/grub/grub.cfg": "menu",
  "/lib/modules/5.10/a.ko": "module",
  "/lib/modules/5.10/b.ko": "module",
  "/lib/firmware/card.bin": "firmware",
  "/opt/shop/bin/shop": { text: "program", mode: 0o755 },
  "/opt/shop/lib/plug.so": "plug-in",
  "/opt/shop/socket": { kind: "socket" },
  "/srv/more.swap": "swap",
  "/swapfile": "swap",
  "/var/cache/apt/archives/a.deb": "package",
  "/var/cache/shop/page": "the application's own cache stays",
  "/var/lib/apt/lists/list": "packages",
  "/var/lib/mysql/shop/articles.ibd": "rows",
  "/var/lib/tranship/store/blob": "ours",
  "/var/log/shop/shop.log": "log",
  "/run/shop/shop.pid": "7",
  "/tmp/left": "over",
  "/proc/version": "Linux",
  "/root/.ssh/id_rsa": { text: "key", mode: 0o600 },
  "/var/lib/unreadable": { text: "x", error: "EIO" },
};

const packed = (plan: Plan): Set<string> => new Set(plan.groups.flatMap((group) => group.files));
const why = (plan: Plan, path: string): string => plan.excluded.find((one) => one.path === path)?.why ?? "";

test("takes everything above the kernel and tells of each place that stays behind", async () => {
  const { plan, evidence } = await captureMachine(
    { machine: memoryMachine(tree), application, choices },
    tools,
  );
  const files = packed(plan);
  for (const path of [
    "/etc/passwd", "/etc/shop.conf", "/etc/udev/rules.d/50-shop.rules", "/etc/network/if-up.d/shop", "/opt/shop/bin/shop", "/opt/shop/lib/plug.so",
    "/var/cache/shop/page", "/var/lib/mysql/shop/articles.ibd", "/proc", "/run", "/tmp", "/var/log/shop", "/var/lib/apt/lists",
  ]) assert.ok(files.has(path), `${path} is packed`); // biome-ignore format: a list
  const behind: [path: string, why: RegExp][] = [
    ["/etc/fstab", /hardware/], ["/etc/udev/rules.d/70-persistent-net.rules", /hardware/], ["/etc/network/interfaces", /network interfaces/],
    ["/boot", /kernel.*2 files/], ["/lib/modules", /kernel.*2 files/], ["/lib/firmware", /kernel/], ["/opt/shop/socket", /socket/],
    ["/srv/more.swap", /swap/], ["/swapfile", /swap/], ["/var/cache/apt/archives", /cache/], ["/var/lib/apt/lists/list", /package list/],
    ["/var/lib/tranship", /own state/], ["/var/log/shop/shop.log", /log/], ["/run/shop", /while a system runs/], ["/tmp/left", /while a system runs/],
    ["/root/.ssh/id_rsa", /secret/],
  ]; // biome-ignore format: a table
  for (const [path, reason] of behind) {
    assert.match(why(plan, path), reason, path);
    assert.ok(![...files].some((file) => file.startsWith(`${path}/`)), `nothing below ${path}`);
  }
  assert.equal(plan.package.volumes[0]?.path, "/var/lib/mysql");
  assert.deepEqual(
    plan.missing.map((one) => one.path),
    ["/var/lib/unreadable"],
  );
  const document = JSON.parse(evidence) as EvidenceDocument;
  assert.match(document.excluded["/swapfile"] ?? "", /swap/);
});

test("a trim keeps what the evidence names, with the system files, and shows what falls away", async () => {
  const machine = memoryMachine(tree);
  const whole = await captureMachine({ machine, application, choices }, tools);
  const evidence = {
    paths: {
      "/opt/shop/bin/shop": [0],
      "/etc/shop.conf": [0],
      "/opt/shop/gone": [0],
      "/boot/vmlinuz-5.10": [0],
    },
    excluded: {
      "/root/.ssh/id_rsa": "secret: SSH private key",
      "/tmp/left": "lives only while the old system runs",
    },
  } as unknown as EvidenceDocument;
  const trim = { reference: "shop", evidence };
  const { plan, left } = await captureMachine({ machine, application, choices, trim }, tools);
  const files = packed(plan);
  for (const path of ["/opt/shop/bin/shop", "/etc/shop.conf", "/opt/shop/bin", "/etc/passwd"])
    assert.ok(files.has(path), `${path} is kept`);
  for (const path of ["/opt/shop/lib", "/var/lib/mysql", "/boot/vmlinuz-5.10"])
    assert.ok(!files.has(path), path);
  assert.match(why(plan, "/opt/shop/lib"), /trimmed: not named by the evidence of shop/);
  assert.deepEqual(plan.missing.map((one) => one.path).sort(), ["/opt/shop/gone", "/var/lib/unreadable"]);
  assert.deepEqual(plan.package.volumes, [], "of data that fell away there is no volume");
  assert.deepEqual(
    plan.package.secrets.map((one) => (one.delivery === "mount" ? one.path : one.name)),
    ["/root/.ssh/id_rsa"],
  );
  const lines = describeTrim(left);
  assert.match(lines[0] ?? "", /^falls away: .* in \d+ places$/);
  assert.ok(lines.some((line) => line.endsWith("  /opt/shop/lib")));
  assert.deepEqual(describeTrim(whole.left), []);
  const system = (made: Plan): string[][] =>
    made.groups.filter((group) => group.layer === "system").map((group) => group.files);
  assert.deepEqual(system(plan), system(whole.plan));
});

test("a program that is not there ends the capture before anything is read", async () => {
  const asked = { ...application, command: ["/opt/shop/bin/none"] };
  await assert.rejects(captureMachine({ machine: memoryMachine(tree), application: asked, choices }, tools), {
    code: "E_COMMAND_NOT_FOUND",
  });
});

test("a volume promises what is packed of it: nothing where the data base never wrote, or where a rule leaves it out", async () => {
  const exclude = { keep: false, pattern: parsePattern("/var/lib/mysql/shop", "test"), told: "test" };
  const { plan } = await captureMachine(
    {
      machine: memoryMachine({ ...tree, "/var/lib/redis": { kind: "directory" } }),
      application,
      choices: { ...choices, filters: [exclude] },
    },
    tools,
  );
  const sizes = plan.package.volumes.map((one) => [one.path, parseSize(one.size ?? "1")]);
  assert.deepEqual(sizes.sort(), [
    ["/var/lib/mysql", 0],
    ["/var/lib/redis", 0],
  ]);
});

test("a data base that was moved behind a link has its volume where it lies", async () => {
  const moved: MadeUpTree = {
    ...tree,
    "/var/lib/postgresql/13/main": "-> /srv/data/main",
    "/srv/data/main/global/pg_control": "control",
    "/srv/data/main/pg_wal": "-> /srv/wal",
    "/srv/wal/1": "123",
    "/var/lib/redis": "-> ../../data/redis",
    "/data/redis/dump.rdb": "rows",
  };
  const { plan } = await captureMachine({ machine: memoryMachine(moved), application, choices }, tools);
  assert.deepEqual(plan.package.volumes.map(({ path, size, reason }) => `${path} ${size} ${reason}`).sort(), [
    "/data/redis 4B data base directory",
    "/srv/data/main 7B data that /var/lib/postgresql/13/main leads to",
    "/srv/wal 3B data that /srv/data/main/pg_wal leads to",
    "/var/lib/mysql 4B data base directory",
    "/var/lib/postgresql 0B data base directory",
  ]);
});

test("data at a place that configuration alone names is a volume, of what the machine starts and of a named service", async () => {
  const moved: MadeUpTree = {
    ...tree,
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\nsql:x:100:100::/nonexistent:/bin/false\n",
    "/opt/sql/bin/sqld": { text: "x", mode: 0o755 },
    "/opt/sql/etc/sql.yml": "storage:\n  dbPath: /mnt/disk2/sql\n",
    "/mnt/disk2/sql": { kind: "directory", uid: 100 },
    "/mnt/disk2/sql/table": { text: "rows", uid: 100 },
    "/etc/systemd/system/sql.service": "[Service]\nUser=sql\nExecStart=/opt/sql/bin/sqld\n",
    "/etc/systemd/system/multi-user.target.wants/sql.service": "-> ../sql.service",
  };
  const made = { path: "/mnt/disk2/sql", initial: "copy", reason: "data directory by /opt/sql/etc/sql.yml", size: "4B" }; // biome-ignore format: short
  for (const services of [[], ["sql"]]) {
    const asked = { ...application, services };
    const { plan } = await captureMachine(
      { machine: memoryMachine(moved), application: asked, choices },
      tools,
    );
    assert.deepEqual(plan.package.volumes.find((one) => one.path === made.path), made); // biome-ignore format: short
  }
  const trim = { reference: "shop", evidence: { paths: {}, excluded: {} } as unknown as EvidenceDocument };
  const cut = await captureMachine({ machine: memoryMachine(moved), application, choices, trim }, tools);
  assert.deepEqual(cut.plan.package.volumes, [], "of data that fell away there is no volume");
});

test("captured by its installed package, data at a place that its configuration names comes whole, as a volume", async () => {
  const machine = memoryMachine({
    ...tree,
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\nsql:x:100:100::/nonexistent:/bin/false\n",
    "/usr/sbin/sqld": { text: "x", mode: 0o755 },
    "/etc/sqld/sqld.conf": "datadir /mnt/disk2/sql\n",
    "/mnt/disk2/sql": { kind: "directory", uid: 100 },
    "/mnt/disk2/sql/deep/table": { text: "rows", uid: 100 },
    "/lib/systemd/system/sqld.service": "[Service]\nUser=sql\nExecStart=/usr/sbin/sqld\n",
    "/var/lib/dpkg/status":
      "Package: sqld\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nDescription: x\n",
    "/var/lib/dpkg/info/sqld.list":
      "/.\n/etc\n/etc/sqld\n/etc/sqld/sqld.conf\n/usr\n/usr/sbin\n/usr/sbin/sqld\n/lib/systemd/system/sqld.service\n",
  });
  for (const services of [[], ["sqld"]]) {
    const request = { machine, application: { ...application, services }, names: ["sqld"], choices };
    const { plan } = await captureInstalled(request, tools);
    assert.ok(packed(plan).has("/mnt/disk2/sql/deep/table"));
    assert.deepEqual(
      plan.package.volumes.map(({ path, reason, size }) => [path, reason, size]),
      [["/mnt/disk2/sql", "data directory by /etc/sqld/sqld.conf", "4B"]],
    );
  }
});
