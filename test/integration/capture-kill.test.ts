// Captures that are stopped: Ctrl-C at every stage, and kill -9 at every step and at random moments. Nothing is left, and the
// next command works.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { installRoot } from "../../src/host/native.ts";
import {
  blobs,
  type CaptureHost,
  captureHost,
  descendant,
  descendants,
  failsCleanly,
  nothingLeft,
  type Running,
  stopped,
  tells,
  whyNoCapture,
} from "../support/capture.ts";
import { soaking } from "../support/counts.ts";
import { eventually } from "../support/enter.ts";
import { treeState } from "../support/small-root.ts";

const skip = whyNoCapture();
const randomKills = soaking ? 200 : 10;
const interrupted = { code: "E_INTERRUPTED", status: 130, says: /stopped/, hint: /.*/ };

const capture = (host: CaptureHost, ...words: string[]): string[] => [
  "capture", "run", "-m", host.machine, "-t", "x", ...words,
]; // biome-ignore format: words

const sleeper = ["--", "/bin/sleep", "1000"];
const web = ["--service", "web", "--until-port", "8080"];

interface Stage {
  name: string;
  words: (host: CaptureHost) => readonly string[];
  /** A step at which the tool stops itself, */
  step?: string;
  /** or what must run for the stage to be there. */
  runs?: RegExp;
}

const stages: readonly Stage[] = [
  { name: "while the sandbox is set up", words: () => sleeper, step: "start the sandbox" },
  {
    name: "while the application starts",
    words: () => ["--until-port", "81", ...sleeper],
    step: "the sandbox runs",
  },
  { name: "while the application runs", words: () => sleeper, runs: /^\/bin\/sleep 1000/ },
  {
    name: "while the port is awaited",
    words: () => ["--until-port", "81", ...sleeper],
    runs: /^\/bin\/sleep 1000/,
  },
  {
    name: "while the exercise runs",
    words: (host) => [...web, "--exercise", join(host.base, "slow.sh")],
    runs: /^sleep 2000/,
  },
  { name: "while it lingers", words: () => [...web, "--linger", "1h"], step: "the application is ready" },
  {
    name: "while the application is stopped",
    words: () => [...web, "--linger", "0s"],
    step: "stop the application",
  },
  { name: "while what it needs is looked for", words: () => ["--", "/usr/bin/env"], step: "make the plan" },
  { name: "before packing", words: () => ["--", "/usr/bin/env"], step: "make the store work directory" },
  { name: "while a layer is written", words: () => ["--", "/usr/bin/env"], step: "write the system layer" },
  { name: "between layers", words: () => ["--", "/usr/bin/env"], step: "write the tranship layer" },
];

function processGroup(pid: number): string | undefined {
  return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ")[2];
}

function interrupt(pid: number): void {
  try {
    process.kill(pid, "SIGINT");
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ESRCH");
  }
}

async function reach(host: CaptureHost, stage: Stage): Promise<Running> {
  const env = stage.step === undefined ? {} : { TRANSHIP_STOP_AT: stage.step };
  const running = await host.start(capture(host, ...stage.words(host)), env);
  const { runs } = stage;
  if (runs === undefined) await stopped(running);
  else await eventually("the stage is there", () => descendant(running.pid, runs) !== undefined);
  return running;
}

test("Ctrl-C at every stage", { skip }, async (t) => {
  const host = await captureHost(t);
  writeFileSync(join(host.base, "slow.sh"), "#!/bin/sh\nsleep 2000\n", { mode: 0o755 });
  const before = treeState(host.source);
  for (const stage of stages) {
    await t.test(stage.name, async () => {
      const running = await reach(host, stage);
      process.kill(running.pid, "SIGINT");
      if (stage.step !== undefined) running.resume();
      await failsCleanly(host, await running.exit, interrupted);
    });
  }
  await t.test("from a terminal, which tells every process of the command", async () => {
    for (const stage of stages.filter(({ runs }) => runs !== undefined)) {
      const running = await reach(host, stage);
      const members = [running.pid, ...descendants(running.pid)].filter(
        (pid) => processGroup(pid) === processGroup(running.outer),
      );
      assert.ok(members.length >= 3, "the sandbox is in the command's group");
      // Children first, the worst order; some end with those before them.
      for (const pid of members.reverse()) interrupt(pid);
      await failsCleanly(host, await running.exit, interrupted);
    }
  });
  await t.test("twice forces; the next command clears up", async () => {
    const running = await reach(host, { name: "", words: () => sleeper, step: "the sandbox runs" });
    process.kill(running.pid, "SIGINT");
    process.kill(running.pid, "SIGTERM");
    running.resume();
    assert.equal((await running.exit).status, 130);
    const next = await host.tool(["images"]);
    assert.equal(next.status, 0, next.stderr);
    await nothingLeft(host);
  });
  assert.deepEqual(treeState(host.source), before);
});

