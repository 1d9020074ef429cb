// boot: what runs again after a reboot, what keeps it from that, and records that a crash of the machine has damaged.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { cgroupProcesses } from "../../src/host/cgroup.ts";
import { instanceGroup } from "../../src/runtime/limits/groups.ts";
import { type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

describe("after a reboot", { skip: whyNot() ?? false, timeout: 400_000 }, () => {
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
  const state = async (name: string): Promise<string> =>
    (await cli("ps", "-a", "--filter", `name=${name}`, "--format", "{{.State}}")).stdout.trim();
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

  /** As if the machine had gone down: nothing runs, and another boot is named. */
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

  it("boot starts what ran before the reboot, by its rule, and nothing twice", async () => {
    const rules = ["always", "always", "unless-stopped", "unless-stopped", "on-failure", "no"];
    const ids: string[] = [];
    for (const [index, rule] of rules.entries())
      ids.push(await start(`b${index}`, "sleep 1000", "--restart", rule));
    await cli("stop", "-t", "0", "b1", "b3");
    await asAfterReboot(...ids);
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
});
