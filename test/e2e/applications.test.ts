// Applications of Debian 11, watched for two requests and then asked what nobody asked while they were watched. The way
// that a capture takes by default and that of the whole machine have to give every answer as the original does.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openStateRoot } from "../../src/host/state-root.ts";
import { whyNot } from "../integration/runtime-fixture.ts";
import { ways, wholeWays } from "../support/application-ways.ts";
import {
  type Attempt,
  applications,
  attemptsTable,
  tryApplication,
  whyNoApplications,
} from "../support/applications.ts";
import { soaking } from "../support/counts.ts";

const skip = whyNot() ?? whyNoApplications() ?? false;
/** One system layer for these three. */
const alike: readonly string[] = ["+ closure", "capture machine", "trimmed"];
/** TRANSHIP_APPLICATIONS=NAME,NAME tries these, TRANSHIP_WAYS=WAY,WAY in these ways. */
const asked = process.env.TRANSHIP_APPLICATIONS?.split(",") ?? ["nginx", "redis"];
const named = process.env.TRANSHIP_APPLICATIONS !== undefined || !soaking;
const tried = named ? applications.filter((one) => asked.includes(one.name)) : applications;
const askedWays = process.env.TRANSHIP_WAYS?.split(",") ?? (soaking ? ways : alike);
const triedWays = ways.filter((way) => askedWays.includes(way));

describe("applications in a package of their own", {
  skip,
  timeout: soaking ? 14_400_000 : 3_600_000,
}, () => {
  let directory: string;
  const attempts: Attempt[] = [];

  before(() => {
    directory = mkdtempSync(join(tmpdir(), "tranship-applications-"));
  });
  after(() => {
    if (attempts.length > 0) console.log(`# ${attemptsTable(attempts).replaceAll("\n", "\n# ")}`);
    rmSync(directory, { recursive: true, force: true, maxRetries: 20 });
  });

  for (const application of tried) {
    it(`${application.name} answers what it was not asked while watched`, async () => {
      const place = join(directory, application.name);
      const made = await tryApplication(application, triedWays, openStateRoot(place));
      rmSync(place, { recursive: true, force: true, maxRetries: 20 });
      attempts.push(...made);
      const wrong = made.filter(
        (one) =>
          wholeWays.includes(one.way) && (one.problem !== undefined || one.failed.size > 0 || one.total < 10),
      );
      assert.deepEqual(
        wrong.map((one) => [one.way, one.problem, one.total, ...one.failed]),
        [],
      );
      const [closure, machine, trimmed] = alike.map((way) => made.find((one) => one.way === way));
      if (closure === undefined || machine === undefined || trimmed === undefined) return;
      assert.equal(machine.layers.get("system"), closure.layers.get("system"), "one system layer for all");
      assert.equal(trimmed.layers.get("system"), closure.layers.get("system"), "also of the trimmed one");
      assert.ok(closure.bytes < machine.bytes, "the closure is smaller than the machine");
    });
  }
});
