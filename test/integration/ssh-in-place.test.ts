// Tracing on the far machine itself, by consent: a real sshd in a Debian 11 root.
import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type CaptureHost, captureHost, nothingLeft, tells } from "../support/capture.ts";
import { eventually } from "../support/enter.ts";
import { FarMachine, whyNoFar } from "../support/far-machine.ts";

const skip = whyNoFar();

async function start(t: TestContext): Promise<{ host: CaptureHost; far: FarMachine }> {
  const host = await captureHost(t);
  const far = await FarMachine.start(t, host);
  host.rebase();
  return { host, far };
}

/** Command lines of the far machine's processes. */
function commands(far: FarMachine): string[] {
  return readdirSync(far.path("/proc"))
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [
          readFileSync(far.path(`/proc/${pid}/cmdline`), "latin1")
            .replaceAll("\0", " ")
            .trim(),
        ];
      } catch {
        return [];
      }
    });
}

async function nothingThere(far: FarMachine): Promise<void> {
  await eventually("what was pushed is removed", () => far.temporary().length === 0);
  const others = () => commands(far).filter((one) => !/^$|sshd|^\S*enter /.test(one));
  await eventually("what was started has ended", () => others().length === 0);
}

test("a command runs on the machine itself, and the package works here", { skip }, async (t) => {
  const { host, far } = await start(t);
  const words = (...more: string[]) => [
    "capture", "run", "-m", far.address, "-t", "traced", ...more, "--env", "WORD=it's",
    "--", "/usr/bin/perl", "-e", 'use POSIX; open(F, ">>", "/srv/ran"); print F "$ENV{WORD} ", `uname -n`; print 42',
  ]; // biome-ignore format: command lines
  const dry = await far.tool(words("--in-place", "--dry-run"));
  assert.equal(dry.status, 0, dry.stderr);
  assert.match(dry.stdout, /writes the tracer .*\n {2}sh -c '.*\/tmp\/tranship-RANDOM\/in-place\/trace/);
  assert.match(
    dry.stdout,
    /\/usr\/bin\/perl .* traced, on the machine's own files\n {2}sh -c '.*in-place\/watch/,
  );
  assert.match(dry.stdout, /"\$d"\/trace --mode seccomp --fd 3 --kill-on-exit -- "\$d"\/init/);
  assert.equal(existsSync(far.path("/srv/ran")), false);

  for (const mode of ["auto", "plain"]) {
    const { status, stderr } = await far.tool(words("--in-place", "--tracer", mode));
    assert.equal(status, 0, stderr);
    assert.match(stderr, /42/, "its own output");
    assert.doesNotMatch(stderr, /to stage/);
    await nothingThere(far);
    // The second run finds it there.
    const made = await far.tool(["why", "traced", "/srv/ran"]);
    assert.equal(made.status, mode === "auto" ? 4 : 0, "made by the run");
  }
  assert.equal(readFileSync(far.path("/srv/ran"), "utf8"), "it's old-sshd\n".repeat(2));
  const why = await far.tool(["why", "traced", "/usr/bin/perl"]);
  assert.match(why.stdout, /started by the capture/);
  const verified = await far.tool(["verify", "traced"]);
  assert.equal(verified.status, 0, verified.stdout + verified.stderr);
  await nothingLeft(host);
});

test("services are started, exercised and stopped there; sudo does for another user", { skip }, async (t) => {
  const { host, far } = await start(t);
  const exercise = join(host.base, "try.sh");
  writeFileSync(
    exercise,
    '#!/bin/sh\nmariadb -e "CREATE DATABASE IF NOT EXISTS shop" >"$TRANSHIP_RESULTS/out" && mariadb -e "SHOW DATABASES" | grep shop\n',
  );
  chmodSync(exercise, 0o755);
  const words = (address: string, ...more: string[]) => [
    "capture", "run", "-m", address, "--in-place", "-t", "shop", "--service", "mariadb", "--until-port", "3306", "--exercise", exercise, ...more,
  ]; // biome-ignore format: a command line
  const keeper = far.address.replace("root@", "keeper@");
  const { status, stderr } = await far.tool(
    words(keeper, "--sudo", "--plan-only", "-o", join(host.base, "plan.yaml")),
  );
  assert.equal(status, 0, stderr);
  const plan = readFileSync(join(host.base, "plan.yaml"), "utf8");
  assert.match(plan, /port: 3306/);
  assert.match(plan, /path: \/var\/lib\/mysql\n/);
  assert.match(plan, /what: listeners\n\s+total: 2\n/, "its port and its unix socket");
  assert.ok(existsSync(far.path("/var/lib/mysql/shop")), "in place");
  await nothingThere(far);
  await nothingLeft(host);

  // What serves there already is not taken for what was started.
  const other = far.run(
    "install -d -o mysql /run/mysqld; mariadbd --user=mysql >/dev/null 2>&1 & echo $! >/run/other; wait; exit 0",
  );
  await eventually("the data base answers", () => existsSync(far.path("/run/mysqld/mysqld.sock")));
  tells(await far.tool(words(far.address)), {
    code: "E_CAPTURE_FAILED",
    says: /port 3306 .* in use/,
    hint: /stop the service/,
  });
  await far.run("kill $(cat /run/other)");
  await other;
  await nothingThere(far);
  await nothingLeft(host);
});

test("a link that breaks gives no package, and leaves nothing running there", { skip }, async (t) => {
  const { host, far } = await start(t);
  const words = [
    "capture",
    "run",
    "-m",
    far.address,
    "--in-place",
    "-t",
    "x",
    "--",
    "/bin/sh",
    "-c",
    "echo up; sleep 987",
  ];
  const running = await host.start(words, far.environment);
  await eventually("it runs there", () => commands(far).some((one) => one === "sleep 987"));
  far.killSessions();
  tells(await running.exit, {
    code: "E_CAPTURE_INCOMPLETE",
    says: /broke while the application was watched/,
    hint: /run the capture again/,
  });
  await nothingThere(far);
  // So does a tool that is killed, and one that is interrupted.
  for (const signal of ["SIGKILL", "SIGINT"] as const) {
    const other = await host.start(words, far.environment);
    await eventually("it runs there", () => commands(far).some((one) => one === "sleep 987"));
    process.kill(other.pid, signal);
    await other.exit;
    await nothingThere(far);
  }
  assert.equal((await far.tool(["inspect", "x"])).status, 1);
  await nothingLeft(host);
});

test("in place is only for machines over ssh, with a tracer, on the data that are there", {
  skip,
}, async (t) => {
  const { host, far } = await start(t);
  const words = (...more: string[]) => [
    "capture",
    "run",
    "--in-place",
    "-t",
    "x",
    ...more,
    "--",
    "/bin/true",
  ];
  tells(await far.tool(words("-m", host.machine)), {
    code: "E_USAGE",
    status: 2,
    says: /is for machines over ssh/,
  });
  tells(await far.tool(words("-m", far.address, "--no-push")), {
    code: "E_USAGE",
    status: 2,
    says: /no tracer can be put/,
  });
  tells(await far.tool(words("-m", far.address, "--data", "empty")), {
    code: "E_USAGE",
    status: 2,
    says: /--data empty/,
  });
  await nothingThere(far);
  await nothingLeft(host);
});
