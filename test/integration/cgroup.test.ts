import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import {
  cgroupDirectories,
  cgroupMode,
  cgroupProcesses,
  freezeCgroup,
  killCgroup,
  removeCgroup,
} from "../../src/host/cgroup.ts";
import { eventually, isAlive } from "../support/enter.ts";

const mode = cgroupMode();
const skip =
  process.getuid?.() !== 0
    ? "needs root"
    : mode.kind === "none"
      ? "no control groups are mounted here"
      : false;

test("the mode agrees with /proc/self/cgroup", { skip }, () => {
  const lines = readFileSync("/proc/self/cgroup", "latin1").trim().split("\n");
  const v2 = lines.some((line) => line.startsWith("0::"));
  const v1 = lines.filter((line) => !line.startsWith("0::")).map((line) => line.split(":")[1]);
  const listed = mode.hierarchies.filter((one) => one.version === 1);
  if (mode.kind === "hybrid" || mode.kind === "v2") assert.ok(v2);
  if (mode.kind === "v2") assert.deepEqual(listed, []);
  for (const one of listed)
    assert.ok(v1.includes([...one.controllers].join(",")), `${one.path} is known to the kernel`);
});

test("processes of a group in every hierarchy are found, frozen, killed; the group goes", {
  skip,
}, async (t) => {
  const name = `tranship-test-cgroup-${process.pid}`;
  for (const one of mode.hierarchies) mkdirSync(`${one.path}/${name}/inner`, { recursive: true });
  t.after(async () => {
    await killCgroup(name);
    await removeCgroup(name);
  });
  assert.equal(cgroupDirectories(name).length, mode.hierarchies.length);
  const child = spawn("sleep", ["600"], { stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  const pid = child.pid ?? 0;
  const target = mode.hierarchies.filter((one) => one.version === 2 || !one.controllers.includes("cpuset"));
  for (const one of target) writeFileSync(`${one.path}/${name}/inner/cgroup.procs`, String(pid));
  assert.deepEqual(cgroupProcesses(name), [pid]);
  await assert.rejects(removeCgroup(name), (error) => isTranshipError(error, "E_STATE_BUSY"));
  assert.ok(freezeCgroup(`${name}/inner`, true));
  assert.ok(freezeCgroup(name, true));
  await killCgroup(name);
  await eventually("the process is gone", () => !isAlive(pid));
  assert.deepEqual(cgroupProcesses(name), []);
  await removeCgroup(name);
  assert.deepEqual(cgroupDirectories(name), []);
  await removeCgroup(name);
});

test("names that would leave the tree are refused", { skip }, () => {
  for (const name of ["", "/", "../x", "a/../../b", "."]) {
    assert.throws(
      () => cgroupDirectories(name),
      (error) => isTranshipError(error, "E_INTERNAL"),
    );
  }
});
