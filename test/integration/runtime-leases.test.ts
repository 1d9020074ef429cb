// Names and addresses of instances that are made at this moment are theirs, whatever another command frees meanwhile.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openStateRoot } from "../../src/host/state-root.ts";
import { freeLeases } from "../../src/runtime/end.ts";
import { leases } from "../../src/runtime/network/lease.ts";

const count = 3000;

/** Makes instances as `create` does: a draft, its lease, the rename. Nothing else of them is there. */
const maker = `
const fs = require("node:fs");
const [root, count] = process.argv.slice(1);
fs.mkdirSync(root + "/names", { recursive: true });
for (let n = 0; n < Number(count); n++) {
  const id = n.toString(16).padStart(64, "0");
  const draft = root + "/instances/.new-" + id + "-" + process.pid + "-1";
  fs.mkdirSync(draft);
  fs.symlinkSync(id, root + "/names/name-" + n);
  fs.renameSync(draft, root + "/instances/" + id);
}`;

test("a command that frees the leases of what is gone leaves those of what is being made", async () => {
  const path = mkdtempSync(join(tmpdir(), "tranship-leases-"));
  const root = openStateRoot(path);
  try {
    const child = spawn(process.execPath, ["-e", maker, path, String(count)], { stdio: "inherit" });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    let passes = 0;
    while (child.exitCode === null) {
      freeLeases(root);
      passes++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(await ended, 0);
    assert.ok(passes > 1);
    assert.equal(leases(root, "names").length, count);
    // The control: without a directory a lease is nobody's.
    rmSync(join(root.instances, "0".repeat(64)), { recursive: true });
    freeLeases(root);
    assert.equal(leases(root, "names").length, count - 1);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
});
