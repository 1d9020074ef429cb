import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopback, Reducer } from "../../../src/capture/evidence/reduce.ts";
import type { PathOperation, TracePath } from "../../../src/formats/trace-records.ts";

function pathRecord(
  pid: number,
  operation: PathOperation,
  path: string,
  more: Partial<TracePath> = {},
): TracePath {
  return {
    type: "path", pid, operation, result: 0, path, second: "", noFollow: false, i386: false, existed: false, foreign: false,
    foretold: false, truncates: false, inherited: false, ...more,
  }; // biome-ignore format: a table
}

function reducer(): Reducer {
  return new Reducer((program) => program.startsWith("/.tranship/"));
}

test("a path belongs to the program of the process, through fork and exec", () => {
  const reduce = reducer();
  reduce.add({
    type: "exec",
    pid: 2,
    result: 0,
    path: "/.tranship/init",
    args: ["init"],
    cwd: "/",
    executable: "/.tranship/init",
  });
  reduce.add(pathRecord(2, "read", "/etc/passwd"));
  reduce.add({ type: "fork", pid: 2, child: 3, kind: "fork" });
  reduce.add({
    type: "exec",
    pid: 3,
    result: 0,
    path: "/usr/bin/app",
    args: ["app", "-x"],
    cwd: "/",
    executable: "/usr/bin/app",
  });
  reduce.add(pathRecord(3, "read", "/etc/app.conf"));
  assert.deepEqual([...reduce.evidence.paths.keys()], ["/usr/bin/app", "/etc/app.conf"]);
  assert.deepEqual(reduce.evidence.paths.get("/etc/app.conf")?.uses.get("read"), ["/usr/bin/app"]);
  reduce.add({ type: "fork", pid: 2, child: 4, kind: "fork" });
  const more = { args: [], cwd: "/", executable: "/bin/also", path: "/bin/also" };
  reduce.add({ type: "exec", pid: 4, result: 0, ...more });
  reduce.add(pathRecord(4, "read", "/etc/app.conf"));
  reduce.add(pathRecord(3, "read", "/etc/app.conf"));
  assert.deepEqual(reduce.evidence.paths.get("/etc/app.conf")?.uses.get("read"), [
    "/bin/also",
    "/usr/bin/app",
  ]);
  assert.deepEqual(reduce.evidence.programs.get("/usr/bin/app")?.argv, ["app", "-x"]);
});

test("a script counts with its interpreter", () => {
  const reduce = reducer();
  reduce.add({
    type: "exec",
    pid: 5,
    result: 0,
    path: "/opt/run.sh",
    args: ["run.sh"],
    cwd: "/",
    executable: "/usr/bin/dash",
  });
  assert.ok(reduce.evidence.paths.get("/opt/run.sh")?.found);
  assert.ok(reduce.evidence.paths.get("/usr/bin/dash")?.found);
});

test("what the run made is told from what was there", () => {
  const reduce = reducer();
  reduce.add(pathRecord(1, "create", "/var/lib/x/new"));
  reduce.add(pathRecord(1, "create", "/var/lib/x/old", { existed: true }));
  reduce.add(pathRecord(1, "rename", "/var/lib/x/tmp", { second: "/var/lib/x/state", existed: true }));
  reduce.add(pathRecord(1, "stat", "/etc/absent", { result: -2 }));
  const { paths } = reduce.evidence;
  assert.ok(paths.get("/var/lib/x/new")?.madeByRun);
  assert.ok(!paths.get("/var/lib/x/old")?.madeByRun);
  assert.ok(!paths.get("/var/lib/x/state")?.madeByRun);
  assert.ok(!paths.get("/etc/absent")?.found);
});

test("listeners are told once, with their address", () => {
  const reduce = reducer();
  const bind = { type: "bind", pid: 1, kind: "listen", result: 0 } as const;
  reduce.add({ ...bind, family: 2, port: 80, address: "\0\0\0\0" });
  reduce.add({ ...bind, family: 2, port: 80, address: "\0\0\0\0" });
  reduce.add({ ...bind, family: 2, port: 3306, address: "\x7f\0\0\x01" });
  reduce.add({ ...bind, family: 10, port: 81, address: `${"\0".repeat(15)}\x01` });
  reduce.add({ ...bind, family: 10, port: 82, address: "\0".repeat(16) });
  const told = reduce.evidence.listeners.map((one) => [one.port, isLoopback(one.address)]);
  assert.deepEqual(told, [[80, false], [3306, true], [81, true], [82, false]]); // biome-ignore format: a table
});

test("only losses that matter make a capture incomplete", () => {
  const reduce = reducer();
  reduce.add({ type: "lost", pid: 1, reason: 1, text: "ended in the middle" });
  assert.deepEqual(reduce.evidence.lost, []);
  reduce.add({ type: "lost", pid: 1, reason: 4, text: "x32 call" });
  assert.deepEqual(reduce.evidence.lost, [": x32 call"]);
  reduce.add({ type: "lost", pid: 1, reason: 3, text: "io_uring is used" });
  assert.deepEqual(reduce.evidence.warnings, [": ended in the middle"]);
  assert.deepEqual(reduce.evidence.ioUring, [": io_uring is used"]);
});

test("what the run removed and made again was on the source; what it made first was not", () => {
  const reduce = reducer();
  reduce.add(pathRecord(5, "unlink", "/etc/app.state", { existed: true }));
  reduce.add(pathRecord(5, "create", "/etc/app.state"));
  reduce.add(pathRecord(5, "create", "/etc/app.pid"));
  reduce.add(pathRecord(5, "read", "/etc/app.pid", { existed: true }));
  reduce.add(pathRecord(5, "read", "/etc/app.conf"));
  reduce.add(pathRecord(5, "unlink", "/etc/app.conf", { existed: true }));
  reduce.add(pathRecord(5, "rename", "/etc/app.new", { second: "/etc/app.conf" }));
  const made = (path: string) => reduce.evidence.paths.get(path)?.madeByRun;
  assert.equal(made("/etc/app.state"), false);
  assert.equal(made("/etc/app.pid"), true);
  assert.equal(made("/etc/app.conf"), false);
});

test("what is used below a renamed directory is on the source below its old name", () => {
  const reduce = reducer();
  const add = (operation: PathOperation, path: string, more: Partial<TracePath> = {}) =>
    reduce.add(pathRecord(2, operation, path, more));
  add("rename", "/srv/tree", { second: "/srv/moved" });
  add("read", "/srv/moved/leaf");
  add("create", "/srv/moved/new");
  add("rename", "/srv/moved", { second: "/srv/again" });
  add("stat", "/srv/again/deep/leaf");
  add("read", "/srv/again/absent", { result: -2 });
  add("mkdir", "/srv/own");
  add("rename", "/srv/own", { second: "/srv/tree" });
  add("read", "/srv/tree/of-the-run");
  const { paths } = reduce.evidence;
  assert.equal(paths.get("/srv/tree/leaf")?.found, true);
  assert.equal(paths.get("/srv/tree/deep/leaf")?.found, true);
  for (const absent of ["/srv/tree/new", "/srv/tree/absent", "/srv/own/of-the-run"])
    assert.equal(paths.has(absent), false, absent);
});
