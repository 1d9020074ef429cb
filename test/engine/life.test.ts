// Threads, processes and signals: each case of native/engine/test/life.c, held.c and sent.c ends as it does natively, whatever the program is
// linked with and however its calls are caught.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { progress, soaking } from "../support/counts.ts";
import { all, cannotRun, compile, engine, linkings, run } from "../support/engine.ts";

/** Of each linking; a fifth more with the filter. */
const rounds = soaking ? 300 : 3;

/** Programs of cases, and how many they have at least. */
const programs = { life: 23, held: 9, sent: 8 };

describe("the life of processes, threads and signals", { skip: cannotRun }, () => {
  for (const linking of linkings) {
    for (const [name, least] of Object.entries(programs)) {
      test(`${name}, of ${linking} programs`, async () => {
        const program = compile(name, linking);
        const cases = spawnSync(program, { encoding: "utf8" }).stdout.trim().split("\n");
        assert.ok(cases.length >= least);
        const tries = cases.flatMap((one) => [
          [program, one],
          ...Array.from({ length: rounds }, () => [engine, "--node=other", program, one]),
          ...Array.from({ length: Math.ceil(rounds / 5) }, () => [engine, "--trap=seccomp", program, one]),
        ]);
        const tell = progress(tries.length, `${name}, ${linking}, ${cases.length} cases`);
        await all(tries, 4, async (command) => {
          const { status, stdout, stderr } = await run(command);
          assert.deepEqual(
            { status, stdout, stderr },
            { status: 0, stdout: "ok\n", stderr: "" },
            command.join(" "),
          );
          tell();
        });
      });
    }
  }
});
