// --data of a capture that runs: what the application started from is what is packed, and the machine's own data are left alone.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chownSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { captureHost, nothingLeft, whyNoCapture } from "../support/capture.ts";
import { soaking } from "../support/counts.ts";
import { eventually } from "../support/enter.ts";
import { FarMachine, whyNoFar } from "../support/far-machine.ts";

test("a run packs the data that it started from", { skip: whyNoCapture() }, async (t) => {
  const host = await captureHost(t);
  const data = join(host.source, "var/lib/redis");
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, "dump.rdb"), "the machine's\n");
  const snapshot = join(host.base, "taken");
  mkdirSync(snapshot);
  writeFileSync(join(snapshot, "dump.rdb"), "of one moment\n");
  writeFileSync(join(snapshot, "more.rdb"), "only there\n");
  // Known for a database by the word in its command.
  const command = [
    "--",
    "/bin/sh",
    "-c",
    ": redis; cat /var/lib/redis/*; echo late >>/var/lib/redis/dump.rdb; true",
  ];
  const capture = (from: string, ...more: string[]) =>
    host.tool(["capture", "run", "-m", host.machine, "--data", from, ...more, ...command]);
  const content = async (reference: string) => {
    const ran = await host.tool(["run", "--rm", reference, "/bin/sh", "-c", "cat /var/lib/redis/*"]);
    return ran.stdout;
  };
  const plan = join(host.base, "plan.yaml");
  for (const way of ["at once", "by a plan"]) {
    const from = `snapshot:${snapshot}`;
    const made =
      way === "at once"
        ? await capture(from, "-t", "taken")
        : [
            await capture(from, "--plan-only", "-o", plan),
            await host.tool(["capture", "run", "--plan", plan, "-t", "taken"]),
          ][1];
    assert.equal(made?.status, 0, made?.stderr);
    assert.equal(await content("taken"), "of one moment\nonly there\n", way);
  }
  const empty = await capture("empty", "-t", "empty");
  assert.equal(empty.status, 0, empty.stderr);
  assert.equal(await content("empty"), "");
  const copy = await capture("copy", "-t", "copy");
  assert.equal(copy.status, 0, copy.stderr);
  assert.equal(await content("copy"), "the machine's\n");
  assert.equal(readFileSync(join(data, "dump.rdb"), "utf8"), "the machine's\n");
  assert.equal(readFileSync(join(snapshot, "dump.rdb"), "utf8"), "of one moment\n");
});

test("data that configuration alone names: packed whole, a volume, and one of two snapshots", {
  skip: whyNoCapture(),
}, async (t) => {
  const host = await captureHost(t);
  const put = (path: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(join(host.source, path)), { recursive: true });
    writeFileSync(join(host.source, path), text, { mode });
  };
  put("etc/passwd", "root:x:0:0::/root:/bin/sh\nstore:x:500:500::/:/bin/sh\n");
  put(
    "opt/store/bin/stored",
    "#!/bin/sh\nread n < $STATE_DIRECTORY/count; echo $((n+1)) > $STATE_DIRECTORY/count\ncat /srv/one/a $STATE_DIRECTORY/count; exec sleep 1000\n",
    0o755,
  );
  put("opt/store/etc/store.conf", "data_dir = /srv/one\nqueue_dir = /srv/two\n");
  put("srv/one/a", "machine\n");
  put("srv/one/never-opened", "machine\n");
  put("srv/two/b", "machine\n");
  put(
    "etc/systemd/system/store.service",
    "[Service]\nUser=store\nStateDirectory=store\nStateDirectoryMode=0700\nExecStart=/opt/store/bin/stored\n",
  );
  for (const path of ["srv/one", "srv/two"]) chownSync(join(host.source, path), 500, 500);
  const snapshot = join(host.base, "taken");
  mkdirSync(snapshot);
  writeFileSync(join(snapshot, "a"), "of one moment\n");
  const capture = (...more: string[]) =>
    host.tool([
      "capture",
      "run",
      "-m",
      host.machine,
      "--service",
      "store",
      "--for",
      "1s",
      "--include",
      "/bin/stat",
      ...more,
    ]);
  const refused = await capture("--data", `snapshot:${snapshot}`, "-t", "none");
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /found 2: \/srv\/one, \/srv\/two/);
  assert.match(refused.stderr, /hint: .*snapshot:\/srv\/two=DIR/);
  const made = await capture("--data", `snapshot:/srv/one=${snapshot}`, "-t", "taken");
  assert.equal(made.status, 0, made.stderr);
  const shown = await host.tool([
    "run",
    "--rm",
    "--entrypoint",
    "",
    "taken",
    "/bin/sh",
    "-c",
    "cat /srv/one/* /srv/two/*",
  ]);
  assert.equal(shown.stdout, "of one moment\nmachine\n", shown.stderr);
  const descriptor = (await host.tool(["package", "show", "taken"])).stdout;
  assert.match(descriptor, /data directory by \/opt\/store\/etc\/store.conf/);
  // The state directory was never there: made for its user, and kept beyond an instance.
  for (const count of [1, 2]) {
    const ran = await host.tool([
      "run",
      "-d",
      "--name",
      `store${count}`,
      "-v",
      "kept:/var/lib/store",
      "taken",
    ]);
    assert.equal(ran.status, 0, ran.stderr);
    let text = "";
    for (let round = 0; round < 200 && !text.includes(`\n${count}\n`); round++)
      text = (await host.tool(["logs", `store${count}`])).stdout;
    assert.equal(text, `of one moment\n${count}\n`);
    const owner = await host.tool(["exec", `store${count}`, "stat", "-c", "%u %a", "/var/lib/store"]);
    assert.equal(owner.stdout, "500 700\n", owner.stderr);
    assert.equal((await host.tool(["rm", "-f", `store${count}`])).status, 0);
  }
});

