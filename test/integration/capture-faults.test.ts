// Captures that cannot succeed: each is told clearly, makes no image and leaves nothing on host, source or state.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  type CaptureHost,
  captureHost,
  descendant,
  type Expected,
  failsCleanly,
  nothingLeft,
  type Outcome,
  stopped,
  whyNoCapture,
} from "../support/capture.ts";
import { eventually } from "../support/enter.ts";
import { addText, treeState } from "../support/small-root.ts";

const skip = whyNoCapture();

/** A host, and the proof that the source is afterwards what it was before. */
async function untouched(t: TestContext, use: (host: CaptureHost) => Promise<void>): Promise<void> {
  const host = await captureHost(t);
  const before = treeState(host.source);
  await use(host);
  assert.deepEqual(treeState(host.source), before);
}

interface Case {
  name: string;
  args: (host: CaptureHost) => readonly string[];
  expected: Expected;
}

async function eachFails(t: TestContext, host: CaptureHost, cases: readonly Case[]): Promise<void> {
  for (const one of cases) {
    await t.test(one.name, async () => {
      const outcome = await host.tool(["capture", "run", ...one.args(host)]);
      await failsCleanly(host, outcome, one.expected);
    });
  }
}

const run = (host: CaptureHost, ...words: string[]): string[] => ["-m", host.machine, "-t", "x", ...words];

