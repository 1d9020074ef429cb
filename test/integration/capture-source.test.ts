// Sources that change, hold what cannot be read, or are this host itself: what is told, and that they stay as they were.
import assert from "node:assert/strict";
import { readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import {
  type CaptureHost,
  captureHost,
  failsCleanly,
  nothingLeft,
  type Outcome,
  stopped,
  whyNoCapture,
} from "../support/capture.ts";
import { addText, treeState } from "../support/small-root.ts";

const skip = whyNoCapture();

const run = (host: CaptureHost, ...words: string[]): string[] => ["-m", host.machine, "-t", "x", ...words];

/** Runs until the named step, changes something, and goes on. */
async function changedAt(
  host: CaptureHost,
  step: string,
  args: readonly string[],
  change: () => void,
): Promise<Outcome> {
  const running = await host.start(["capture", "run", ...args], { TRANSHIP_STOP_AT: step });
  await stopped(running);
  change();
  running.resume();
  return await running.exit;
}

const readAll = ["--", "/bin/sh", "-c", "cat /srv/www/*"];

test("a source that changes under the capture", { skip }, async (t) => {
  const host = await captureHost(t);
  const file = join(host.source, "srv/www/data.txt");
  const text = readFileSync(file);
  const cases: readonly [string, string, () => void][] = [
    ["a file vanishes between plan and pack", "make the store work directory", () => rmSync(file)],
    [
      "a file is written between plan and pack",
      "make the store work directory",
      () => writeFileSync(file, "other"),
    ],
    ["a file vanishes while the layer is written", "write the system layer", () => rmSync(file)],
    [
      "a file grows while the layer is written",
      "write the system layer",
      () => writeFileSync(file, "more", { flag: "a" }),
    ],
    [
      "a file is replaced by a link while the layer is written",
      "write the system layer",
      () => {
        rmSync(file);
        symlinkSync("/etc/shadow", file);
      },
    ],
  ];
  for (const [name, step, change] of cases) {
    await t.test(name, async () => {
      const outcome = await changedAt(host, step, run(host, ...readAll), change);
      const expected = { code: "E_SOURCE_CHANGED", says: /\/srv\/www\/data\.txt/, hint: /stop what writes/ };
      rmSync(file, { force: true });
      writeFileSync(file, text);
      await failsCleanly(host, outcome, expected);
    });
  }
  await t.test("directories that come and go while they are listed", async () => {
    const running = await host.start(["capture", "run", ...run(host, "--include", "/srv/**", ...readAll)], {
      TRANSHIP_STOP_AT: "make the plan",
    });
    await stopped(running);
    running.resume();
    let over = false;
    const outcome = running.exit.finally(() => {
      over = true;
    });
    for (let round = 0; !over; round++) {
      const directory = join(host.source, `srv/tree/${round % 5}/deep`);
      addText(directory, { a: "a", b: "b" });
      await new Promise((resolve) => setTimeout(resolve, 1));
      rmSync(join(host.source, `srv/tree/${(round + 2) % 5}`), { recursive: true, force: true });
    }
    const { status, stderr } = await outcome;
    assert.ok(status === 0 || /E_SOURCE_CHANGED/.test(stderr), stderr);
    await nothingLeft(host);
  });
});

test("files that cannot be read or packed", { skip }, async (t) => {
  const host = await captureHost(t);
  addText(host.source, { "srv/www/odd/unreadable": "covered by a file of the kernel\n" });
  symlinkSync("no-such-target", join(host.source, "srv/www/odd/dangling"));
  symlinkSync("loop", join(host.source, "srv/www/odd/loop"));
  const odd = join(host.source, "srv/www/odd");
  const made = await host.inside(["sh", "-c", `mkfifo ${odd}/pipe && mknod ${odd}/device c 240 1`]);
  assert.equal(made.status, 0, made.stderr);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(odd, "socket"), resolve));
  t.after(() => server.close());
  await t.test("sockets, devices, dangling links and loops do not end it", async () => {
    const before = treeState(host.source);
    const outcome = await host.tool([
      "capture", "run", "-m", host.machine, "-t", "odd", "--", "/bin/sh", "-c",
      "cat /srv/www/index.html; ls -l /srv/www/odd; cat /srv/www/odd/dangling /srv/www/odd/loop; true",
    ]); // biome-ignore format: a command
    assert.equal(outcome.status, 0, outcome.stderr);
    assert.match(outcome.stderr, /\/srv\/www\/odd\/device: the device c 240:1 is not declared/);
    assert.match((await host.tool(["why", "odd", "/srv/www/odd/socket"])).stdout, /: socket \(/);
    const why = await host.tool(["why", "odd", "/srv/www/odd/dangling"]);
    assert.equal(why.status, 0, why.stdout);
    const odd = (await host.tool(["why", "odd", "/srv/new\nline\ufffd"])).stdout;
    assert.match(odd, /^\/srv\/new\\x0aline\ufffd is not in odd:\n.*write a byte that is no UTF-8 as \\xNN/);
    await nothingLeft(host);
    assert.deepEqual(treeState(host.source), before);
  });
  await t.test("a file that even root cannot read", async () => {
    const mount = await host.inside([
      "mount",
      "--bind",
      "/sys/bus/cpu/drivers_probe",
      join(odd, "unreadable"),
    ]);
    assert.equal(mount.status, 0, mount.stderr);
    const outcome = await host.tool([
      "capture", "run", "-m", host.machine, "-t", "unreadable", "--", "/bin/cat", "/srv/www/odd/unreadable",
    ]); // biome-ignore format: a command
    const undone = await host.inside(["umount", join(odd, "unreadable")]);
    assert.equal(undone.status, 0, undone.stderr);
    assert.equal(outcome.status, 1);
    assert.match(outcome.stderr, /error\[E_IO\]: .*\/srv\/www\/odd\/unreadable: \S/);
    await nothingLeft(host);
    assert.doesNotMatch((await host.tool(["images"])).stdout, /unreadable/);
  });
});

