// Hard cases under a foreign runtime: the package alone, as podman loads and runs it, with nothing of ours on the host.
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
import {
  commandOf,
  type HardCase,
  makeHardMachine,
  runNative,
  whyNoHardCases,
} from "../support/hard-case.ts";
import { type Judges, makeJudges, whyNoJudges } from "../support/judges.ts";

const all = [...filesCases, ...stateCases, ...programsCases, ...untracedCases];
/** Links, owners and what the run itself makes: what another unpacker may lose. */
const sample = new Set(["hard-links", "state"]);
/** What podman itself cannot, and says so: then our own runtime is needed. */
const beyond = new Map([
  // It writes holes out when it unpacks.
  ["sparse", /not ok mostly a hole[\s\S]*ok hole\nok end/],
  // It mounts the root file system so that devices in it cannot be opened.
  ["nodes", /ok \/srv\/nodes\/jail\/dev\/null\nnot ok works \(Permission denied\)/],
  // Its storage and the path are together longer than a path may be.
  ["odd-names", /lstat \S+\/srv\/odd\/d{50}\S*: file name too long/],
]);
const cases = soaking ? all : all.filter((one) => sample.has(one.name));

describe("hard cases under podman", {
  skip: whyNoHardCases() || (whyNoJudges ?? false),
  timeout: 3_600_000,
}, () => {
  let fixture: Fixture;
  let base: string;
  let judges: Judges;
  before(async () => {
    base = mkdtempSync(join(tmpdir(), "th-"));
    fixture = await makeFixture();
    judges = await makeJudges(fixture, join(base, "j"));
  });
  after(async () => {
    await judges?.run("podman", "rmi", "--all", "--force").catch(() => {});
    await fixture?.remove();
    judges?.close();
    rmSync(base, { recursive: true, force: true });
  });

  async function prints(one: HardCase): Promise<void> {
    const root = makeHardMachine(one, base);
    const native = await runNative(fixture, { root, base }, commandOf(one));
    const made = await fixture.cli([
      ...["capture", "run", "-m", `rootfs:${root}`, "-t", one.name],
      ...(one.closureOnly === true ? [] : ["--no-closure"]),
      ...(one.captureFlags ?? []),
      ...["--", ...commandOf(one)],
    ]);
    assert.equal(made.status, 0, made.stderr);
    const archive = join(base, `${one.name}.tar`);
    const saved = await fixture.cli(["package", "export", one.name, "--type", "oci-archive", "-o", archive]);
    assert.equal(saved.status, 0, saved.stderr);
    const loaded = await judges.run("podman", "load", "-q", "-i", archive);
    const image = /localhost\/\S+|sha256:\S+/.exec(loaded)?.[0] ?? assert.fail(loaded);
    const flags = ["--rm", "--network", "none", ...(one.runFlags ?? [])];
    assert.equal(await judges.run("podman", "run", ...flags, image), native.stdout);
    await judges.run("podman", "rmi", "--force", image);
    rmSync(root, { recursive: true, force: true });
    rmSync(archive);
  }
  for (const one of cases)
    it(one.title, async () => {
      const limit = beyond.get(one.name);
      if (limit === undefined) await prints(one);
      else await assert.rejects(prints(one), limit);
    });
});
