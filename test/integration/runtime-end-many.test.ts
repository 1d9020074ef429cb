// Who ends many instances deals with the end of each; their monitors leave it to him, and only take it over where he does not.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { findAny } from "../../src/runtime/find.ts";
import { statusOf } from "../../src/runtime/state.ts";
import { stopInstance } from "../../src/runtime/stop.ts";
import { type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;
const nothing = (): void => {};
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

describe("the monitor of an instance that is ended with many", { skip, timeout: 120_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
  });
  after(() => fixture?.remove());

  /** Without a network: it is ended from outside of the fixture's. */
  const run = async (name: string): Promise<{ id: string; monitor: number }> => {
    const words = ["run", "-d", "--network", "none", "--name", name, "box:1", "sleep", "1000"];
    const { status, stdout, stderr } = await fixture.cli(words);
    assert.equal(status, 0, stderr);
    const id = stdout.trim();
    const monitor = readdirSync("/proc").find((pid) => /^\d+$/.test(pid) && isMonitor(pid, id));
    assert.ok(monitor);
    return { id, monitor: Number(monitor) };
  };

  test("starts nothing", async () => {
    const { id, monitor } = await run("one");
    const seen = new Set<string>();
    const looks = setInterval(() => seen.add(programOf(monitor)), 5);
    await stopInstance(fixture.root, id, { timeout: 1000, amongMany: true }, log);
    await until(() => programOf(monitor) === "");
    clearInterval(looks);
    seen.delete("");
    assert.deepEqual([...seen], ["sh"]);
    const { settled, state } = statusOf(findAny(fixture.root, id).paths, id);
    assert.deepEqual({ settled, state }, { settled: true, state: "exited" });
    assert.equal((await fixture.cli(["rm", id])).status, 0);
  });

  test("takes the end over where he who was to deal with it was killed", async () => {
    const { id } = await run("two");
    const { paths } = findAny(fixture.root, id);
    writeFileSync(paths.endDealt, "");
    process.kill(statusOf(paths, id).pid ?? 0, "SIGKILL");
    await until(() => statusOf(paths, id).settled);
    assert.equal(statusOf(paths, id).exitStatus, 137);
    // What was left does not count for the next start.
    assert.equal((await fixture.cli(["start", id])).status, 0);
    process.kill(statusOf(paths, id).pid ?? 0, "SIGKILL");
    const began = performance.now();
    await until(() => statusOf(paths, id).settled);
    assert.ok(performance.now() - began < 4500, "it was waited for somebody who is not there");
    assert.equal((await fixture.cli(["rm", id])).status, 0);
  });
});

function isMonitor(pid: string, id: string): boolean {
  try {
    return (
      readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`T_ID=${id}`) &&
      programOf(Number(pid)) === "sh"
    );
  } catch {
    return false; // it has ended
  }
}

/** The name of its program; "" where it has ended. */
function programOf(pid: number): string {
  try {
    const [word = ""] = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
    return word.split("/").at(-1) ?? "";
  } catch {
    return "";
  }
}
