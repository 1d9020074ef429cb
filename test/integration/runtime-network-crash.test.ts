// kill -9 at steps of the verbs of networks: the next command works, and nothing is left. `npm test` tries a step in the middle
// of each, `npm run soak` all.
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { soaking } from "../support/counts.ts";
import { type Fixture, makeFixture, makePackage, programWords, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("networks after kill -9", { skip, timeout: 1_800_000 }, () => {
  let fixture: Fixture;
  let stepsFile: string;
  before(async () => {
    fixture = await makeFixture();
    stepsFile = join(fixture.root.path, "steps.txt");
    await makePackage(fixture.root, "box:1");
    await fixture.cli(["run", "--rm", "--network", "none", "box:1", "true"]);
  });
  after(async () => {
    await fixture.remove();
  });

  const sleeper = ["box:1", "sh", "-c", "while :; do sleep 0.1; done"];
  const ok = async (...args: string[]): Promise<string> => {
    const result = await fixture.cli(args);
    assert.equal(result.status, 0, `${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };

  async function stepsOf(command: readonly string[]): Promise<string[]> {
    rmSync(stepsFile, { force: true });
    await fixture.inside([...programWords(false), ...command], {
      env: { TRANSHIP_STEPS_FILE: stepsFile },
    });
    return existsSync(stepsFile) ? readFileSync(stepsFile, "utf8").trim().split("\n") : [];
  }

  /** What the network of a running instance is must be what its record says. */
  async function agrees(name: string): Promise<void> {
    const wanted = (
      await ok("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", name)
    )
      .trim()
      .split(" ")
      .filter((one) => one !== "");
    const shown = await ok("exec", name, "ip", "-4", "a");
    const found = [...shown.matchAll(/inet ([\d.]+)\/\d+ brd/g)].map(([, address]) => address);
    assert.deepEqual(found.sort(), wanted.sort(), shown);
  }

  async function nothingLeft(): Promise<void> {
    for (const name of ["one", "two"]) await fixture.cli(["rm", "-f", name]);
    for (const name of ["front", "back"]) await fixture.cli(["network", "rm", "-f", name]);
    await fixture.clean();
  }

  const cases: { name: string; before: string[][]; command: string[]; running: string[] }[] = [
    { name: "network create", before: [], command: ["network", "create", "--ipv6", "front"], running: [] },
    {
      name: "run on a network",
      before: [
        ["network", "create", "--ipv6", "front"],
        ["run", "-d", "--name", "two", "--network", "front", ...sleeper],
      ],
      command: [
        "run",
        "-d",
        "--name",
        "one",
        "--network",
        "front",
        "--network-alias",
        "x",
        "-p",
        "8070:80",
        ...sleeper,
      ],
      running: ["two"],
    },
    {
      name: "network connect",
      before: [
        ["network", "create", "--ipv6", "front"],
        ["run", "-d", "--name", "one", "-p", "8070:80", ...sleeper],
      ],
      command: ["network", "connect", "front", "one"],
      running: ["one"],
    },
    {
      name: "network disconnect",
      before: [
        ["network", "create", "--ipv6", "front"],
        [
          "run",
          "-d",
          "--name",
          "one",
          "--network",
          "front",
          "--network",
          "bridge",
          "-p",
          "8070:80",
          ...sleeper,
        ],
      ],
      command: ["network", "disconnect", "front", "one"],
      running: ["one"],
    },
    {
      name: "network rm",
      before: [["network", "create", "front"]],
      command: ["network", "rm", "front"],
      running: [],
    },
  ];

  for (const { name, before: first, command, running } of cases) {
    it(name, async (t) => {
      for (const args of first) await ok(...args);
      const steps = await stepsOf(command);
      await nothingLeft();
      assert.ok(steps.length > 0, "it changes something");
      const tried = soaking ? steps.map((_, index) => index + 1) : [Math.ceil(steps.length / 2)];
      for (const n of tried) {
        await t.test(`killed at ${steps[n - 1]}`, async () => {
          for (const args of first) await ok(...args);
          const killed = await fixture.inside([...programWords(false), ...command], {
            env: { TRANSHIP_CRASH_AT: String(n) },
          });
          assert.equal(killed.status, 137, killed.stderr);
          // Any command that changes something puts it right.
          await ok("run", "--rm", "--network", "none", "box:1", "true");
          for (const one of running) await agrees(one);
          await nothingLeft();
        });
      }
    });
  }
});
