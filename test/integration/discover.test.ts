import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { assess } from "../../src/assess/assess.ts";
import { renderReport } from "../../src/assess/report.ts";
import { readTarget } from "../../src/assess/target.ts";
import { discover } from "../../src/discover/discover.ts";
import { requireService } from "../../src/discover/machine-services.ts";
import { recipeOf } from "../../src/discover/recipe.ts";
import { openMachine } from "../../src/machine/open.ts";
import { debian11 as bullseye, lamp } from "../support/roots.ts";

test("a live machine: a listener of this process is found with its owner, its secrets masked", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const child = spawn("sleep", ["600"], {
    env: { PATH: "/bin:/usr/bin", APP_PASSWORD: "hunter2hunter2", APP_MODE: "blue" },
  });
  await once(child, "spawn");
  const machine = await openMachine("local:");
  try {
    const inventory = await discover(machine);
    const socket = inventory.sockets.find((each) => each.protocol === "tcp" && each.port === port);
    assert.deepEqual([socket?.address, socket?.pids], ["127.0.0.1", [process.pid]]);
    const own = inventory.processes.find((each) => each.pid === process.pid);
    assert.equal(own?.ppid, process.ppid);
    assert.equal(own?.sameNamespaces, true);
    assert.ok(own?.files.some((path) => path.includes("libc")));
    const sleeping = inventory.processes.find((each) => each.pid === child.pid);
    assert.match(sleeping?.executable ?? "", /\/(sleep|coreutils|busybox)$/);
    assert.deepEqual([sleeping?.environment.APP_PASSWORD, sleeping?.environment.APP_MODE], ["***", "blue"]);
    assert.doesNotMatch(JSON.stringify(inventory), /hunter2hunter2/);
    assert.ok(inventory.kernel.running !== null && inventory.kernel.running.release !== "");
  } finally {
    await machine.close();
    child.kill("SIGKILL");
    await once(child, "exit");
    server.close();
  }
});

test("processes that come and go while /proc is read do no harm", async () => {
  const churn = spawn("/bin/sh", ["-c", "while :; do /bin/true; done"], { stdio: "ignore" });
  const machine = await openMachine("local:");
  try {
    for (let round = 0; round < 3; round++) {
      const inventory = await discover(machine);
      assert.ok(inventory.processes.some((each) => each.pid === churn.pid));
    }
  } finally {
    churn.kill("SIGKILL");
    await once(churn, "exit");
    await machine.close();
  }
});

test("link loops, dangling links and a crontab of a million lines", async () => {
  const root = mkdtempSync(join(tmpdir(), "tranship-discover-"));
  try {
    for (const directory of ["etc/cron.d", "etc/systemd/system/x.service.d", "usr/bin", "lib/systemd/system"])
      mkdirSync(join(root, directory), { recursive: true });
    symlinkSync("os-release", join(root, "etc/os-release"));
    symlinkSync("b.service", join(root, "lib/systemd/system/a.service"));
    symlinkSync("a.service", join(root, "lib/systemd/system/b.service"));
    symlinkSync("../../../../../../etc/shadow-of-nobody", join(root, "etc/fstab"));
    symlinkSync(".", join(root, "etc/systemd/system/x.service.d/loop.conf"));
    writeFileSync(join(root, "lib/systemd/system/x.service"), "[Service]\nExecStart=/usr/bin/x\n");
    writeFileSync(join(root, "etc/cron.d/many"), "* * * * * root true\n".repeat(1_000_000));
    const machine = await openMachine(`rootfs:${root}`);
    try {
      const inventory = await discover(machine);
      assert.equal(inventory.services.find((each) => each.name === "x")?.program, "/usr/bin/x");
      assert.ok(inventory.schedules.length <= 60_000 && inventory.schedules.length >= 10_000);
      assert.ok(inventory.notes.some((note) => note.subject === "/etc/cron.d/many"));
      const assessment = await assess(inventory, machine, readTarget(root));
      assert.ok(assessment.findings.length <= 19 * 100);
    } finally {
      await machine.close();
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test("a plain Debian 11", { skip: existsSync(bullseye) ? false : `${bullseye} is not there` }, async () => {
  const machine = await openMachine(`rootfs:${bullseye}`);
  try {
    const inventory = await discover(machine);
    assert.deepEqual(
      [inventory.os.id, inventory.os.version, inventory.architecture.name],
      ["debian", "11", "amd64"],
    );
    assert.equal(inventory.installed.database, "dpkg");
    assert.ok(inventory.installed.packages.some((each) => each.name === "libc6"));
    assert.ok(inventory.services.some((each) => each.name === "fstrim" && each.type === "oneshot"));
    assert.deepEqual(inventory.processes, []);
    const assessment = await assess(inventory, machine, readTarget());
    assert.notEqual(assessment.verdict, "Blocked");
  } finally {
    await machine.close();
  }
});

test("an old web server with a database", {
  skip: existsSync(join(lamp, "usr/sbin/apache2")) ? false : `${lamp} is not there`,
}, async () => {
  const machine = await openMachine(`rootfs:${lamp}`);
  try {
    const inventory = await discover(machine);
    assert.ok(inventory.listeners.some((each) => each.kind === "apache" && each.port > 0));
    const apache = await recipeOf(await requireService(machine, "apache2"), machine.files);
    assert.match(apache.start.join(" "), /exec \/usr\/sbin\/apache2 -DFOREGROUND/);
    assert.ok(apache.runtimeDirectories.some((each) => each.path === "/run/apache2"));
    const mysql = await recipeOf(await requireService(machine, "mysql"), machine.files);
    assert.deepEqual([mysql.name, mysql.start[0], mysql.user], ["mariadb", "/usr/sbin/mariadbd", "mysql"]);
    assert.ok(mysql.runtimeDirectories.some((each) => each.path === "/run/mysqld" && each.user === "mysql"));
    const assessment = await assess(inventory, machine, readTarget());
    assert.ok(
      assessment.findings.some((each) => each.rule === "databases" && each.subject === "/var/lib/mysql"),
    );
    assert.ok(assessment.findings.some((each) => each.rule === "secrets"));
    assert.match(renderReport(assessment), /^<!doctype html>/);
  } finally {
    await machine.close();
  }
});
