// update, restart rules: what runs again, and when; and kill -9 at the steps of the verbs that change something.
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
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