test("what cannot be captured is told before anything starts", { skip }, async (t) => {
  await untouched(t, async (host) => {
    writeFileSync(join(host.base, "file"), "no directory\n");
    mkdirSync(join(host.base, "empty"));
    writeFileSync(join(host.base, "plain.sh"), "#!/bin/sh\n", { mode: 0o644 });
    const machine = (address: string) => () => ["-m", address, "-t", "x", "--", "/bin/true"];
    await eachFails(t, host, [
      {
        name: "unknown kind of machine",
        args: machine("nfs:server:/old"),
        expected: { code: "E_MACHINE_UNKNOWN", status: 2, says: /nfs:server:\/old/, hint: /rootfs:DIR/ },
      },
      {
        name: "missing root directory",
        args: machine("rootfs:/no/such/root"),
        expected: { code: "E_MACHINE_UNREACHABLE", says: /\/no\/such\/root/, hint: /directory/ },
      },
      {
        name: "a file as root directory",
        args: (h) => machine(`rootfs:${h.base}/file`)(),
        expected: {
          code: "E_MACHINE_UNREACHABLE",
          says: /\/file is not a directory/,
          hint: /unpack or mount/,
        },
      },
      {
        name: "a directory that holds no system",
        args: (h) => machine(`rootfs:${h.base}/empty`)(),
        expected: {
          code: "E_MACHINE_UNREACHABLE",
          says: /\/empty holds no operating system/,
          hint: /etc and usr/,
        },
      },
      {
        name: "missing command by path",
        args: (h) => run(h, "--", "/bin/no-such-command"),
        expected: { code: "E_COMMAND_NOT_FOUND", says: /\/bin\/no-such-command/, hint: /machine's root/ },
      },
      {
        name: "missing command by name",
        args: (h) => run(h, "--", "no-such-command"),
        expected: { code: "E_COMMAND_NOT_FOUND", says: /no-such-command/, hint: /\/usr\/local\/sbin/ },
      },
      {
        name: "a directory as command",
        args: (h) => run(h, "--", "/etc"),
        expected: { code: "E_COMMAND_NOT_FOUND", says: /\/etc .*directory/ },
      },
      {
        name: "a command that is not executable",
        args: (h) => run(h, "--", "/etc/passwd"),
        expected: { code: "E_COMMAND_NOT_FOUND", says: /\/etc\/passwd .*mode 644/ },
      },
      {
        name: "unknown service",
        args: (h) => run(h, "--service", "wbe"),
        expected: { code: "E_SERVICE_NOT_FOUND", says: /"wbe"/, hint: /there are: dull, web/ },
      },
      {
        name: "a name that is no reference",
        args: (h) => ["-m", h.machine, "-t", "Not A Name", "--", "/bin/true"],
        expected: { code: "E_REFERENCE_INVALID", status: 2, says: /Not A Name/, hint: /.*/ },
      },
      {
        name: "missing exercise",
        args: (h) => run(h, "--service", "web", "--exercise", "/no/exercise.sh"),
        expected: { code: "E_USAGE", status: 2, says: /\/no\/exercise\.sh: there is no such file/ },
      },
      {
        name: "an exercise that is not executable",
        args: (h) => run(h, "--service", "web", "--exercise", join(h.base, "plain.sh")),
        expected: { code: "E_USAGE", status: 2, says: /plain\.sh: it is not executable/ },
      },
    ]);
  });
});

test("runs that fail", { skip }, async (t) => {
  await untouched(t, async (host) => {
    const script = (name: string, text: string): string => {
      writeFileSync(join(host.base, name), text, { mode: 0o755 });
      return join(host.base, name);
    };
    const failing = script("failing.sh", "#!/bin/sh\necho this page is wrong\nexit 7\n");
    const foreign = script("foreign.sh", "#!/usr/bin/no-such-interpreter\n");
    await eachFails(t, host, [
      {
        name: "a program that exits with a status",
        args: (h) => run(h, "--", "/bin/sh", "-c", "echo lost > /var/tmp/lost; exit 3"),
        expected: { code: "E_CAPTURE_FAILED", says: /ended with status 3/, hint: /output is above/ },
      },
      {
        name: "a program that a signal ends",
        args: (h) => run(h, "--", "/bin/sh", "-c", "kill -SEGV $$"),
        expected: { code: "E_CAPTURE_FAILED", says: /killed by signal 11/ },
      },
      {
        name: "a server that ends before its port opens",
        args: (h) => run(h, "--until-port", "8080", "--", "/bin/sh", "-c", "exit 4"),
        expected: { code: "E_CAPTURE_FAILED", says: /ended with status 4 before the capture was done/ },
      },
      {
        name: "a port that never opens",
        args: (h) => run(h, "--service", "dull", "--until-port", "81", "--timeout", "1s"),
        expected: {
          code: "E_CAPTURE_FAILED",
          says: /waited 1(\.0)? ?s in vain for port 81/,
          hint: /--timeout/,
        },
      },
      {
        name: "an exercise that fails",
        args: (h) => run(h, "--service", "web", "--until-port", "8080", "--exercise", failing),
        expected: {
          code: "E_EXERCISE_FAILED",
          says: /failing\.sh ended with status 7:\s+this page is wrong/,
        },
      },
      {
        name: "an exercise without its interpreter",
        args: (h) => run(h, "--service", "web", "--until-port", "8080", "--exercise", foreign),
        expected: { code: "E_EXERCISE_FAILED", says: /status 127/, hint: /interpreter/ },
      },
    ]);
    await t.test("the tracer is killed", async () => {
      const running = await host.start(["capture", "run", ...run(host, "--", "/bin/sleep", "100")]);
      let tracer: number | undefined;
      await eventually("the tracer runs", () => {
        tracer = descendant(running.pid, /^\/\.tranship\/trace /);
        return tracer !== undefined && descendant(running.pid, /^\/bin\/sleep 100/) !== undefined;
      });
      process.kill(tracer ?? 0, "SIGKILL");
      const expected = { code: "E_CAPTURE_INCOMPLETE", says: /tracer ended/, hint: /again/ };
      await failsCleanly(host, await running.exit, expected);
    });
    await t.test("the application is killed; it was in no control group of ours", async () => {
      const running = await host.start(["capture", "run", ...run(host, "--", "/bin/sleep", "100")]);
      let child: number | undefined;
      await eventually("the program runs", () => {
        child = descendant(running.pid, /^\/bin\/sleep 100/);
        return child !== undefined;
      });
      const groups = (pid: number | string) => readFileSync(`/proc/${pid}/cgroup`, "utf8");
      assert.equal(groups(child ?? 0), groups(running.pid), "no control group is made");
      process.kill(child ?? 0, "SIGKILL");
      await failsCleanly(host, await running.exit, { code: "E_CAPTURE_FAILED", says: /signal 9/ });
    });
  });
});

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
  await untouched(t, async (host) => {
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
  });
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
