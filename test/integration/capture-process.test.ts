// Programs that run while they are captured, and go on running: what has no name any more is recovered, what they see is what is
// packed, and the package says what they said.
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  endProcess,
  makeLibrary,
  makeServerMachine,
  missingForServer,
  type Started,
  said,
  startInside,
  statusField,
} from "../support/running.ts";
import { type CliResult, type Fixture, makeFixture, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? missingForServer() ?? false;

describe("capture process: a program in a root of its own", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let machine: string;
  let top: string;
  const running: Started[] = [];

  const start = (command: readonly string[], env: NodeJS.ProcessEnv = {}): Started => {
    const started = startInside(fixture, command, env);
    running.push(started);
    return started;
  };
  const server = (...words: string[]): string[] => ["chroot", machine, "/opt/app/server", ...words];
  const capture = (...words: string[]): Promise<CliResult> => fixture.cli(["capture", "process", ...words]);
  const answers = (port: number): Promise<void> => until(async () => (await said(fixture, port)) !== "");

  /** Runs a package, asks its port, and removes the instance. */
  async function packageSays(reference: string, port: number, ...words: string[]): Promise<string> {
    const ran = await fixture.cli(["run", "-d", "--name", "one", "-p", `19999:${port}`, ...words, reference]);
    assert.equal(ran.status, 0, ran.stderr);
    try {
      await answers(19999);
      return await said(fixture, 19999);
    } finally {
      await fixture.cli(["rm", "-f", "one"]);
    }
  }

  before(async () => {
    top = mkdtempSync(join(tmpdir(), "tranship-running-"));
    machine = join(top, "machine");
    makeServerMachine(machine);
    fixture = await makeFixture();
  });
  after(async () => {
    for (const one of running) await one.stop();
    await fixture?.clean();
    await fixture?.remove();
    rmSync(top, { recursive: true, force: true });
  });

  it("recovers program, library and open file that were replaced or deleted, and does not stop the program", async () => {
    const { pid } = start(server("9001", "/opt/app/words.txt"), { APP_TOKEN: "hidden", APP_MODE: "plain" });
    await answers(9001);
    makeLibrary(machine, "second");
    rmSync(join(machine, "opt/app/words.txt"));
    rmSync(join(machine, "opt/app/server"));
    const states = new Set<string>();
    const tracers = new Set<string>();
    const sampling = setInterval(() => {
      states.add(statusField(pid, "State"));
      tracers.add(statusField(pid, "TracerPid"));
    }, 1);
    const made = await capture("-t", "server", "--pid", String(pid)).finally(() => clearInterval(sampling));
    assert.equal(made.status, 0, made.stderr);
    assert.deepEqual([...tracers], ["0"]);
    assert.ok(states.size > 0 && !states.has("T") && !states.has("t"), [...states].join());
    assert.match(made.stderr, /libgreet\.so was replaced since process \d+ \(server\) started/);
    const native = await said(fixture, 9001);
    assert.match(native, /^first library; old words; token hidden; gap \d+$/);
    const why = async (path: string): Promise<string> => (await fixture.cli(["why", "server", path])).stdout;
    assert.match(await why("/opt/app/server"), /recovered: deleted while process \d+ \(server\) ran it/);
    assert.match(
      await why("/opt/app/words.txt"),
      /snapshot: open in \/opt\/app\/server\n.*[\s\S]*recovered: deleted while/,
    );
    assert.match(
      await why("/opt/app/libgreet.so"),
      /snapshot: mapped by \/opt\/app\/server[\s\S]*recovered: replaced while/,
    );
    const verified = await fixture.cli(["verify", "server"]);
    assert.equal(verified.stdout, "server: 0 errors, 0 warnings\n");
    const shown = await fixture.cli(["package", "show", "server"]);
    assert.doesNotMatch(shown.stdout, /hidden/);
    assert.match(shown.stdout, /delivery: env\n\s+name: APP_TOKEN/);
    assert.match(shown.stdout, /APP_MODE: plain/);
    writeFileSync(join(top, "token"), "given");
    const says = await packageSays("server", 9001, "--secret", `APP_TOKEN=${join(top, "token")}`);
    assert.match(says, /^first library; old words; token given; gap \d+$/);
    const kept = await capture("-t", "kept", "--listening", "9001", "--keep-secret", "env:APP_TOKEN");
    assert.equal(kept.status, 0, kept.stderr);
    assert.match(await packageSays("kept", 9001), /token hidden/);
  });

  it("a plan keeps the recovered files beside it", async () => {
    const plan = join(top, "plan.yaml");
    const printed = await capture("--listening", "9001", "--plan-only");
    assert.match(
      printed.stderr,
      /^error\[E_USAGE\]: a plan that is only printed cannot keep what has to be recovered: \/opt\/app/m,
    );
    const made = await capture("--listening", "9001", "--plan-only", "-o", plan);
    assert.equal(made.status, 0, made.stderr);
    const files = join(top, "plan.yaml.recovered/files");
    assert.deepEqual(readdirSync(join(files, "opt/app")).sort(), ["libgreet.so", "server", "words.txt"]);
    const again = await capture("--listening", "9001", "--plan-only", "-o", plan);
    assert.equal(again.status, 0, again.stderr);
    const carried = await capture("-t", "planned", "--plan", plan);
    assert.equal(carried.status, 0, carried.stderr);
    writeFileSync(join(top, "token"), "given");
    assert.match(
      await packageSays("planned", 9001, "--secret", `APP_TOKEN=${join(top, "token")}`),
      /^first library; old words/,
    );
    writeFileSync(join(files, "opt/app/words.txt"), "other words");
    const changed = await capture("-t", "changed", "--plan", plan);
    assert.match(
      changed.stderr,
      /^error\[E_SOURCE_CHANGED\]: \/opt\/app\/words\.txt in .* is not what was recovered/m,
    );
    rmSync(join(files, "opt/app/words.txt"));
    rmSync(join(files, "opt/app/libgreet.so"));
    const gone = await capture("-t", "gone", "--plan", plan);
    assert.match(
      gone.stderr,
      /^error\[E_PLAN_INVALID\]: the plan's recovered file \/opt\/app\/libgreet\.so is not in/m,
    );
    await running[0]?.stop();
    const ended = await capture("-t", "ended", "--plan", plan);
    assert.match(
      ended.stderr,
      /^error\[E_SOURCE_CHANGED\]: process \d+ of local:, by whose root .* has ended/m,
    );
  });

  it("a daemon that forked twice is started again as one", async () => {
    makeServerMachine(join(top, "fresh"));
    cpSync(join(top, "fresh/opt"), join(machine, "opt"), { recursive: true });
    const launcher = start(server("9002", "/opt/app/words.txt", "/run/app.pid"));
    await answers(9002);
    const pid = Number(readFileSync(join(machine, "run/app.pid"), "latin1"));
    try {
      assert.notEqual(pid, launcher.pid);
      const made = await capture("-t", "daemon", "--listening", "9002");
      assert.equal(made.status, 0, made.stderr);
      const shown = await fixture.cli(["package", "show", "daemon"]);
      assert.match(shown.stdout, /type: forking\n\s+pidFile: \/run\/app\.pid/);
      assert.match(await packageSays("daemon", 9002), /^first library; old words; token none/);
    } finally {
      endProcess(pid);
    }
  });

  it("a program with mounts of its own is packed as it sees them", async () => {
    const script = `mount -t tmpfs none ${machine}/mnt && cp ${machine}/opt/app/words.txt ${machine}/mnt/own.txt && exec chroot ${machine} /opt/app/server 9003 /mnt/own.txt`;
    const { pid } = start(["unshare", "-m", "sh", "-c", `mkdir -p ${machine}/mnt; ${script}`]);
    await answers(9003);
    assert.ok(!existsSync(join(machine, "mnt/own.txt")));
    const made = await capture("-t", "own", "--pid", String(pid));
    assert.equal(made.status, 0, made.stderr);
    assert.match(await packageSays("own", 9003), /^first library; old words/);
  });

  it("a socket that another process opened is told", async () => {
    start(["systemd-socket-activate", "-l", "127.0.0.1:9004", ...server("0", "/opt/app/words.txt")]);
    await answers(9004);
    const made = await capture(
      "-t",
      "given",
      "--listening",
      "9004",
      "--plan-only",
      "-o",
      join(top, "given.yaml"),
    );
    assert.equal(made.status, 0, made.stderr);
    assert.match(made.stderr, /the socket tcp 127\.0\.0\.1:9004 was opened by whoever started it/);
  });

  it("what cannot be captured is told, and leaves nothing", async () => {
    const fails = async (words: readonly string[], says: RegExp): Promise<void> => {
      const outcome = await capture(...words);
      assert.notEqual(outcome.status, 0);
      assert.match(outcome.stderr, says);
    };
    await fails(
      ["-t", "x", "--pid", "4194999"],
      /^error\[E_PROCESS_NOT_FOUND\]: no process 4194999 runs on local:/m,
    );
    await fails(
      ["-t", "x", "--listening", "9"],
      /^error\[E_PROCESS_NOT_FOUND\]: nothing listens on port 9 of local:/m,
    );
    await fails(
      ["-t", "x"],
      /^error\[E_USAGE\]: name the running program by one of --pid, --service and --listening/m,
    );
    await fails(["-t", "x", "--pid", "1", "--listening", "2"], /^error\[E_USAGE\]/m);
    await fails(
      ["-t", "x", "-m", `rootfs:${machine}`, "--pid", "1"],
      /^error\[E_MACHINE_UNKNOWN\]: nothing runs on rootfs:/m,
    );
    await fails(["-t", "x", "--service", "no-such-one"], /^error\[E_SERVICE_NOT_FOUND\]/m);
  });
});
