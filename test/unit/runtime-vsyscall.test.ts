// What elements.vsyscall: auto means, by the programs of a package and the host's kernel.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { withVsyscall } from "../../src/runtime/vsyscall.ts";
import { makeOldProgram } from "../support/bring.ts";

test("auto asks the programs, and only where the answer counts", {
  skip: process.arch !== "x64",
}, async (t) => {
  const layer = mkdtempSync(join(tmpdir(), "tranship-vsyscall-"));
  t.after(() => rmSync(layer, { recursive: true, force: true }));
  mkdirSync(join(layer, "opt/bin"), { recursive: true });
  makeOldProgram(join(layer, "opt/bin/old"));
  copyFileSync("/bin/busybox", join(layer, "opt/bin/new"));
  symlinkSync("opt/bin", join(layer, "bin"));
  const clock = { clock: { offset: "1d" }, uname: null, vsyscall: "auto" } as const;
  const ask = (
    program: string,
    mode: "none" | "xonly" | "unknown",
    elements: Parameters<typeof withVsyscall>[0]["elements"] = undefined,
    wanted: "auto" | "on" | "off" = "auto",
  ): ReturnType<typeof withVsyscall> =>
    withVsyscall({ elements, wanted, programs: [program], layers: [layer] }, mode);
  const alone = { clock: null, uname: null, vsyscall: "auto" };
  for (const name of ["/opt/bin/old", "/bin/old", "old"])
    assert.deepEqual(await ask(name, "none"), alone, name);
  for (const name of ["/opt/bin/new", "new", "missing", "/opt"])
    assert.equal(await ask(name, "none"), undefined, name);
  assert.equal(await ask("old", "xonly"), undefined);
  assert.equal(await ask("old", "none", undefined, "off"), undefined);
  for (const mode of ["xonly", "unknown"] as const)
    assert.deepEqual(await ask("old", mode, clock), { ...clock, vsyscall: "on" });
  assert.deepEqual(await ask("old", "none", clock), clock);
  assert.deepEqual(await ask("new", "xonly", clock), clock);
  assert.deepEqual(await ask("old", "xonly", clock, "off"), clock);
});
