// Programs that run while they are captured, and go on running: what has no name any more is recovered, what they see is what is
// packed, and the package says what they said.
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { soaking } from "../support/counts.ts";
import {
  addPrograms,
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

const noRedis = existsSync("/usr/bin/redis-server") ? false : "needs redis-server";

/** Witnesses of a process that run now. */
function witnesses(pid: number): string[] {
  return readdirSync("/proc").filter((name) => {
    try {
      return (
        /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, "latin1").includes(`--pid\0${pid}\0`)
      );
    } catch {
      return false;
    }
  });
}

const skip = whyNot() ?? missingForServer() ?? false;

describe("capture process: a program in a root of its own", {
  skip,
  timeout: soaking ? 3_600_000 : 300_000,
}, () => {
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
  const capture = (...words: string[]): Promise<CliResult> =>
    fixture.cli([
      "capture",
      "process",
      ...(words.includes("--for") || words.includes("--plan") ? [] : ["--for", "0s"]),
      ...words,
    ]);
  const answers = (port: number): Promise<void> => until(async () => (await said(fixture, port)) !== "");

  const redis = async (port: number, ...words: string[]): Promise<string> =>
    (await fixture.inside(["redis-cli", "-p", String(port), ...words])).stdout.trim();

  /** What earlier tests deleted or replaced. */
  const restore = (): void => {
    rmSync(join(machine, "opt"), { recursive: true });
    cpSync(join(top, "opt"), join(machine, "opt"), { recursive: true });
  };

  /** Runs a package, asks its port, and removes the instance. */
  async function packageSays(reference: string, port: number, ...words: string[]): Promise<string> {
    const ran = await fixture.cli(["run", "-d", "--name", "one", "-p", `19999:${port}`, ...words, reference]);
    assert.equal(ran.status, 0, ran.stderr);
    try {
      await answers(19999);
      return await said(fixture, 19999);
    } finally {
      await fixture.cli(["rm", "-f", "-v", "one"]);
    }
  }

  before(async () => {
    top = mkdtempSync(join(tmpdir(), "tranship-running-"));
    machine = join(top, "machine");
    makeServerMachine(machine);
    cpSync(join(machine, "opt"), join(top, "opt"), { recursive: true });
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
    const made = await capture("-t", "server", "--pid", String(pid), "--for", "1s").finally(() =>
      clearInterval(sampling),
    );
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
    restore();
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
    restore();
    const script = `mount -t tmpfs none ${machine}/mnt && cp ${machine}/opt/app/words.txt ${machine}/mnt/own.txt && exec chroot ${machine} /opt/app/server 9003 /mnt/own.txt`;
    const { pid } = start(["unshare", "-m", "sh", "-c", `mkdir -p ${machine}/mnt; ${script}`]);
    await answers(9003);
    assert.ok(!existsSync(join(machine, "mnt/own.txt")));
    const made = await capture("-t", "own", "--pid", String(pid));
    assert.equal(made.status, 0, made.stderr);
    assert.match(await packageSays("own", 9003), /^first library; old words/);
  });

  it("a socket that another process opened is given to the program by init", async () => {
    restore();
    const { stop } = start([
      ...["systemd-socket-activate", "-l", "0.0.0.0:9004", "--fdname", "web"],
      ...server("0", "/opt/app/words.txt"),
    ]);
    // It takes nobody in before somebody knocks.
    await answers(9004);
    const made = await capture("-t", "given", "--listening", "9004");
    assert.equal(made.status, 0, made.stderr);
    assert.match(
      made.stderr,
      /the socket tcp 0\.0\.0\.0:9004 was opened by whoever started it: in the package init opens it/,
    );
    await stop();
    const shown = await fixture.cli(["package", "show", "given"]);
    assert.match(shown.stdout, /sockets:\n\s+- listen: 0\.0\.0\.0:9004\n\s+name: web\n/);
    assert.match(shown.stdout, /ports:\n\s+- port: 9004/);
    assert.doesNotMatch(shown.stdout, /LISTEN_|readiness/);
    assert.match(await packageSays("given", 9004), /^first library; old words/);
  });

  it("sockets that cannot be given are told", async () => {
    restore();
    // A pipe among the descriptors: none of them can be given in its place.
    const script = `import fcntl, os, socket
given = socket.create_server(("127.0.0.1", 9008)).detach(); end, _ = os.pipe()
high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in (given, end)]
os.dup2(high[0], 3); os.dup2(high[1], 4)
os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()))
os.execv("/usr/sbin/chroot", ${JSON.stringify(server("0", "/opt/app/words.txt"))})`;
    const { stop } = start(["python3", "-c", script]);
    await answers(9008);
    const made = await capture("--listening", "9008", "--plan-only");
    assert.equal(made.status, 0, made.stderr);
    assert.match(made.stderr, /it was given descriptor 4 by LISTEN_FDS, which is no listening socket/);
    assert.match(
      made.stderr,
      /the socket tcp 127\.0\.0\.1:9008 was opened by .*, in a way that an instance does not have/,
    );
    assert.doesNotMatch(made.stdout, /sockets:/);
    await stop();
  });

  it("what a program uses while it is watched is seen, also by its children", async () => {
    // The child lives on after it has read: of one that has ended nobody can say any more which program it was.
    const child = "read x </etc/watched.txt; sleep 0.2; exit 0";
    const script = `exec 3</etc/hosts; while :; do sh -c '${child}'; cat /var/log/late.log; echo x >>/var/log/late.log; done`;
    writeFileSync(join(machine, "etc/watched.txt"), "watched\n");
    const { pid } = start(["chroot", machine, "/bin/sh", "-c", script]);
    const made = await capture("-t", "loop", "--pid", String(pid), "--for", "1500ms");
    assert.equal(made.status, 0, made.stderr);
    const why = async (path: string): Promise<string> => (await fixture.cli(["why", "loop", path])).stdout;
    assert.match(await why("/etc/hosts"), /snapshot: open in \/bin\/busybox/);
    assert.match(
      await why("/etc/watched.txt"),
      /traced: read by \/bin\/busybox, seen by the file witness only/,
    );
    assert.match(await why("/var/log/late.log"), /is not in loop/);
  });

  it("data that is written to all the time is packed whole, file by file", { skip: noRedis }, async () => {
    addPrograms(machine, ["/usr/bin/redis-server"]);
    writeFileSync(
      join(machine, "etc/redis.conf"),
      "port 9005\nprotected-mode no\ndir /var/lib/redis\nappendonly yes\nsave 1 1\n",
    );
    mkdirSync(join(machine, "var/lib/redis"), { recursive: true });
    const server = start(["chroot", machine, "/usr/bin/redis-server", "/etc/redis.conf"]);
    await until(async () => (await redis(9005, "set", "first", "kept")) === "OK");
    const writer = start([
      "redis-cli",
      "-p",
      "9005",
      "-r",
      "1000000",
      "-i",
      "0.005",
      "set",
      "other",
      "x".repeat(500),
    ]);
    const words = ["--listening", "9005", "--for", "1s"];
    // Told before the watch, which would take longer than this test may.
    const title = await capture("-t", "redis", "--listening", "9005", "--for", "1h");
    assert.match(
      title.stderr,
      /^error\[E_USAGE\]: process \d+ \(redis-server\) wrote the title "[^"]*:9005" over its command line/m,
    );
    const made = await capture("-t", "redis", ...words, "--cmd", "/usr/bin/redis-server /etc/redis.conf");
    assert.equal(made.status, 0, made.stderr);
    assert.match(made.stderr, /\/var\/lib\/redis is copied while the program runs/);
    const empty = await capture(
      "-t",
      "empty",
      ...words,
      "--cmd",
      "/usr/bin/redis-server /etc/redis.conf",
      "--data",
      "empty",
    );
    assert.equal(empty.status, 0, empty.stderr);
    await writer.stop();
    await redis(9005, "save");
    cpSync(join(machine, "var/lib/redis"), join(top, "taken"), { recursive: true });
    await redis(9005, "set", "first", "later");
    const taken = await capture(
      "-t",
      "taken",
      ...words,
      "--cmd",
      "/usr/bin/redis-server /etc/redis.conf",
      "--data",
      `snapshot:${join(top, "taken")}`,
    );
    assert.equal(taken.status, 0, taken.stderr);
    await server.stop();
    const answers = async (reference: string): Promise<string> => {
      const ran = await fixture.cli(["run", "-d", "--name", "store", "-p", "19998:9005", reference]);
      assert.equal(ran.status, 0, ran.stderr);
      try {
        await until(async () => {
          const { stdout } = await fixture.cli(["ps", "-a", "--format", "{{.Status}}"]);
          if (!/^up/i.test(stdout))
            throw new Error(
              `${reference}: ${stdout} ${JSON.stringify(await fixture.cli(["logs", "store"]))}`,
            );
          return (await redis(19998, "ping")) === "PONG";
        });
        return await redis(19998, "get", "first");
      } finally {
        await fixture.cli(["rm", "-f", "-v", "store"]);
      }
    };
    assert.deepEqual(
      [await answers("redis"), await answers("empty"), await answers("taken")],
      ["kept", "", "kept"],
    );
  });

  it("a program that ends while it is watched is told", async () => {
    restore();
    const { pid, stop } = start(server("9006", "/opt/app/words.txt"));
    await answers(9006);
    const late = capture("-t", "x", "--pid", String(pid), "--for", "10m");
    await until(() => readdirSync(fixture.root.work).some((name) => name.startsWith("process-")));
    await until(() => witnesses(pid).length > 0);
    await stop();
    const outcome = await late;
    assert.equal(outcome.status, 1, outcome.stderr);
    assert.match(
      outcome.stderr,
      /^error\[E_PROCESS_NOT_FOUND\]: process \d+ (\(server\) )?of local: ended while it was (watched for 10m|looked at)/m,
    );
    await until(() => witnesses(pid).length === 0);
  });

  it("kill -9 of the tool leaves the program as it is, and the next command repairs", async () => {
    restore();
    const { pid } = start(server("9007", "/opt/app/words.txt"));
    await answers(9007);
    rmSync(join(machine, "opt/app/words.txt"));
    const list = join(top, "steps");
    const words = ["capture", "process", "-t", "killed", "--listening", "9007", "--for", "300ms"];
    const whole = await fixture.cli(words, { env: { TRANSHIP_STEPS_FILE: list } });
    assert.equal(whole.status, 0, whole.stderr);
    const steps = readFileSync(list, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.replace(/^\d+ /, ""));
    const named = [
      "look at the process",
      "watch the process",
      "recover deleted files",
      "make the plan",
      "name the image",
    ];
    for (const name of named) assert.ok(steps.includes(name), `${name}: ${steps.join(", ")}`);
    const wanted = soaking
      ? steps.map((_, index) => index + 1)
      : named.slice(1).map((name) => steps.indexOf(name) + 1);
    for (const at of wanted) {
      // What is stored already takes fewer steps.
      rmSync(join(fixture.root.path, "store"), { recursive: true, force: true });
      const killed = await fixture.cli(words, { env: { TRANSHIP_CRASH_AT: String(at) } });
      assert.equal(killed.status, 137, killed.stderr);
      await until(() => witnesses(pid).length === 0);
      const next = await fixture.cli(["images", "-q"]);
      assert.equal(next.status, 0, next.stderr);
      if (next.stdout.trim() !== "") {
        const verified = await fixture.cli(["verify", "--read-data", "killed"]);
        assert.equal(verified.status, 0, verified.stdout + verified.stderr);
      }
      await fixture.clean();
    }
    const again = await fixture.cli(words);
    assert.equal(again.status, 0, again.stderr);
    assert.match(await said(fixture, 9007), /^first library; old words/);
    assert.equal(statusField(pid, "TracerPid"), "0");
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
