// Data directories by what configuration says, on made-up machines.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeApplication } from "../../../src/capture/application/application.ts";
import { configuredData } from "../../../src/capture/data/configured-data.ts";
import { loadInstalled } from "../../../src/closure/installed.ts";
import { findPathSettings, findRunUsers } from "../../../src/formats/path-settings.ts";
import { type MadeUpTree, memoryMachine } from "../../support/memory-machine.ts";

const base: MadeUpTree = {
  "/etc/passwd":
    "root:x:0:0::/root:/bin/sh\nsql:x:100:100::/nonexistent:/bin/false\nweb:x:33:33::/var/www:/bin/false\nother:x:77:77::/home/other:/bin/sh\n",
  "/usr/sbin/sqld": { text: "x", mode: 0o755 },
  "/usr/sbin/webd": { text: "x", mode: 0o755 },
  "/bin/sh": { text: "x", mode: 0o755 },
  "/var/lib/dpkg/status": [
    "Package: sqld", "Status: install ok installed", "Version: 1", "Architecture: all", "Description: x", "",
    "Package: webd", "Status: install ok installed", "Version: 1", "Architecture: all", "Description: x", "",
  ].join("\n"), // biome-ignore format: a table
  "/var/lib/dpkg/info/sqld.list":
    "/.\n/etc\n/etc/sqld\n/usr\n/usr/sbin\n/usr/sbin/sqld\n/lib/systemd/system/sqld.service\n",
  "/var/lib/dpkg/info/webd.list": "/.\n/etc\n/etc/webd\n/usr\n/usr/sbin\n/usr/sbin/webd\n",
  "/lib/systemd/system/sqld.service":
    "[Service]\nUser=sql\nExecStart=/usr/sbin/sqld\n[Install]\nWantedBy=multi-user.target\n",
  "/etc/systemd/system/multi-user.target.wants/sqld.service": "-> /lib/systemd/system/sqld.service",
  "/etc/systemd/system/web.service": "[Service]\nExecStart=/usr/sbin/webd\n",
};

async function found(
  tree: MadeUpTree,
  services: readonly string[],
  names?: readonly string[],
): Promise<string[]> {
  const machine = memoryMachine({ ...base, ...tree });
  const options = { name: "x", services, command: [], environment: {}, ports: [] };
  const descriptor = await describeApplication(machine, options);
  const data = await configuredData(machine, descriptor, await loadInstalled(machine.files), names);
  return data.map((one) => `${one.path} by ${one.from}`);
}

const directory = (uid: number) => ({ kind: "directory", uid }) as const;

test("a data base that one line of its configuration moved, of any kind and at any place", async () => {
  for (const line of [
    "datadir = /mnt/disk2/sql",
    "data_directory '/mnt/disk2/sql'",
    "storage:\n  dbPath: /mnt/disk2/sql",
    "dir /mnt/disk2/sql/",
    "paths:\n  data:\n    - /mnt/disk2/sql\n",
    "<Config><dataDir>/mnt/disk2/sql</dataDir></Config>",
    '{"storage": {"path.data": "/mnt/disk2/sql"}}',
  ]) {
    const tree = { "/etc/sqld/sqld.conf": line, "/mnt/disk2/sql": directory(100) };
    assert.deepEqual(await found(tree, ["sqld"]), ["/mnt/disk2/sql by /etc/sqld/sqld.conf"], line);
  }
});

test("by a file that it includes, by its words, by its variables, by the file that its words name", async () => {
  const data = { "/srv/sql": directory(100), "/srv/sql/table": { text: "rows", uid: 100, mtime: 9n } };
  const unit = (line: string) => `[Service]\nUser=sql\n${line}\n`;
  const service = "/etc/systemd/system/own.service";
  const cases: MadeUpTree[] = [
    { "/etc/sqld/sqld.conf": "include /opt/more.txt\n", "/opt/more.txt": "datadir=/srv/sql\n" },
    { [service]: unit("ExecStart=/usr/sbin/sqld --datadir=/srv/sql") },
    { [service]: unit("ExecStart=/usr/sbin/sqld -D /srv/sql") },
    { [service]: unit("ExecStart=/usr/sbin/sqld server /srv/sql") },
    { [service]: unit("ExecStart=/usr/sbin/sqld\nEnvironment=PGDATA=/srv/sql") },
    { [service]: unit("ExecStart=/usr/sbin/sqld /srv/my.ini"), "/srv/my.ini": "datadir=/srv/sql\n" },
    { [service]: unit("ExecStart=/opt/own/bin/own"), "/opt/own/bin/own": { text: "x", mode: 0o755 }, "/opt/own/conf/own.yml": "data_dir: /srv/sql\n" },
  ]; // biome-ignore format: a table
  for (const tree of cases) {
    const all = await found({ ...data, ...tree }, [service in tree ? "own" : "sqld"]);
    assert.deepEqual(all.map((one) => one.split(" ")[0]), ["/srv/sql"], JSON.stringify(tree)); // biome-ignore format: short
  }
});

test("a setting of any name leads to data where the service's user changed something there since", async () => {
  const configuration = { text: "shares /srv/files\n", mtime: 100n };
  const file = (uid: number, mtime: bigint) => ({
    "/etc/sqld/sqld.conf": configuration,
    "/srv/files": directory(100),
    "/srv/files/a": { text: "x", uid, mtime },
  });
  assert.deepEqual(await found(file(100, 101n), ["sqld"]), ["/srv/files by /etc/sqld/sqld.conf"]);
  assert.deepEqual(await found(file(100, 99n), ["sqld"]), []);
  assert.deepEqual(await found(file(77, 101n), ["sqld"]), []);
  assert.deepEqual(await found({ ...file(100, 101n), "/srv/files/index.php": "x" }, ["sqld"]), []);
});

