// update, restart rules, boot: what runs again, and when; and kill -9 at the steps of the verbs that change something.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { cgroupProcesses } from "../../src/host/cgroup.ts";
import { findInstance } from "../../src/runtime/find.ts";
import { instanceGroup } from "../../src/runtime/limits/groups.ts";
import { mainProcess, parentOf } from "../../src/runtime/processes.ts";
import { type Fixture, makeFixture, makePackage, programWords, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("running again", { skip, timeout: 400_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
  });
  after(async () => {
    await fixture.clean();
    await fixture.remove();
  });

  const cli = (...args: string[]) => fixture.cli(args);
  async function start(name: string, script: string, ...flags: string[]): Promise<string> {
    const words = ["run", "-d", "--name", name, "--network", "none", ...flags, "box:1", "sh", "-c", script];
    const result = await cli(...words);
    assert.equal(result.status, 0, result.stderr);
    return result.stdout.trim();
  }
  const fileOf = (id: string, name: string): string => join(fixture.root.path, "instances", id, name);
  /** Kills what holds these instances or runs in them, and nothing else. */
  async function goDown(ids: readonly string[]): Promise<void> {
    const kill = (pid: number): void => {
      try {
        process.kill(pid, "SIGKILL");
      } catch {} // it has ended with another one
    };
    for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, "latin1");
        if (words.includes(`${fixture.root.path}/instances/`)) kill(Number(name));
      } catch {} // it has ended
    }
    for (const id of ids) for (const pid of cgroupProcesses(instanceGroup(id))) if (pid > 1) kill(pid);
  }
  const state = async (name: string): Promise<string> =>
    (await cli("ps", "-a", "--filter", `name=${name}`, "--format", "{{.State}}")).stdout.trim();

  it("update changes limits of a running instance, and takes them away", async (t) => {
    const id = await start("limited", "sleep 1000", "--memory", "64m");
    const limit = async (): Promise<string> =>
      (await cli("stats", "--no-stream", "--format", "{{.MemUsage}}", "limited")).stdout
        .trim()
        .split(" / ")[1] ?? "";
    if ((await limit()) !== "64MiB") {
      await cli("rm", "-f", "limited");
      t.skip("this host accounts for no memory");
      return;
    }
    const changed = await cli("update", "--memory", "128m", "--cpus", "0.5", "--pids-limit", "50", "limited");
    assert.deepEqual(changed, { status: 0, stdout: "limited\n", stderr: "" });
    assert.equal(await limit(), "128MiB");
    assert.equal(existsSync(fileOf(id, "updating")), false);
    assert.equal((await cli("update", "--memory", "0", "--pids-limit", "-1", "limited")).status, 0);
    assert.match(await limit(), /GiB$/);
    const record = JSON.parse((await cli("inspect", "limited")).stdout) as { record: { limits: object } }[];
    assert.deepEqual(record[0]?.record.limits, { memory: null, cpus: 0.5, pids: null });
    const refused = await cli("update", "--memory", "1k", "limited");
    assert.match(refused.stderr, /error\[E_RUNTIME\]: the limits of limited cannot be changed/);
    assert.match(await limit(), /GiB$/);
    assert.equal((await cli("update", "limited")).status, 2);
    await cli("rm", "-f", "limited");
  });

  it("on-failure tries as often as it says, always goes on until stop, update changes the rule", async () => {
    const id = await start("failing", "echo run; exit 5", "--restart", "on-failure:2");
    await until(
      () =>
        existsSync(fileOf(id, "ended.json")) &&
        readFileSync(fileOf(id, "launch.json"), "utf8").includes('"restarts":2'),
    );
    assert.equal((await cli("wait", "failing")).stdout, "5\n");
    assert.equal((await cli("logs", "failing")).stdout, "run\nrun\nrun\n");
    await cli("rm", "failing");
    await start("going", "trap 'exit 0' USR1; while :; do sleep 0.05; done", "--restart", "no");
    await cli("update", "--restart", "always", "going");
    const runs = async (): Promise<number> =>
      (JSON.parse((await cli("history", "--format", "json", "going")).stdout) as object[]).length;
    await cli("kill", "-s", "USR1", "going");
    await until(async () => (await runs()) === 2);
    await cli("update", "--restart", "no", "going");
    await cli("kill", "-s", "USR1", "going");
    assert.equal((await cli("wait", "going")).stdout, "0\n");
    assert.equal(await runs(), 2);
    await cli("rm", "going");
  });

  it("wait carries out the rule where the monitor is late, and waits on; kill with the stop signal ends it", async () => {
    const loop = "while :; do sleep 0.05; done";
    const id = await start(
      "watched",
      `trap 'exit 4' USR1; trap 'exit 0' TERM; ${loop}`,
      "--restart",
      "always",
    );
    const root = findInstance(fixture.root, id);
    const init = mainProcess(root.paths, id)?.pid ?? 0;
    const monitor = parentOf(parentOf(init) ?? 0) ?? 0;
    assert.match(readFileSync(`/proc/${monitor}/cmdline`, "latin1"), /instance-ended/);
    process.kill(monitor, "SIGSTOP");
    const waiting = cli("wait", "watched");
    let over = false;
    void waiting.then(() => {
      over = true;
    });
    try {
      await cli("kill", "-s", "USR1", "watched");
      await until(() => (mainProcess(root.paths, id)?.pid ?? init) !== init);
    } finally {
      process.kill(monitor, "SIGCONT");
    }
    // The late one finds another start, and leaves it alone.
    await until(() => !existsSync(`/proc/${monitor}`));
    await until(async () => (await state("watched")) === "running");
    assert.equal(over, false);
    assert.equal((await cli("kill", "-s", "TERM", "watched")).status, 0);
    assert.equal((await waiting).stdout, "0\n");
    assert.equal(await state("watched"), "exited");
    assert.equal((await cli("inspect", "-f", "{{.RestartCount}}", "watched")).stdout, "1\n");
    await cli("rm", "watched");
  });

  it("one in the foreground goes on in the background by its rule", async () => {
    const result = await cli("run", "--name", "fore", "--network", "none", "--restart", "on-failure", "box:1", "sh", "-c",
      "[ -e /tmp/again ] && exec sleep 1000; touch /tmp/again; exit 9"); // biome-ignore format: short
    assert.equal(result.status, 9);
    await until(async () => (await state("fore")) === "running");
    await cli("rm", "-f", "fore");
  });

  it("stop ends the waiting for the next start", async () => {
    const id = await start("waiting", "exit 3", "--restart", "always");
    // Later starts wait longer, the sixth for some seconds: time enough for a stop on a host with other work.
    await until(
      () => Number(/"restarts":(\d+)/.exec(readFileSync(fileOf(id, "launch.json"), "utf8"))?.[1]) >= 5,
    );
    assert.equal((await cli("stop", "waiting")).status, 0);
    assert.equal(await state("waiting"), "exited");
    assert.equal((await cli("wait", "waiting")).stdout, "3\n");
    await cli("rm", "waiting");
  });

  it("boot starts what ran before the reboot, by its rule, and nothing twice", async () => {
    const rules = ["always", "always", "unless-stopped", "unless-stopped", "on-failure", "no"];
    const ids: string[] = [];
    for (const [index, rule] of rules.entries())
      ids.push(await start(`b${index}`, "sleep 1000", "--restart", rule));
    await cli("stop", "-t", "0", "b1", "b3");
    // As if the machine had gone down: nothing runs, and another boot is named.
    await goDown(ids);
    for (const id of ids) {
      const launch = JSON.parse(readFileSync(fileOf(id, "launch.json"), "utf8")) as object;
      writeFileSync(
        fileOf(id, "launch.json"),
        JSON.stringify({ ...launch, bootId: "00000000-0000-0000-0000-000000000000" }),
      );
    }
    assert.equal((await cli("boot", "--dry-run")).stdout, "b0\nb1\nb2\nb4\n");
    assert.deepEqual(await cli("boot"), { status: 0, stdout: "b0\nb1\nb2\nb4\n", stderr: "" });
    assert.deepEqual(await cli("boot"), { status: 0, stdout: "", stderr: "" });
    for (const [index, wanted] of ["running", "running", "running", "exited", "running", "exited"].entries())
      assert.equal(await state(`b${index}`), wanted, `b${index} ${rules[index]}`);
    assert.deepEqual((await cli("boot", "--down")).stdout.trim().split("\n").sort(), [
      "b0",
      "b1",
      "b2",
      "b4",
    ]);
    assert.equal((await cli("ps", "-q")).stdout, "");
    const unit = (await cli("boot", "--print")).stdout;
    assert.match(unit, new RegExp(`^ExecStart=/.*/bin/tranship --root ${fixture.root.path} boot$`, "m"));
    assert.match(
      (await cli("boot", "--install", "--unit-dir", fixture.root.path)).stdout,
      /tranship-.*\.service$/m,
    );
    await cli("rm", ...rules.map((_, index) => `b${index}`));
  });

  const asAfterReboot = async (...ids: string[]): Promise<void> => {
    await goDown(ids);
    for (const id of ids) {
      const launch = JSON.parse(readFileSync(fileOf(id, "launch.json"), "utf8")) as object;
      writeFileSync(
        fileOf(id, "launch.json"),
        JSON.stringify({ ...launch, bootId: "00000000-0000-0000-0000-000000000000" }),
      );
    }
  };

  it("two boots at once start each instance once, and none of them fails", async () => {
    const names = ["t0", "t1", "t2", "t3"];
    const ids: string[] = [];
    for (const name of names) ids.push(await start(name, "sleep 1000", "--restart", "always"));
    await asAfterReboot(...ids);
    const both = await Promise.all([cli("boot"), cli("boot")]);
    assert.deepEqual(
      both.map(({ status, stderr }) => [status, stderr]),
      [[0, ""], [0, ""]], // biome-ignore format: a pair
    );
    const started = both.flatMap(({ stdout }) => stdout.split("\n").filter(Boolean));
    assert.deepEqual(started.sort(), names);
    await cli("rm", "-f", ...names);
  });

  it("boot tries again what it could not start before, until it has run or was stopped", async () => {
    const published = async (name: string): Promise<string> => {
      const words = ["--restart", "always", "-p", "8090:80", "box:1", "sleep", "1000"];
      const result = await cli("run", "-d", "--name", name, ...words);
      assert.equal(result.status, 0, result.stderr);
      return result.stdout.trim();
    };
    const first = await published("first");
    await cli("stop", "-t", "0", "first");
    const second = await published("second");
    await asAfterReboot(first, second);
    const boot = await cli("boot");
    assert.deepEqual([boot.status, boot.stdout], [1, "first\n"]);
    assert.match(boot.stderr, /error: second could not be started: port 8090\/tcp/);
    await cli("rm", "-f", "first");
    assert.deepEqual(await cli("boot"), { status: 0, stdout: "second\n", stderr: "" });
    await cli("kill", "second");
    await cli("wait", "second");
    assert.deepEqual(await cli("boot"), { status: 0, stdout: "", stderr: "" });
    await cli("rm", "-f", "second");
  });

  it("start of what runs is done, as with docker, and of what is paused refused", async () => {
    await start("here", "sleep 1000");
    assert.deepEqual(await cli("start", "here"), { status: 0, stdout: "here\n", stderr: "" });
    await cli("pause", "here");
    const paused = await cli("start", "here");
    assert.deepEqual([paused.status, paused.stdout], [1, ""]);
    assert.match(paused.stderr, /here is paused\n.*unpause/);
    await cli("rm", "-f", "here");
  });

  for (const [file, text] of [
    ["instance.json", ""],
    ["launch.json", '{"bootId": "half a li'],
  ] as const)
    it(`a broken ${file} keeps no other instance from anything, and rm --force takes what is left`, async () => {
      const bad = await start("bad", "sleep 1000", "--restart", "always");
      const good = await start("good", "sleep 1000", "--restart", "always");
      const pid = Number((await cli("inspect", "-f", "{{.State.Pid}}", "bad")).stdout);
      writeFileSync(fileOf(bad, file), text);
      const told = new RegExp(
        `^warning: the instance ${bad.slice(0, 12)} is left out: .*${file} is not JSON.*rm --force`,
      );
      const done = async (stdout: string, ...words: string[]): Promise<void> => {
        const result = await cli(...words);
        assert.deepEqual([result.status, result.stdout], [0, stdout], result.stderr);
        assert.match(result.stderr, told, words.join(" "));
      };
      await done("good\n", "ps", "-a", "--format", "{{.Names}}");
      await done("good\n", "stop", "-t", "0", "good");
      await done("good\n", "start", "good");
      await done("hello\n", "run", "--rm", "box:1", "sh", "-c", "echo hello");
      assert.equal((await cli("exec", "good", "echo", "hi")).stdout, "hi\n");
      assert.match((await cli("stop", "bad")).stderr, /E_STATE_CORRUPT/);
      // What it uses is nobody's to throw away.
      assert.match((await cli("rmi", "box:1")).stderr, /E_STATE_CORRUPT/);
      await asAfterReboot(good);
      const boot = await cli("boot");
      assert.deepEqual([boot.status, boot.stdout], [1, "good\n"]);
      assert.match(boot.stderr, new RegExp(`error: ${bad.slice(0, 12)} could not be started: .*not JSON`));
      assert.ok(existsSync(`/proc/${pid}`), "it runs on");
      assert.match((await cli("rm", "bad")).stderr, /E_STATE_CORRUPT/);
      assert.equal((await cli("rm", "-f", "bad")).stdout, "bad\n");
      await until(() => !existsSync(`/proc/${pid}`));
      assert.equal((await cli("ps", "-aq")).stdout, `${good.slice(0, 12)}\n`);
      assert.equal((await cli("rename", "good", "bad")).status, 0, "its name is free");
      await cli("rm", "-f", "bad");
    });

  const cases: { name: string; command: string[]; proof(): Promise<void> }[] = [
    {
      name: "rename",
      command: ["rename", "it", "new"],
      proof: async () => {
        const [name = ""] = (await cli("ps", "-a", "--format", "{{.Names}}")).stdout.trim().split("\n");
        assert.ok(["it", "new"].includes(name), name);
        const other = name === "it" ? "new" : "it";
        assert.equal((await cli("create", "--name", other, "--network", "none", "box:1", "true")).status, 0);
        assert.equal((await cli("rm", other)).status, 0);
      },
    },
    {
      name: "restart",
      command: ["restart", "-t", "0", "it"],
      proof: async () => {
        assert.equal((await cli("restart", "-t", "0", "it")).status, 0);
        assert.equal(await state("it"), "running");
      },
    },
    {
      name: "pause",
      command: ["pause", "it"],
      proof: async () => {
        await cli("unpause", "it");
        assert.equal((await cli("exec", "it", "true")).status, 0);
      },
    },
    {
      name: "update",
      command: ["update", "--pids-limit", "77", "it"],
      proof: async () => {
        await cli("create", "--name", "any", "--network", "none", "box:1", "true");
        await cli("rm", "any");
        const [id = ""] = (await cli("ps", "-q", "--no-trunc")).stdout.trim().split("\n");
        const { limits } = JSON.parse(readFileSync(fileOf(id, "instance.json"), "utf8")) as {
          limits: { pids: number | null };
        };
        const max = (
          await fixture.inside([
            "sh",
            "-c",
            `cat /sys/fs/cgroup/pids/${instanceGroup(id)}/pids.max /sys/fs/cgroup/${instanceGroup(id)}/pids.max 2>/dev/null`,
          ])
        ).stdout.trim();
        assert.equal(max === "max" ? null : Number(max), limits.pids);
        assert.equal(existsSync(fileOf(id, "updating")), false);
      },
    },
  ];
  for (const { name, command, proof } of cases) {
    it(`${name}: killed at a step, the next command goes on`, async (t) => {
      const words = [...programWords(false), ...command];
      const steps = join(fixture.root.path, "steps.txt");
      const fresh = async (): Promise<void> => {
        await cli("rm", "-f", "it", "new");
        await start("it", "while :; do sleep 0.1; done");
      };
      await fresh();
      rmSync(steps, { force: true });
      await fixture.inside(words, { env: { TRANSHIP_STEPS_FILE: steps } });
      const list = readFileSync(steps, "utf8").trim().split("\n");
      const all = list.map((_, index) => index + 1);
      // A sample, another one each day; all of them in the soak.
      const chosen =
        process.env.TRANSHIP_SOAK === "1" || all.length <= 3
          ? all
          : [1, 1 + (new Date().getDate() % all.length), all.length];
      for (const n of new Set(chosen)) {
        await t.test(`at ${list[n - 1]}`, async () => {
          await fresh();
          const killed = await fixture.inside(words, { env: { TRANSHIP_CRASH_AT: String(n) } });
          // Its monitor may have been quicker, and left it fewer steps.
          assert.ok([0, 137].includes(killed.status), killed.stderr);
          await proof();
        });
      }
      await cli("rm", "-f", "it", "new");
    });
  }
});
