// Terminals and signals of instances in the foreground.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { type Fixture, mainProgram, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("terminals and signals", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
  });
  after(async () => {
    await fixture.remove();
  });

  const cli = (...args: string[]) => fixture.cli(args);
  /** Runs it below a pseudo-terminal of 33 lines and 99 columns, and types. */
  const onTerminal = (args: string, typed: string) =>
    fixture.inside(
      [
        "sh",
        "-c",
        `script -qec "stty rows 33 cols 99; ${process.execPath} ${mainProgram} ${args}" /dev/null`,
      ],
      {
        input: typed,
      },
    );

  it("run -it gives a terminal, its size, and the status", async () => {
    const result = await onTerminal("run --rm -it box:1 sh", "tty; stty size; echo $TERM; exit 5\n");
    assert.match(result.stdout, /\/dev\/(pts\/0|console)/, result.stdout);
    assert.match(result.stdout, /33 99/, result.stdout);
    assert.equal(result.status, 5);
    await fixture.clean();
  });

  it("exec -it gives a terminal and the status", async () => {
    await cli("run", "-d", "--name", "bg", "--network", "none", "box:1", "sleep", "1000");
    const result = await onTerminal("exec -it bg sh", "tty; exit 6\n");
    assert.match(result.stdout, /\/dev\/pts\/\d/, result.stdout);
    assert.equal(result.status, 6);
    await cli("rm", "-f", "bg");
    await fixture.clean();
  });

  it("refuses -t without a terminal, in words", async () => {
    const result = await cli("run", "--rm", "-t", "box:1", "true");
    assert.match(result.stderr, /-t needs a terminal as standard input/);
    assert.notEqual(result.status, 0);
    await fixture.clean();
  });

  it("hands stdin to the program with -i only", async () => {
    const given = await fixture.cli(["run", "--rm", "-i", "box:1", "cat"], { input: "typed" });
    assert.equal(given.stdout, "typed");
    const kept = await fixture.cli(["run", "--rm", "box:1", "cat"], { input: "typed" });
    assert.equal(kept.stdout, "");
  });

  for (const [signal, status] of [
    ["SIGTERM", 11],
    ["SIGINT", 12],
    ["SIGUSR1", 13],
  ] as const) {
    it(`passes ${signal} on to the program`, async () => {
      const script =
        "trap 'exit 11' TERM; trap 'exit 12' INT; trap 'exit 13' USR1; echo up; while :; do sleep 0.05; done";
      const child = spawn(
        process.execPath,
        [mainProgram, "run", "--rm", "--network", "none", "box:1", "sh", "-c", script],
        {
          env: { ...process.env, TRANSHIP_ROOT: fixture.root.path },
          stdio: ["ignore", "pipe", "pipe"],
        },
      );
      let output = "";
      child.stdout.on("data", (chunk: Buffer) => {
        output += chunk.toString();
      });
      const ended = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
      await until(() => output.includes("up"));
      child.kill(signal);
      assert.equal(await ended, status);
      await fixture.clean();
    });
  }

  it("lets a program write much into a slow pipe", async () => {
    const count = 200_000;
    const result = await fixture.inside([
      "sh",
      "-c",
      `${process.execPath} ${mainProgram} run --rm --network none box:1 seq 1 ${count} | (sleep 0.5; wc -l)`,
    ]);
    assert.equal(result.stdout.trim(), String(count), result.stderr);
  });
});