test("two state roots never see each other", { skip }, async (t) => {
  const host = await captureHost(t);
  const source = treeState(host.source);
  const other = join(host.base, "other");
  const made = await host.tool(["--root", other, "capture", "run", ...run(host, "--", "/bin/true")]);
  assert.equal(made.status, 0, made.stderr);
  const before = treeState(other);
  const good = await host.tool(["capture", "run", ...run(host, "--", "/bin/true")]);
  assert.equal(good.status, 0, good.stderr);
  const bad = await host.tool(["capture", "run", ...run(host, "--", "/bin/false")]);
  assert.equal(bad.status, 1);
  assert.deepEqual(treeState(other), before);
  assert.ok(statSync(host.state).isDirectory());
  assert.deepEqual(treeState(host.source), source);
});

test("this host as the source", { skip }, async (t) => {
  const host = await captureHost(t);
  for (const state of [join(host.base, "deep/state"), `/var/lib/tranship-test-${process.pid}`]) {
    await t.test(
      `with its state below ${state.startsWith("/var") ? "/var/lib" : "the temporary directory"}`,
      async () => {
        t.after(() => rmSync(state, { recursive: true, force: true }));
        const marker = join(host.base, "marker");
        writeFileSync(marker, "as it was\n");
        utimesSync(marker, 1, 1);
        const before = statSync(marker, { bigint: true });
        const script = `echo changed > ${marker}; echo hi`;
        const outcome = await host.tool([
          "--root",
          state,
          "capture",
          "run",
          "-t",
          "x",
          "--",
          "/bin/sh",
          "-c",
          script,
        ]);
        assert.equal(outcome.status, 0, outcome.stderr);
        assert.match(outcome.stdout, /^x:latest@sha256:/);
        const after = statSync(marker, { bigint: true });
        assert.deepEqual(
          [readFileSync(marker, "utf8"), after.mtimeNs, after.ctimeNs],
          ["as it was\n", before.mtimeNs, before.ctimeNs],
        );
        await nothingLeft(host, state);
      },
    );
  }
});
