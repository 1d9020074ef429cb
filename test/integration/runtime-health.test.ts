// Health checks: init runs them, ps, inspect, wait and events tell of them.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("health checks", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
    const second = 1e9;
    await makePackage(fixture.root, "checked:1", {
      config: {
        Healthcheck: {
          Test: ["CMD-SHELL", "echo $WORD; test -e /tmp/well"],
          Interval: second / 5,
          Timeout: second,
          Retries: 2,
        },
      },
      descriptor: {
        environment: { WORD: "of the package" },
        programs: [{ name: "web", command: ["/bin/sleep", "1000"] }],
        services: [{ name: "web", program: "web" }],
      },
    });
  });
  after(async () => {
    await fixture.clean();
    await fixture.remove();
  });

  const cli = (...args: string[]) => fixture.cli(args);
  async function ok(...args: string[]): Promise<string> {
    const done = await cli(...args);
    assert.equal(done.status, 0, `${args.join(" ")}: ${done.stderr}`);
    return done.stdout;
  }
  const status = (name: string) => ok("ps", "-a", "--filter", `name=${name}`, "--format", "{{.Status}}");
  interface Seen {
    State: {
      Health?: { Status: string; FailingStreak: number; Log: { ExitCode: number; Output: string }[] };
    };
    Config: { Healthcheck?: object };
  }
  const look = async (name: string): Promise<Seen> =>
    (JSON.parse(await ok("inspect", name)) as Seen[])[0] as Seen;
  const events = async (name: string): Promise<string[]> =>
    (
      await ok(
        "events",
        "--since",
        "1h",
        "--until",
        "0s",
        "--filter",
        `container=${name}`,
        "--format",
        "{{.Action}}",
      )
    )
      .split("\n")
      .filter((action) => action.startsWith("health_status"));

  it("of the package: starting, healthy, unhealthy after as many failures, healthy again; each change is an event", async () => {
    await ok("run", "-d", "--name", "web", "--network", "none", "checked:1");
    assert.match(await status("web"), /^Up .* \(health: starting\)$|^Up .* \(unhealthy\)$/m);
    assert.equal(await ok("wait", "--condition=unhealthy", "web"), "-1\n");
    assert.match(await status("web"), /\(unhealthy\)/);
    const sick = await look("web");
    assert.equal(sick.State.Health?.Status, "unhealthy");
    assert.ok((sick.State.Health?.FailingStreak ?? 0) >= 2);
    assert.deepEqual(
      sick.State.Health?.Log.slice(0, 2).map(({ ExitCode, Output }) => ({ ExitCode, Output })),
      [1, 2].map(() => ({ ExitCode: 1, Output: "of the package\n" })),
    );
    assert.equal(await ok("ps", "-q", "--filter", "health=healthy"), "");
    await ok("exec", "web", "touch", "/tmp/well");
    assert.equal(await ok("wait", "--condition", "healthy", "web"), "-1\n");
    assert.match(await status("web"), /\(healthy\)/);
    assert.notEqual(await ok("ps", "-q", "--filter", "health=healthy"), "");
    await until(async () => (await events("web")).length === 2);
    assert.deepEqual(await events("web"), ["health_status: unhealthy", "health_status: healthy"]);
    await ok("stop", "-t", "1", "web");
    assert.match(await status("web"), /^Exited/);
    assert.equal((await look("web")).State.Health, undefined);
    // A new start begins anew.
    await ok("start", "web");
    assert.equal(await ok("wait", "--condition", "healthy", "web"), "-1\n");
    await ok("rm", "-f", "web");
    await ok("run", "-d", "--name", "web", "--network", "none", "--no-healthcheck", "checked:1");
    assert.doesNotMatch(await status("web"), /health/);
    const none = await cli("wait", "--condition=healthy", "web");
    assert.match(none.stderr, /E_INSTANCE_STATE.*no health check/);
    await ok("rm", "-f", "web");
  });

  it("of the command line: a check that takes too long is killed; the start period forgives; words as podman has them", async () => {
    const short = ["--health-interval", "200ms", "--health-retries", "1"];
    await ok(
      "run",
      "-d",
      "--name",
      "slow",
      "--network",
      "none",
      ...short,
      "--health-timeout",
      "300ms",
      "--health-cmd",
      "sleep 77 & wait",
      "box:1",
      "sleep",
      "1000",
    );
    assert.equal(await ok("wait", "--condition=unhealthy", "slow"), "-1\n");
    await until(async () => ((await look("slow")).State.Health?.Log.length ?? 0) > 3);
    assert.equal((await look("slow")).State.Health?.Log[0]?.ExitCode, -1);
    // The one that runs now, and nothing of those before.
    assert.doesNotMatch(
      await ok("exec", "slow", "sh", "-c", "ps | grep -c 'sleep 7[7]' | sed 's/^/there: /'"),
      /there: [3-9]/,
    );
    await ok("rm", "-f", "slow");
    const forgiven = ["--health-start-period", "60s", "--health-start-interval", "100ms"];
    await ok(
      "run",
      "-d",
      "--name",
      "late",
      "--network",
      "none",
      ...short,
      ...forgiven,
      "--health-cmd",
      '["ls","/tmp/up"]',
      "box:1",
      "sh",
      "-c",
      "sleep 1; touch /tmp/up; exec sleep 1000",
    );
    assert.equal(await ok("wait", "--condition=healthy", "late"), "-1\n");
    const { State, Config } = await look("late");
    assert.ok(
      State.Health?.Log.some(({ ExitCode }) => ExitCode === 1),
      "it failed before",
    );
    assert.equal(State.Health?.FailingStreak, 0);
    assert.deepEqual(Config.Healthcheck, {
      Test: ["CMD", "ls", "/tmp/up"], Interval: 200e6, Timeout: 30e9, StartPeriod: 60e9, StartInterval: 100e6, Retries: 1,
    }); // biome-ignore format: short
    await until(async () => (await events("late")).length === 1);
    assert.deepEqual(await events("late"), ["health_status: healthy"]);
    await ok("rm", "-f", "late");
  });

  it("--health-on-failure kill ends it, and its restart rule goes on; stop asks it; both with services too", async () => {
    const short = ["--health-interval", "100ms", "--health-retries", "2"];
    const words = ["--network", "none", ...short, "--health-cmd", "test ! -e /tmp/sick"];
    await ok("run", "-d", "--name", "killed", ...words, "--health-on-failure", "kill", "--restart", "on-failure:1", "box:1",
      "sh", "-c", "echo run; touch /tmp/sick; exec sleep 1000"); // biome-ignore format: short
    assert.equal(await ok("wait", "--condition=healthy", "killed"), "137\n");
    assert.equal(await ok("logs", "killed"), "run\nrun\n");
    await ok("rm", "killed");
    await ok("run", "-d", "--name", "asked", ...words, "--health-on-failure", "stop", "box:1",
      "sh", "-c", "trap 'echo bye; exit 5' TERM; touch /tmp/sick; while :; do sleep 0.05; done"); // biome-ignore format: short
    assert.equal(await ok("wait", "asked"), "5\n");
    assert.equal(await ok("logs", "asked"), "bye\n");
    await ok("rm", "asked");
    await ok(
      "run",
      "-d",
      "--name",
      "services",
      "--network",
      "none",
      "--health-on-failure",
      "kill",
      "checked:1",
    );
    assert.equal(await ok("wait", "services"), "137\n");
    assert.deepEqual(await events("services"), ["health_status: unhealthy"]);
    await ok("rm", "services");
  });

  it("what an instance writes there itself is not believed further than it goes", async () => {
    const id = (
      await ok(
        "run",
        "-d",
        "--name",
        "liar",
        "--network",
        "none",
        "--health-interval",
        "60s",
        "--health-cmd",
        "true",
        "box:1",
        "sleep",
        "1000",
      )
    ).trim();
    const run = join(fixture.root.instances, id, "run");
    for (const [file, content] of [
      ["health.json", '{"status":"\\u001b[31m"}'],
      ["health.json", "[".repeat(1000)],
      ["health", 'healthy","x":"'],
      ["health.json", "x".repeat(1 << 20)],
    ] as const) {
      rmSync(join(run, file));
      writeFileSync(join(run, file), content);
      assert.match(await status("liar"), /\(health: starting\)/);
    }
    assert.deepEqual(await events("liar"), []);
    await ok("rm", "-f", "liar");
  });

  it("what cannot be is refused in words", async () => {
    for (const [words, says] of [
      [["--health-interval", "5s"], /no health check that this could be said of/],
      [["--health-cmd", "true", "--health-retries", "0"], /--health-retries/],
      [["--health-cmd", "true", "--health-interval", "0"], /--health-interval: too short/],
      [["--health-cmd", "true", "--health-on-failure", "restart"], /give kill and --restart/],
      [["--no-healthcheck", "--health-timeout", "3s"], /contradict/],
      [["--engine", "inprocess", "--health-cmd", "true"], /--health-cmd: nobody looks after it/],
    ] as const) {
      const refused = await cli("run", "--rm", ...words, "box:1", "true");
      assert.equal(refused.status, 2, refused.stderr);
      assert.match(refused.stderr, says);
    }
    assert.equal((await cli("wait", "--condition", "happy", "x")).status, 2);
  });
});
