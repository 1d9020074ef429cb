// A child whose parent's event comes late: the root that it has changed to meanwhile is looked up anew.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const native = join(import.meta.dirname, "../../native");

test("a child that changed its root before its parent's event came has that root", (t) => {
  const scratch = mkdtempSync(join(tmpdir(), "tranship-trace-inherit-"));
  t.after(() => rmSync(scratch, { recursive: true, force: true }));
  const program = join(scratch, "inherit");
  const sources = ["trace/test/inherit.c", "trace/task.c", "common/die.c"].map((name) => join(native, name));
  const flags = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1"];
  execFileSync("gcc", [...flags, "-I", join(native, "common"), "-o", program, ...sources]);
  assert.deepEqual(execFileSync(program, { encoding: "utf8" }).trim().split("\n"), [
    "0 root unknown, directory unknown, parent's root known",
    // They have one root and one directory.
    "200 root unknown, directory unknown, parent's root unknown",
    "20000 root unknown, directory unknown, parent's root known",
  ]);
});
