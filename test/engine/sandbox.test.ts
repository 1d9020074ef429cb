// Seccomp filters that a program gives itself: each case of native/engine/test/sandbox.c prints what it prints natively, whatever the program is linked with and
// however its calls are caught; and the kernel judges calls that a hook answers too.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { makeTable } from "../../src/redirect/rules.ts";
import { soaking } from "../support/counts.ts";
import { all, cannotRun, compile, engine, linkings, place, run } from "../support/engine.ts";
import { aRule, enginePolicy } from "../support/engine-policy.ts";

const rounds = soaking ? 200 : 2;
const policy = join(place, "sandbox.bin");
const everywhere = { from: "/", to: "/", match: "folder", mode: "full" } as const;

const ways = [[engine], [engine, "--trap=seccomp"], [engine, `--policy=${policy}`, "--package=/"]] as const;

describe("filters that a program gives itself", { skip: cannotRun }, () => {
  for (const linking of linkings) {
    test(`of ${linking} programs`, async () => {
      writeFileSync(policy, encodePolicy(enginePolicy({ files: makeTable([aRule(everywhere, 0)]) })));
      chmodSync(place, 0o755);
      const program = compile("sandbox", linking);
      const cases = spawnSync(program, { encoding: "utf8" }).stdout.trim().split("\n");
      assert.ok(cases.length >= 12);
      await all(cases, 2, async (name) => {
        const native = await run([program, name]);
        assert.equal(native.status, 0, native.stderr);
        assert.notEqual(native.stdout, "");
        for (const way of ways)
          for (let round = 0; round < rounds; round++)
            assert.deepEqual(await run([...way, program, name]), native, [...way, name].join(" "));
      });
    });
  }
});