/** After a kill: the next command works and repairs, and what the store names is whole. */
async function repaired(host: CaptureHost): Promise<void> {
  await eventually("nothing runs any more", () =>
    host.leftovers().every((one) => !one.startsWith("process")),
  );
  const next = await host.tool(["images", "-q"]);
  assert.equal(next.status, 0, next.stderr);
  await nothingLeft(host);
  for (const _ of next.stdout.trim() === "" ? [] : ["x"]) {
    const verified = await host.tool(["verify", "--read-data", "x"]);
    assert.equal(verified.status, 0, verified.stderr);
  }
}

async function capturesAgain(host: CaptureHost): Promise<void> {
  const again = await host.tool(capture(host, "--", "/usr/bin/env"));
  assert.equal(again.status, 0, again.stderr);
  const verified = await host.tool(["verify", "--read-data", "x"]);
  assert.equal(verified.status, 0, verified.stderr);
  await nothingLeft(host);
}

test("kill -9 at every step", { skip }, async (t) => {
  const host = await captureHost(t);
  const before = treeState(host.source);
  const list = join(host.base, "steps");
  const words = capture(host, ...web, "--linger", "0s");
  const whole = await host.tool(words, { TRANSHIP_STEPS_FILE: list });
  assert.equal(whole.status, 0, whole.stderr);
  const steps = readFileSync(list, "utf8").trim().split("\n");
  assert.ok(steps.length >= 20, steps.join("\n"));
  const once = (name: RegExp) => steps.findIndex((step) => name.test(step)) >= 0;
  for (const name of [
    /start the sandbox/,
    /the sandbox runs/,
    /stop the app/,
    /write the system layer/,
    /put the blob/,
    /write the index/,
    /remove the capture work/,
  ])
    assert.ok(once(name), String(name));
  for (const [index, step] of steps.entries()) {
    // Documents are all stored alike: the first and the last stand for those between.
    const alike = (other: string | undefined) => other?.includes("put the blob") === true;
    if (!soaking && alike(step) && alike(steps[index - 1]) && alike(steps[index + 1])) continue;
    await t.test(step, async () => {
      rmSync(host.state, { recursive: true, force: true });
      const killed = await host.tool(words, { TRANSHIP_CRASH_AT: String(index + 1) });
      assert.equal(killed.status, 137, killed.stderr);
      await repaired(host);
    });
  }
  await capturesAgain(host);
  assert.deepEqual(treeState(host.source), before);
});

test(`kill -9 at ${randomKills} random moments`, { skip }, async (t) => {
  const host = await captureHost(t);
  const before = treeState(host.source);
  for (let round = 0; round < randomKills; round++) {
    const running = await host.start(capture(host, "--", "/usr/bin/env"));
    await sleep(Math.random() * 1200);
    if (existsSync(`/proc/${running.pid}`)) process.kill(running.pid, "SIGKILL");
    const { status, stderr } = await running.exit;
    assert.ok(status === 137 || status === 0, stderr);
    await repaired(host);
  }
  await capturesAgain(host);
  assert.deepEqual(treeState(host.source), before);
});

test("what a killed command left of locks and files is swept", { skip }, async (t) => {
  const host = await captureHost(t);
  const first = await host.tool(capture(host, "--", "/bin/true"));
  assert.equal(first.status, 0, first.stderr);
  const stored = blobs(host);
  const dead = JSON.stringify({ pid: 999_999, startTime: "1", what: "die" });
  writeFileSync(join(host.state, "locks/store-index"), dead);
  writeFileSync(join(host.state, "locks/store-collector"), "");
  writeFileSync(join(host.state, "store/.999999-0123456789ab.tmp"), "half an ind");
  for (const name of ["capture-0123456789ab-999999-1", "store-0123456789ab", "layer-0123456789ab"]) {
    mkdirSync(join(host.state, "work", name, "upper", "work", "work"), { recursive: true, mode: 0 });
    // Names that are no text, as an application may write them.
    writeFileSync(Buffer.from(join(host.state, "work", name, "upper/\xff\n"), "latin1"), "");
  }
  const second = await host.tool(capture(host, "--", "/bin/true"));
  assert.equal(second.status, 0, second.stderr);
  assert.ok(blobs(host).length >= stored.length);
  await nothingLeft(host);
  const failing = await host.tool(capture(host, "--", "/bin/false"));
  tells(failing, { code: "E_CAPTURE_FAILED", says: /status 1/ });
  await nothingLeft(host);
});

test("a machine is closed to the end while requests are under way", { skip }, async (t) => {
  const host = await captureHost(t);
  const script = `
    import { openMachine } from ${JSON.stringify(join(installRoot, "src/machine/open.ts"))};
    const machine = await openMachine(${JSON.stringify(host.machine)});
    for (let i = 0; i < 200; i++) machine.files.stat("/etc/passwd").catch(() => {});
    for (let i = 0; i < 20; i++) machine.files.readRange("/bin/busybox", 0, 1 << 20).catch(() => {});
    await Promise.race([machine.files.stat("/etc"), 0]);
    await machine.close();
    console.log("closed");`;
  for (let round = 0; round < 8; round++) {
    const outcome = await host.inside([process.execPath, "--input-type=module", "-e", script]);
    assert.deepEqual([outcome.status, outcome.stdout], [0, "closed\n"], outcome.stderr);
    await nothingLeft(host);
  }
});
