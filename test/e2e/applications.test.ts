// Applications of Debian 11, watched for two requests and then asked what nobody asked while they were watched. The way
// that a capture takes by default and that of the whole machine have to give every answer as the original does.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openStateRoot, type StateRoot } from "../../src/host/state-root.ts";
import { whyNot } from "../integration/runtime-fixture.ts";
import {
  type Attempt,
  applications,
  attemptsTable,
  tryApplication,
  ways,
  whyNoApplications,
} from "../support/applications.ts";
import { soaking } from "../support/counts.ts";

const skip = whyNot() ?? whyNoApplications() ?? false;
/** Where every answer must be the original's. */
const whole: readonly string[] = ["+ closure", "capture machine", "trimmed"];
/** TRANSHIP_APPLICATIONS=NAME,NAME tries these. */
const asked = process.env.TRANSHIP_APPLICATIONS?.split(",") ?? ["nginx", "redis"];
const named = process.env.TRANSHIP_APPLICATIONS !== undefined || !soaking;
const tried = named ? applications.filter((one) => asked.includes(one.name)) : applications;
const triedWays = soaking ? ways : ways.filter((way) => whole.includes(way));

describe("applications in a package of their own", { skip, timeout: 3_600_000 }, () => {
  let directory: string;
  let root: StateRoot;
  const attempts: Attempt[] = [];

  before(() => {
    directory = mkdtempSync(join(tmpdir(), "tranship-applications-"));
    root = openStateRoot(directory);
  });
  after(() => {
    if (attempts.length > 0) console.log(`# ${attemptsTable(attempts).replaceAll("\n", "\n# ")}`);
    rmSync(directory, { recursive: true, force: true, maxRetries: 20 });
  });

  for (const application of tried) {
    it(`${application.name} answers what it was not asked while watched`, async () => {
      const made = await tryApplication(application, triedWays, root);
      attempts.push(...made);
      for (const one of made.filter((each) => whole.includes(each.way))) {
        assert.equal(one.problem, undefined, `${one.way}: ${one.problem}`);
        assert.ok(one.total >= 10, `${one.total} checks`);
        assert.deepEqual(one.failed, [], `${one.way}: answers that differ`);
      }
      const [closure, machine, trimmed] = whole.map((way) => made.find((one) => one.way === way));
      assert.equal(machine?.layers.get("system"), closure?.layers.get("system"), "one system layer for all");
      assert.equal(trimmed?.layers.get("system"), closure?.layers.get("system"), "also of the trimmed one");
      assert.ok((closure?.bytes ?? 0) < (machine?.bytes ?? 0), "the closure is smaller than the machine");
    });
  }
});
