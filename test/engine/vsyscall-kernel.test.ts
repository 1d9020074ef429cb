// Kernels that have no vsyscall page: a static program of an older system that calls it runs in the engine, and nowhere else.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { soaking } from "../support/counts.ts";
import { cannotRun, compile, engine } from "../support/engine.ts";
import { fetchKernel, underKernel, whyNoOtherKernel } from "../support/other-kernel.ts";
import { cacheOf } from "../support/roots.ts";

if (soaking)
  describe("kernels with other vsyscall modes", {
    skip: cannotRun || (whyNoOtherKernel() ?? false),
    timeout: 600_000,
  }, () => {
    const own = /^time \d+ same\ngettimeofday 0 \d+\ngetcpu 0 known\n/;
    const shifted = /^time 12307680\d\d same\ngettimeofday 0 12307680\d\d\ngetcpu 0 known\n/;
    for (const mode of ["none", "xonly", "emulate"]) {
      for (const linking of ["static", "musl"] as const)
        test(`vsyscall=${mode}: a ${linking} program that calls the page`, () => {
          const old = compile("old", linking);
          const program = `/bin/old-${linking}`;
          const script = [
            "grep -c vsyscall /proc/self/maps",
            `${program}; echo "status $?"`,
            `engine --vsyscall ${program}; echo "status $?"`,
            `engine --vsyscall --clock-at=1230768000 ${program}; echo "status $?"`,
            `engine --trap=seccomp --vsyscall --clock-at=1230768000 ${program}; echo "status $?"`,
          ].join("\n");
          const told = underKernel(fetchKernel(cacheOf("kernels")), `vsyscall=${mode}`, script, [
            engine,
            old,
          ]);
          console.log(`# ${mode}, ${linking}: ${JSON.stringify(told)}`);
          const [page = "", ...rest] = told.split("\n");
          assert.equal(page, mode === "none" ? "0" : "1");
          const parts = rest.join("\n").split(/status (\d+)\n/);
          const statuses = parts.filter((_, index) => index % 2 === 1);
          // The control: without the page the kernel ends it by SIGSEGV.
          assert.deepEqual(statuses, [mode === "none" ? "139" : "0", "0", "0", "0"], told);
          if (mode !== "none") assert.match(parts[0] ?? "", own);
          assert.match(parts[2] ?? "", own);
          assert.match(parts[4] ?? "", shifted);
          assert.match(parts[6] ?? "", shifted);
        });
    }
  });
else
  console.log(
    "# kernels with other vsyscall modes are started in long runs alone: npm run soak -- vsyscall-kernel",
  );