test("a service that starts as root: the user that its configuration makes it be, and data of root by its name", async () => {
  const tree = {
    "/etc/webd/webd.conf":
      "user web;\nuploads_dir /srv/up;\ndata_root /srv/root-data;\nroot /srv/site;\ndata_of_others /home/other/data\n",
    "/srv/up": directory(33),
    "/srv/root-data": directory(0),
    "/srv/site": directory(33),
    "/srv/site/a": { text: "x", uid: 33, mtime: 9n },
    "/home/other/data": directory(77),
  };
  assert.deepEqual(await found(tree, ["web"]), ["/srv/root-data by /etc/webd/webd.conf", "/srv/up by /etc/webd/webd.conf"]); // biome-ignore format: short
});

test("logs, caches, programs, tops of many and what lies in another one are no data of their own", async () => {
  const tree = {
    "/etc/sqld/sqld.conf":
      "data_log /var/log/sqld\ndata_cache /var/cache/sqld\ndata_run /run/sqld\ndata_x /usr/share/sqld\ndata_y /var/lib\n# datadir /srv/off\ndatadir /srv/sql\nwal_dir /srv/sql/wal\ndata_none /srv/none\n",
    ...Object.fromEntries(
      ["/var/log/sqld", "/var/cache/sqld", "/run/sqld", "/usr/share/sqld", "/srv/off", "/srv/sql", "/srv/sql/wal"].map((path) => [path, directory(100)]),
    ),
  }; // biome-ignore format: a table
  assert.deepEqual(await found(tree, ["sqld"]), ["/srv/sql by /etc/sqld/sqld.conf"]);
});

test("a data base in one file brings its directory, unless the program lies there as well", async () => {
  const tree = {
    "/etc/sqld/sqld.conf": "database = /srv/shop/shop.sqlite\n",
    "/srv/shop": directory(100),
    "/srv/shop/shop.sqlite": { text: "rows", uid: 100, mtime: 9n },
  };
  assert.deepEqual(await found(tree, ["sqld"]), ["/srv/shop by /etc/sqld/sqld.conf"]);
  assert.deepEqual(await found({ ...tree, "/srv/shop/shop.py": "x" }, ["sqld"]), []);
});

test("without a service: of all that the machine starts, or of the named installed packages alone", async () => {
  const tree = { "/etc/sqld/sqld.conf": "datadir /srv/sql\n", "/srv/sql": directory(100) };
  assert.deepEqual(await found(tree, []), ["/srv/sql by /etc/sqld/sqld.conf"]);
  assert.deepEqual(await found(tree, [], ["sqld"]), ["/srv/sql by /etc/sqld/sqld.conf"]);
  assert.deepEqual(await found(tree, [], ["webd"]), []);
  assert.deepEqual(await found(tree, [], []), []);
});

test("what lies on a file system from elsewhere is told, not taken", async () => {
  const tree = {
    ...base,
    "/etc/sqld/sqld.conf": "datadir /mnt/nas/sql\nqueue_dir /srv/queue\n",
    "/mnt/nas/sql": directory(100),
    "/srv/queue": directory(100),
    "/proc/self/mountinfo":
      "30 1 0:1 / / rw - ext4 /dev/sda1 rw\n31 30 0:40 / /mnt/nas rw - nfs4 nas:/all rw\n",
  };
  const machine = { ...memoryMachine(tree, { live: true }), root: undefined };
  const asked = { name: "x", services: ["sqld"], command: [], environment: {}, ports: [] };
  const descriptor = await describeApplication(machine, asked);
  const notes: string[] = [];
  const installed = await loadInstalled(machine.files);
  const data = await configuredData(machine, descriptor, installed, [], (note) => notes.push(note));
  assert.deepEqual(data.map((one) => one.path), ["/srv/queue"]); // biome-ignore format: short
  assert.match(
    notes.join("\n"),
    /^\/mnt\/nas\/sql, which \/etc\/sqld\/sqld\.conf names, is not taken \(.*nfs4.*run -v$/,
  );
});

test("settings: the name nearest to a path, lists, no comments, no parts of something else", () => {
  const text = [
    "a /x/1", "b = '/x/2 y'", "# c /x/3", 'd: ["/x/4", "/x/5"]', "e: http://host/x/6", "f: ./x/7", '<s i="/x/8" j="/x/9"/>', "list:", "  - /x/10",
    "g /x/11/;",
  ].join("\n"); // biome-ignore format: a table
  assert.deepEqual(
    findPathSettings(text, 100).map((one) => `${one.key} ${one.path}`),
    ["a /x/1", "b /x/2 y", "d /x/4", "d /x/5", "i /x/8", "j /x/9", "list /x/10", "g /x/11"],
  );
  assert.equal(findPathSettings(text, 2).length, 2);
  assert.deepEqual(
    [...findRunUsers("user = a\nUser b\nexport APACHE_RUN_USER=c\nrun_as: d\nusers e\n#user f\nuser g;\nsuperuser h\n")],
    ["a", "b", "c", "d", "g"],
  ); // biome-ignore format: short
});
