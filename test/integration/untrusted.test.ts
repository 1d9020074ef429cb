// Reading in directories that a hostile process writes into: no link is followed, nothing is waited for, nothing large is taken.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openBelow, readJsonBelow } from "../../src/host/untrusted.ts";

test("only regular files below, by no link", (t) => {
  const base = mkdtempSync(join(tmpdir(), "tranship-untrusted-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const inside = join(base, "run");
  mkdirSync(join(inside, "log"), { recursive: true });
  writeFileSync(join(base, "secret.json"), '{"secret":1}');
  writeFileSync(join(inside, "log/good"), '{"good":1}');
  writeFileSync(join(inside, "large"), `"${"x".repeat(5000)}"`);
  writeFileSync(join(inside, "broken"), "{");
  symlinkSync("../secret.json", join(inside, "link"));
  symlinkSync("..", join(inside, "up"));
  execFileSync("mkfifo", [join(inside, "fifo")]);
  assert.deepEqual(readJsonBelow(4096, inside, "log", "good"), { good: 1 });
  for (const names of [["link"], ["up", "secret.json"], ["fifo"], ["log"], ["absent"], ["large"], ["broken"]])
    assert.equal(readJsonBelow(4096, inside, ...names), undefined, names.join("/"));
  // The control: without the care, the links do lead to what they name.
  assert.equal(readFileSync(join(inside, "link"), "utf8"), '{"secret":1}');
  const fd = openBelow(inside, "large");
  assert.notEqual(fd, undefined);
  if (fd !== undefined) closeSync(fd);
});
