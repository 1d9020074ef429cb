// init --seed, killed before every call that changes anything: the next call ends in the same tree.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { test } from "node:test";
import { cannotRun } from "../support/init-package.ts";
import { seed, tree, type Volume, volume } from "../support/seed.ts";
import { judge } from "../support/tree.ts";

/** All that changes a file system, of what it calls: between two of them nothing does. Each is counted for itself. */
const changing = [
  ...["mkdir", "open", "link", "symlink", "mknod", "fchown", "utimens", "unlink"].map((name) => `${name}at`),
  ...["renameat", "renameat2", "fchmodat", "ftruncate", "copy_file_range", "lsetxattr", "fremovexattr"],
  ...["fsync", "syncfs"],
];
const killAt = (call: string, step: number) => [
  ...["strace", "-o/dev/null"],
  `-einject=${call}:signal=KILL:when=${step}`,
];

/** Small, so that each step can be tried, with a case of each rule. */
const script = `mkdir -p dir/below; echo one > first; ln first dir/below/second; ln -s first link
mkfifo dir/fifo; setfattr -n user.a -v b dir; echo x > dir/below/deep; chown 5:6 first; chmod 4755 first
chmod 500 dir/below; touch -d '2001-02-03 04:05:06.123456789' dir; chown 7:8 .; chmod 2750 .`;

/** What a kill leaves: never a part of a copy where content is looked for, before the copy is whole. */
function stage({ target }: Volume, step: string): "copying" | "moving" | "done" {
  const found = readdirSync(target);
  if (found.includes(".tranship-seeded")) return "moving";
  const content = found.filter((name) => name !== ".tranship-seed");
  if (content.length === 0) return "copying";
  assert.deepEqual(found.sort(), ["dir", "first", "link"], step);
  return "done";
}

function repaired({ source, target }: Volume, want: string[], step: string): void {
  const result = seed(source, target);
  assert.equal(result.status, 0, `${step}: ${result.stderr}`);
  const got = tree(target);
  // The volume's own time comes last of all, when nothing says any more that it is missing.
  if (/not empty/.test(result.stderr)) assert.match(got[0] ?? "", /^b'\.' 0o42750 7 8 /, step);
  else assert.equal(got[0], want[0], step);
  assert.deepEqual(got.slice(1), want.slice(1), step);
}

test("a kill at any step is repaired, and so is a kill of the repair", { skip: cannotRun }, (t) => {
  const v = volume(t);
  judge(v.source, "sh", ["-ec", script]);
  const want = tree(v.source);
  const seen = { copying: 0, moving: 0, done: 0 };
  for (const call of changing) {
    for (let n = 1; ; n++) {
      const step = `${call} ${n}`;
      rmSync(v.target, { recursive: true });
      mkdirSync(v.target);
      const first = seed(v.source, v.target, killAt(call, n));
      if (first.signal !== "SIGKILL") {
        assert.deepEqual([first.status, n > 1], [0, true], `${step}: ${first.stderr}`);
        break;
      }
      seen[stage(v, step)]++;
      if (n % 2 === 0) {
        seed(v.source, v.target, killAt("unlinkat,renameat2,mkdirat", n / 2));
        stage(v, step);
      }
      repaired(v, want, step);
    }
  }
  assert.ok(seen.copying > 40 && seen.moving > 10 && seen.done > 0, JSON.stringify(seen));
});
