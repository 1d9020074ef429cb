// Reading in directories that a hostile process writes into: no link is followed, nothing is waited for, nothing large is taken.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  fchmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loggedOutput } from "../../src/deploy/own-end.ts";
import { changeBelow, openBelow, readJsonBelow } from "../../src/host/untrusted.ts";
import { giveRun } from "../../src/runtime/bundle.ts";
import { pathsIn } from "../../src/runtime/instance-paths.ts";

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

test("owner and mode are changed of what is there itself, never of what a link names", (t) => {
  const base = mkdtempSync(join(tmpdir(), "tranship-untrusted-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const inside = join(base, "run");
  mkdirSync(join(inside, "log"), { recursive: true });
  const secret = join(base, "all.log");
  for (const path of [secret, join(inside, "log/all.log")]) writeFileSync(path, "", { mode: 0o600 });
  symlinkSync("../../all.log", join(inside, "log/link"));
  symlinkSync("..", join(inside, "up"));
  linkSync(secret, join(inside, "log/twice"));
  const modeOf = (path: string): number => statSync(path).mode & 0o777;
  const open = (...names: string[]): void => changeBelow((fd) => fchmodSync(fd, 0o644), inside, ...names);
  for (const names of [
    ["log", "link"],
    ["up", "all.log"],
    ["log", "twice"],
    ["absent", "x"],
  ])
    open(...names);
  assert.equal(modeOf(secret), 0o600);
  open("log", "all.log");
  open("log");
  assert.deepEqual([modeOf(join(inside, "log/all.log")), modeOf(join(inside, "log"))], [0o644, 0o644]);
  chmodSync(join(inside, "log"), 0o755);
  // The control: by its path the link is followed.
  chmodSync(join(inside, "log/link"), 0o644);
  assert.equal(modeOf(secret), 0o644);
});

const skip = process.getuid?.() === 0 ? false : "needs root";

test("the log of an instance becomes its user's, and nothing that a link there leads to", { skip }, (t) => {
  const base = mkdtempSync(join(tmpdir(), "tranship-untrusted-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const paths = pathsIn(join(base, "instance"));
  const host = join(base, "host");
  mkdirSync(host);
  mkdirSync(join(paths.run, "log"), { recursive: true });
  const log = join(paths.run, "log/all.log");
  for (const path of [join(host, "all.log"), join(host, "secret"), log]) writeFileSync(path, "");
  const owner = (path: string): number => statSync(path).uid;
  const user = { uid: 33, gid: 44 };
  giveRun(paths, user);
  assert.deepEqual([paths.run, join(paths.run, "log"), log].map(owner), [33, 33, 33]);
  const mine = (): void =>
    assert.deepEqual([host, join(host, "all.log"), join(host, "secret")].map(owner), [0, 0, 0]);
  rmSync(log);
  symlinkSync(join(host, "secret"), log);
  giveRun(paths, user);
  mine();
  rmSync(log);
  linkSync(join(host, "secret"), log);
  giveRun(paths, user);
  mine();
  rmSync(join(paths.run, "log"), { recursive: true });
  symlinkSync(host, join(paths.run, "log"));
  giveRun(paths, user);
  mine();
});

test("what an application has put in the place of its log is not read", (t) => {
  const base = mkdtempSync(join(tmpdir(), "tranship-untrusted-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  mkdirSync(join(base, "run/log"), { recursive: true });
  const line = `${JSON.stringify({ log: "words", stream: "stdout" })}\n`;
  const log = join(base, "run/log/all.log");
  writeFileSync(log, line);
  assert.match(loggedOutput(join(base, "run")), /words/);
  renameSync(log, join(base, "elsewhere"));
  symlinkSync("../../elsewhere", log);
  assert.equal(readFileSync(log, "utf8"), line);
  assert.equal(loggedOutput(join(base, "run")), "");
});
