// The same programs under other people's tools, in one run: `npm run soak -- hard-cases`. Ours has to pass every case.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { filesCases } from "../hard/cases/files.ts";
import { programsCases } from "../hard/cases/programs.ts";
import { stateCases } from "../hard/cases/state.ts";
import { untracedCases } from "../hard/cases/untraced.ts";
import { type Fixture, makeFixture } from "../integration/runtime-fixture.ts";
import { soaking } from "../support/counts.ts";
import { whyNoHardCases } from "../support/hard-case.ts";
import { type PeerResult, peersTable, tryPeers } from "../support/hard-peers.ts";

const cases = soaking ? [...filesCases, ...stateCases, ...programsCases, ...untracedCases] : [];

describe("hard cases, side by side with other tools", { skip: whyNoHardCases(), timeout: 3_600_000 }, () => {
  let fixture: Fixture;
  let base: string;
  const results: PeerResult[] = [];
  before(async () => {
    base = mkdtempSync(join(tmpdir(), "tranship-peers-"));
    fixture = await makeFixture();
  });
  after(async () => {
    if (results.length > 0) console.log(`# ${peersTable(results).replaceAll("\n", "\n# ")}`);
    await fixture?.remove();
    rmSync(base, { recursive: true, force: true });
  });
  for (const one of cases) {
    it(one.title, async () => {
      const result = await tryPeers(fixture, one, base);
      results.push(result);
      assert.deepEqual(result.passed.get("tranship"), { traced: true, alone: true });
    });
  }
});
