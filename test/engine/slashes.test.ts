// Slashes behind names, also in the text of links: native/engine/test/slashes.py says the same with mounts or an overlay and under the engine.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { cannotRun, run } from "../support/engine.ts";
import {
  copies,
  inPackage,
  layered,
  makeOnHost,
  makeTree,
  mounts,
  overlay,
  setRules,
  tree,
  under,
  usual,
} from "../support/redirected-tree.ts";

const root = process.getuid?.() === 0;
const program = ["/usr/bin/python3", join(import.meta.dirname, "../../native/engine/test/slashes.py")];

function makeAnew(there: boolean): void {
  makeTree();
  execFileSync("mkfifo", [join(inPackage, "srv/ro/pipe")]);
  symlinkSync("pipe", join(inPackage, "srv/ro/to-pipe"));
  if (there) makeOnHost();
}

const judges = [
  { name: "mounts", script: mounts, rules: usual, there: false },
  { name: "mounts over what the host has", script: mounts, rules: usual, there: true },
  { name: "an overlay", script: overlay, rules: layered, there: false },
  { name: "an overlay over what the host has", script: overlay, rules: layered, there: true },
];

describe("slashes behind names", { skip: cannotRun }, () => {
  for (const { name, script, rules, there } of judges) {
    test(`mean what they mean on ${name}`, { skip: root ? false : "needs root for mounts" }, async () => {
      setRules(rules);
      makeAnew(there && script === overlay);
      // Its last word is that of the C programs that may have another root.
      const words = ["sh", inPackage, ...program, tree, copies];
      const kernel = await run(["unshare", "-m", "sh", "-c", script, ...words], { cwd: tree });
      assert.equal(kernel.status, 0, kernel.stderr);
      assert.match(kernel.stdout, /^open via app\/self\/ create EISDIR$/m);
      assert.match(kernel.stdout, /^onto the link ENOTDIR$/m);
      makeAnew(there);
      const ours = await run([...under, ...program, tree], { cwd: tree });
      assert.equal(ours.status, 0, ours.stderr);
      const [expected, got] = [kernel.stdout.split("\n"), ours.stdout.split("\n")];
      const different = expected.flatMap((line, index) => (line === got[index] ? [] : [[line, got[index]]]));
      assert.deepEqual(different, []);
      assert.equal(got.length, expected.length);
    });
  }
});
