// kill -9 of the tool at every step of run, stop and rm: the next command works, and nothing is left.
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Fixture, makeFixture, makePackage, programWords, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("repair after kill -9", { skip, timeout: 900_000 }, () => {
  let fixture: Fixture;
  let stepsFile: string;
  before(async () => {
    fixture = await makeFixture();
    stepsFile = join(fixture.root.path, "steps.txt");
    await makePackage(fixture.root, "box:1");
    // The choice of the OCI runtime and the unpacked layer are kept: they are no part of what is counted.
    await fixture.cli(["run", "--rm", "box:1", "true"]);
  });
  after(async () => {
    await fixture.remove();
  });

  const sleeper = ["sh", "-c", "while :; do sleep 0.1; done"];

  async function stepsOf(
    command: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<string[]> {
    rmSync(stepsFile, { force: true });
    await fixture.inside(command, { env: { ...env, TRANSHIP_STEPS_FILE: stepsFile } });
    return existsSync(stepsFile) ? readFileSync(stepsFile, "utf8").trim().split("\n") : [];
  }

  async function repaired(): Promise<void> {
    const next = await fixture.cli(["run", "--rm", "--network", "none", "box:1", "echo", "works"]);
    assert.equal(next.stdout, "works\n", next.stderr);
    await fixture.clean();
  }

  /** What comes before the command, the command that is killed, what a person would then do. */
  const cases: {
    name: string;
    before?: string[];
    command: string[];
    afterwards: string[][];
    env?: Readonly<Record<string, string>>;
    /** See programWords(). */
    prepared?: boolean;
  }[] = [
    {
      name: "run --rm that leaves little, below supervise",
      command: ["run", "--rm", "box:1", "true"],
      afterwards: [],
      env: { TRANSHIP_NETWORK_LINGER: "1" },
      prepared: true,
    },
    {
      name: "run --rm that leaves little",
      command: ["run", "--rm", "box:1", "true"],
      afterwards: [],
      env: { TRANSHIP_NETWORK_LINGER: "1" },
    },
    {
      name: "run --rm with a port and a volume",
      command: ["run", "--rm", "-p", "8070:80", "-v", "/srv/data", "box:1", "true"],
      afterwards: [],
    },
    {
      name: "run -d",
      command: ["run", "-d", "--name", "bg", "-p", "8070:80", "box:1", ...sleeper],
      afterwards: [["rm", "-f", "bg"]],
    },
    {
      name: "rm -f -v",
      before: ["run", "-d", "--name", "bg", "-p", "8070:80", "-v", "/srv/data", "box:1", ...sleeper],
      command: ["rm", "-f", "-v", "bg"],
      afterwards: [["rm", "-f", "-v", "bg"]],
    },
  ];

  for (const { name, before: first, command, afterwards, env = {}, prepared = false } of cases) {
    const words = [...programWords(prepared), ...command];
    it(name, async (t) => {
      if (first !== undefined) await fixture.cli(first);
      const steps = await stepsOf(words, env);
      for (const args of afterwards) await fixture.cli(args);
      await repaired();
      assert.ok(steps.length >= 5, `only ${steps.length} steps`);
      for (let n = 1; n <= steps.length; n++) {
        await t.test(`killed at ${steps[n - 1]}`, async () => {
          if (first !== undefined) assert.equal((await fixture.cli(first)).status, 0);
          const killed = await fixture.inside(words, { env: { ...env, TRANSHIP_CRASH_AT: String(n) } });
          assert.equal(killed.status, 137, killed.stderr);
          for (const args of afterwards) await fixture.cli(args);
          await repaired();
        });
      }
    });
  }

  it("a killed foreground command takes its instance with it", async () => {
    const run = fixture.cli(["run", "--name", "fg", "box:1", ...sleeper]);
    let pid = 0;
    while (pid === 0) {
      const found = await fixture.inside([
        "sh",
        "-c",
        `cat ${fixture.root.path}/instances/*/launch.json 2>/dev/null`,
      ]);
      const running = await fixture.cli(["ps", "-q"]);
      if (running.stdout.trim() !== "" && found.stdout !== "")
        pid = (JSON.parse(found.stdout) as { starter: { pid: number } }).starter.pid;
    }
    process.kill(pid, "SIGKILL");
    assert.equal((await run).status, 137);
    assert.equal((await fixture.cli(["rm", "fg"])).status, 0);
    await repaired();
  });

  it("an instance whose OCI runtime was killed runs on, and its end is noticed", async () => {
    await fixture.cli([
      "run",
      "-d",
      "--name",
      "bg",
      "-p",
      "8070:80",
      "box:1",
      "sh",
      "-c",
      "while [ ! -e /go ]; do sleep 0.1; done; exit 6",
    ]);
    const words = [
      "sh",
      "-c",
      `ps ax -o pid,args | grep -- '--root=${fixture.root.path}' | grep ' run ' | grep -v grep | awk '{print $1}'`,
    ];
    const pids = (await fixture.inside(words)).stdout.trim().split(/\s+/).map(Number);
    // kill(0) would end the whole test run.
    assert.ok(pids.length > 0 && pids.every((pid) => pid > 1), `no OCI runtime was found: ${pids.join(" ")}`);
    for (const pid of pids) process.kill(pid, "SIGKILL");
    assert.equal((await fixture.cli(["exec", "bg", "touch", "/go"])).status, 0);
    assert.equal((await fixture.cli(["wait", "bg"])).stdout, "6\n");
    assert.equal((await fixture.cli(["rm", "bg"])).status, 0);
    await repaired();
  });
});