// It stages a whole machine.
if (soaking)
  test("a MariaDB that is written to is captured from a snapshot, over ssh", {
    skip: whyNoFar(),
  }, async (t) => {
    const host = await captureHost(t);
    const far = await FarMachine.start(t, host);
    const server = (first: string, last: string) =>
      far.run(
        `install -d -o mysql -g mysql /run/mysqld; mariadbd --user=mysql --skip-networking >/dev/null 2>&1 & server=$!
      for i in $(seq 200); do mariadb-admin ping >/dev/null 2>&1 && break; sleep 0.1; done
      ${first}; ${last}; mariadb-admin shutdown; wait $server; exit 0`,
      );
    const insert = 'mariadb -e "INSERT INTO shop.t VALUES (1),(2),(3)"';
    await server(
      `mariadb -e "CREATE DATABASE shop; CREATE TABLE shop.t (id INT) ENGINE=InnoDB"; ${insert}`,
      "true",
    );
    const snapshot = join(host.base, "taken");
    cpSync(far.path("/var/lib/mysql"), snapshot, { recursive: true, preserveTimestamps: true });
    host.rebase();
    const busy = server("touch /run/writing", `while [ -e /run/writing ]; do ${insert}; done`);
    execFileSync("chown", ["-R", "--reference", far.path("/var/lib/mysql"), snapshot]);
    await eventually("the data base writes", () => {
      try {
        return readFileSync(far.path("/run/writing")).length === 0;
      } catch {
        return false;
      }
    });
    const words = [
      "capture",
      "run",
      "-m",
      far.address,
      "-t",
      "shop",
      "--service",
      "mariadb",
      "--until-port",
      "3306",
    ];
    const made = await far.tool([...words, "--data", `snapshot:${snapshot}`]);
    assert.equal(made.status, 0, made.stderr);
    await far.run("rm /run/writing");
    await busy;
    const script = `mariadbd --user=mysql --skip-networking >/dev/null 2>&1 & server=$!
    for i in $(seq 200); do mariadb-admin ping >/dev/null 2>&1 && break; sleep 0.1; done
    mariadb -N -e 'SELECT COUNT(*) FROM shop.t; CHECK TABLE shop.t'; mariadb-admin shutdown; wait $server; exit 0`;
    const asked = await far.tool(["run", "--rm", "shop", "/bin/sh", "-c", script]);
    assert.match(asked.stdout, /^3\n.*\bOK$/m, asked.stderr);
    await nothingLeft(host);
  });
