// Captures that cannot succeed: each is told clearly, makes no image and leaves nothing on host, source or state.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  type CaptureHost,
  captureHost,
  descendant,
  type Expected,
  failsCleanly,
  whyNoCapture,
} from "../support/capture.ts";
import { eventually } from "../support/enter.ts";
import { treeState } from "../support/small-root.ts";

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
      // What a watch of hours would have been for nothing: the command would run on for longer than a test may take.
      {
        name: "no installed package of that name",
        args: (h) => run(h, "--also", "installed:none", "--", "/bin/sleep", "1000"),
        expected: { code: "E_USAGE", status: 2, says: /"none"/, hint: /discover/ },
      },
      {
        name: "a plan that cannot be written",
        args: (h) => [...run(h, "--plan-only", "-o", "/no/such/plan"), "--", "/bin/sleep", "1000"],
        expected: { code: "E_IO", says: /\/no\/such\/plan/ },
      },
      {
        name: "no part of an identity",
        args: (h) => run(h, "--keep-identity", "face", "--", "/bin/sleep", "1000"),
        expected: { code: "E_USAGE", status: 2, says: /"face"/, hint: /mac/ },
      },
      {
        name: "a pattern that is not closed",
        args: (h) => run(h, "--exclude", "[a", "--", "/bin/sleep", "1000"),
        expected: { code: "E_USAGE", status: 2, says: /--exclude.*"\[a"/ },
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
      assert.ok(tracer !== undefined);
      process.kill(tracer, "SIGKILL");
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
      assert.ok(child !== undefined);
      process.kill(child, "SIGKILL");
      await failsCleanly(host, await running.exit, { code: "E_CAPTURE_FAILED", says: /signal 9/ });
    });
  });
});
