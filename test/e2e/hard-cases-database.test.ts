// Hard cases of a database: whole data, a user of its own, and what several runs showed in one package.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { databaseCases, makeDatabase, whyNoDatabase } from "../hard/cases/database.ts";
import { type CliResult, type Fixture, makeFixture } from "../integration/runtime-fixture.ts";
import { soaking } from "../support/counts.ts";
import { HardMachine, testHardCases, whyNoHardCases } from "../support/hard-case.ts";

const skip = whyNoHardCases() || (whyNoDatabase() ?? false);

testHardCases("hard cases of databases", databaseCases, skip);

if (soaking)
  describe("hard cases of databases: two runs in one package", {
    skip,
    timeout: 1_200_000,
  }, () => {
    let fixture: Fixture;
    let base: string;
    before(async () => {
      base = mkdtempSync(join(tmpdir(), "tranship-hard-"));
      makeDatabase(new HardMachine(join(base, "machine")));
      fixture = await makeFixture();
    });
    after(async () => {
      await fixture?.clean();
      await fixture?.remove();
      rmSync(base, { recursive: true, force: true });
    });

    /** Without closure: what is there, a run has shown. The data are asked for whole. */
    const capture = async (run: string, ...words: string[]): Promise<void> => {
      const from = ["-m", `rootfs:${join(base, "machine")}`, "--no-closure", "--include", "/var/lib/pg/***"];
      const made = await fixture.cli(["capture", "run", ...from, ...words, "--", "/usr/bin/database", run]);
      assert.equal(made.status, 0, made.stderr);
    };
    const runs = (reference: string, run: string): Promise<CliResult> =>
      fixture.cli(["run", "--rm", reference, "/usr/bin/database", run]);

    it("has what either needed, and one alone has not", async () => {
      const plan = join(base, "crypto.yaml");
      await capture("crypto", "--plan-only", "-o", plan);
      await capture("trigram", "-t", "one");
      await capture("trigram", "-t", "both", "--also", `plan:${plan}`);
      const lacking = await runs("one", "crypto");
      assert.notEqual(lacking.status, 0, lacking.stdout);
      for (const [run, says] of [
        ["crypto", /^1000\|500500\n[0-9a-f]{64}\n$/],
        ["trigram", /^1000\|500500\n0\.[0-9]+\n$/],
      ] as const) {
        const ran = await runs("both", run);
        assert.equal(ran.status, 0, ran.stdout + ran.stderr);
        assert.match(ran.stdout, says);
      }
      const verified = await fixture.cli(["verify", "both"]);
      assert.match(verified.stdout, /: 0 errors/);
    });
  });
