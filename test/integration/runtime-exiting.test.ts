// A process that exits shows up outside of its control groups, in hierarchies of version 1: that is its end, and no group that somebody removed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { removeCgroup } from "../../src/host/cgroup.ts";
import type { StateRoot } from "../../src/host/state-root.ts";
import { instanceGroup } from "../../src/runtime/limits/groups.ts";
import { mendGroups } from "../../src/runtime/limits/mend.ts";
import type { InstanceRecord } from "../../src/runtime/record.ts";
import { until, whyNot } from "./runtime-fixture.ts";

test("nothing is mended for one that is about to be gone", { skip: whyNot() ?? false }, async (t) => {
  // What sleep does not wait for stays a zombie.
  const parent = spawn("sh", ["-c", "true & exec sleep 60"], { stdio: "ignore" });
  t.after(() => parent.kill("SIGKILL"));
  const children = (): string =>
    readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, "latin1").trim();
  const state = (): string =>
    (/\) (\w)/.exec(readFileSync(`/proc/${children()}/stat`, "latin1")) ?? [])[1] ?? "";
  await until(() => children() !== "" && state() === "Z");
  const id = `exiting-${process.pid}`;
  t.after(() => removeCgroup(instanceGroup(id)));
  const record = { id, name: "gone", limits: { memory: 1 << 24 } } as unknown as InstanceRecord;
  const said: string[] = [];
  const note = (text: string): number => said.push(text);
  const log = { debug: note, info: note, warn: note, error: note };
  for (const pid of [Number(children()), 2 ** 22 + 1])
    assert.equal(mendGroups({} as StateRoot, record, pid, log), false);
  assert.deepEqual(said, []);
});
