// Calls whose trap meets a signal that somebody sent: each case of native/engine/test/swallowed.c loses none, natively and in the engine.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { soaking } from "../support/counts.ts";
import { cannotRun, compile, engine, linkings, run } from "../support/engine.ts";

const rounds = soaking ? 100 : 3;

describe("calls that a signal meets as they trap", { skip: cannotRun }, () => {
  for (const linking of linkings) {
    for (const name of ["sigsys", "sigusr1", "vsyscall"]) {
      test(`${name}, ${linking}`, async () => {
        const program = compile("swallowed", linking);
        const flags = ["--node=other", "--vsyscall"];
        for (let round = 0; round < rounds; round++) {
          for (const command of [
            // The kernel may be without that page.
            ...(name === "vsyscall" ? [] : [[program, name]]),
            [engine, ...flags, program, name],
            [engine, ...flags, "--trap=seccomp", program, name],
          ])
            assert.deepEqual(
              await run(command),
              { status: 0, stdout: "ok\n", stderr: "" },
              command.join(" "),
            );
        }
      });
    }
  }
});
