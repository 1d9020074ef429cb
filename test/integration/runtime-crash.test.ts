// kill -9 of the tool at every step of run, start, stop, restart and rm: the next command works, and nothing is left. Of start, stop and
// restart `npm test` tries three steps.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { soaking } from "../support/counts.ts";
import { type Fixture, makeFixture, makePackage, programWords, until, whyNot } from "./runtime-fixture.ts";

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

  const started = [
    ...["run", "-d", "--name", "bg", "-p", "8070:80", "-v", "/srv/data"],
    ...["box:1", "sh", "-c", "httpd -p 80 -h /srv/data; while :; do sleep 0.1; done"],
  ];
  /** Inside, and by its port. */
  async function usable(): Promise<void> {
    const done = await fixture.cli(["exec", "bg", "true"]);
    assert.equal(done.status, 0, done.stderr);
    const get = ["busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8070/seed.txt"];
    let answer = await fixture.inside(get);
    // Its server may be on its way yet.
    for (let tries = 0; answer.status !== 0 && tries < 50; tries++) answer = await fixture.inside(get);
    assert.equal(answer.stdout, "from the image\n", answer.stderr);
  }

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
    before?: string[][];
    command: string[];
    /** These then have to work, and leave it running. */
    works?: string[][];
    afterwards: string[][];
    /** Not every step but in the soak. */
    sampled?: boolean;
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
      before: [started],
      command: ["rm", "-f", "-v", "bg"],
      afterwards: [["rm", "-f", "-v", "bg"]],
    },
    {
      name: "start of one that was stopped",
      before: [started, ["stop", "-t", "0", "bg"]],
      command: ["start", "bg"],
      works: [["start", "bg"]],
      afterwards: [["rm", "-f", "-v", "bg"]],
      sampled: true,
    },
    {
      name: "stop",
      before: [started],
      command: ["stop", "-t", "0", "bg"],
      works: [
        ["stop", "-t", "0", "bg"],
        ["start", "bg"],
      ],
      afterwards: [["rm", "-f", "-v", "bg"]],
      sampled: true,
    },
    {
      name: "restart",
      before: [started],
      command: ["restart", "-t", "0", "bg"],
      works: [["restart", "-t", "0", "bg"]],
      afterwards: [["rm", "-f", "-v", "bg"]],
      sampled: true,
    },
  ];

  for (const { name, before: first = [], command, works = [], ...rest } of cases) {
    const { afterwards, env = {}, prepared = false, sampled = false } = rest;
    const words = [...programWords(prepared), ...command];
    it(name, async (t) => {
      const makeReady = async (): Promise<void> => {
        for (const args of first) {
          const made = await fixture.cli(args);
          assert.equal(made.status, 0, made.stderr);
        }
      };
      await makeReady();
      const steps = await stepsOf(words, env);
      for (const args of afterwards) await fixture.cli(args);
      await repaired();
      assert.ok(steps.length >= 5, `only ${steps.length} steps`);
      const all = steps.map((_, index) => index + 1);
      for (const n of sampled && !soaking ? [2, Math.ceil(all.length / 2), all.length] : all) {
        await t.test(`killed at ${steps[n - 1]}`, async () => {
          await makeReady();
          const killed = await fixture.inside(words, { env: { ...env, TRANSHIP_CRASH_AT: String(n) } });
          // The monitor of what is stopped may have been quicker, and left it fewer steps.
          assert.ok([137, sampled ? 0 : 137].includes(killed.status), `${killed.status} ${killed.stderr}`);
          for (const args of works) {
            const done = await fixture.cli(args);
            assert.equal(done.status, 0, `${args.join(" ")}: ${done.stderr}`);
          }
          if (works.length > 0) await usable();
          for (const args of afterwards) await fixture.cli(args);
          await repaired();
        });
      }
    });
  }

  it("a rename that was killed is done by the next one", async () => {
    assert.equal((await fixture.cli(["create", "--name", "first", "box:1", "true"])).status, 0);
    const words = [...programWords(false), "rename", "first", "second"];
    const step = (await stepsOf(words, {})).findIndex((line) => line.endsWith("rename record")) + 1;
    assert.ok(step > 0);
    assert.equal((await fixture.cli(["rename", "second", "first"])).status, 0);
    const killed = await fixture.inside(words, { env: { TRANSHIP_CRASH_AT: String(step) } });
    assert.equal(killed.status, 137, killed.stderr);
    const again = await fixture.inside(words);
    assert.equal(again.status, 0, again.stderr);
    assert.equal((await fixture.cli(["rm", "second"])).status, 0);
    await repaired();
  });

  it("a killed foreground command takes its instance with it", async () => {
    const run = fixture.cli(["run", "--name", "fg", "box:1", "sh", "-c", `echo up; ${sleeper[2]}`]);
    // One whose program never ran goes with the command.
    await until(async () => (await fixture.cli(["logs", "fg"])).stdout === "up\n");
    const [id = ""] = readdirSync(fixture.root.instances);
    const launch = readFileSync(join(fixture.root.instances, id, "launch.json"), "utf8");
    const { pid } = (JSON.parse(launch) as { starter: { pid: number } }).starter;
    process.kill(pid, "SIGKILL");
    assert.equal((await run).status, 137);
    // Whoever waits is the next command, which ends what outlived it.
    const waited = await fixture.cli(["wait", "fg"]);
    assert.deepEqual([waited.status, waited.stdout], [0, "255\n"]);
    const removed = await fixture.cli(["rm", "fg"]);
    assert.equal(removed.status, 0, removed.stderr);
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
