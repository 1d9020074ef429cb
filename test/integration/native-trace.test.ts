// native/trace/test/fixture.c natively and traced: the same output and status, and each path it used is in the trace.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type { TraceRecord } from "../../src/formats/trace-records.ts";
import {
  buildTracer,
  facts,
  make,
  native,
  runTraced,
  scratch,
  traceWords,
  wayName,
  ways,
} from "../support/trace.ts";

const top = join(import.meta.dirname, "../..");
const fixtureSource = join(top, "native/trace/test/fixture.c");
const strange = Buffer.concat([Buffer.from("name \n"), Buffer.from([0xff])]);
const build = scratch();
const nowhere = fs.openSync("/dev/null", "w");
process.on("exit", () => build[Symbol.dispose]());

const data = [
  "d-thread/in-thread",
  "d-at/by-dirfd",
  "d-at/by-fchdir",
  "d-at/by-in-root",
  "d-list/a",
  "d-move/inside",
  ..."first again before after".split(" ").map((name) => `d-same/one/${name}`),
  ..."second moved above by-child by-thread".split(" ").map((name) => `d-same/two/${name}`),
  "jail/in-jail",
  "jail/sub/rel-jail",
  ..."by-dotdot by-openat2 only-statx only-access only-stat only-xattr by-o-path late.conf secret".split(" "),
  ..."long-name page-end cut linked by-fd meta meta-time after-stop storm filtered still-here by-int80 untraced".split(
    " ",
  ),
];

function makeTree(root: string, fixture: string): void {
  for (const dir of ["d-thread", "d-at", "d-move", "d-list", "d-same/one", "d-same/two", "jail/sub"]) {
    fs.mkdirSync(join(root, dir), { recursive: true });
  }
  for (const name of data) fs.writeFileSync(join(root, name), "data\n");
  fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), strange]), "data\n");
  fs.symlinkSync("target", join(root, "only-readlink"));
  fs.symlinkSync("no/where/at/all", join(root, "dangling"));
  fs.symlinkSync("/in-jail", join(root, "jail/abs-link"));
  fs.chmodSync(join(root, "secret"), 0o600);
  for (const name of ["prog", "prog-thread", "prog-vfork", "prog-setuid"]) {
    fs.copyFileSync(fixture, join(root, name));
  }
  fs.chmodSync(join(root, "prog-setuid"), 0o4755);
  fs.writeFileSync(join(root, "script"), "#!/bin/sh\nexit 5\n", { mode: 0o755 });
  fs.chmodSync(root, 0o755);
}

/** `@` stands for the directory. A missing line is a call that the tracer did not see or named wrongly. */
const expected = String.raw`
read @/d-thread/in-thread
read @/d-at/by-dirfd
read @/d-at/by-fchdir
read @/d-at/../by-dotdot
list @/d-at
chdir @/d-at
read @/jail/in-jail
read @/jail/sub/rel-jail
read @/jail/abs-link
read! @/jail/not-in-jail
read @/by-openat2
read @/d-at/by-in-root
stat @/only-statx
access @/only-access
readlink @/only-readlink
readlink! @/only-stat
stat @/dangling
stat! @/dangling
read! @/dangling
read! @/only-stat/x
read! @/override.conf
getxattr @/only-xattr
stat @/by-o-path
read+ @/by-o-path
exec @/prog
exec @/prog-thread
exec @/prog-vfork
exec @/script
exec! @/no-such-prog
read @/late.conf
read @/name \n\xff
read @/long-name
read @/page-end
create @/made
rename @/made > @/moved
rename @/moved > @/replaced
unlink+ @/replaced
truncate+ @/cut
link @/linked > @/linked-2
symlink @/soft > no/where
mkdir @/dir-made
rename @/dir-made > @/dir-moved
rmdir+ @/dir-moved
mknod @/fifo-made
metadata+ @/by-fd
metadata+ @/meta
metadata+ @/meta-time
create @/new-excl
read @/d-moved/inside
bind @/sock
listen @/sock
connect @/sock
read @/after-stop
stat! @/storm-7
read @/storm
read @/filtered
list @/d-list
read @/still-here
read @/untraced
stat @/d-same/one/first
stat @/d-same/one/again
stat @/d-same/two/second
stat @/d-same/three/moved
stat @/d-other/three/above
stat @/d-same/one/before
stat @/d-same/two/by-child
stat @/d-same/two/by-thread
stat @/d-same/one/after
`;

const expectedAsRoot = ["exec @/prog-setuid", "read! @/secret"];

function missing(records: readonly TraceRecord[], root: string, wants32: boolean): string[] {
  const said = facts(records);
  const wanted = expected.trim().split("\n");
  if (process.getuid?.() === 0) wanted.push(...expectedAsRoot);
  wanted.push(...(wants32 ? [] : ["i386 read @/by-int80"]));
  const lines = wanted.map((line) => line.replaceAll("\\n", "\n").replaceAll("\\xff", "\xff"));
  return lines
    .map((line) => line.replaceAll("@", root))
    .filter((line) => !said.has(line) && !said.has(line.startsWith("exec") ? line : `i386 ${line}`));
}

before(() => {
  buildTracer();
  const flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-pthread"];
  make("gcc", [...flags, "-o", join(build.path, "fixture"), fixtureSource]);
  make("gcc", [...flags, "-m32", "-static", "-o", join(build.path, "fixture32"), fixtureSource]);
  fs.chmodSync(build.path, 0o755);
});

for (const name of ["fixture", "fixture32"]) {
  for (const way of [native, ...ways]) {
    test(`${name}, ${wayName(way)}: behaves as it should and is seen`, async () => {
      using place = scratch();
      makeTree(place.path, join(build.path, name));
      const run = await runTraced(way, [join(build.path, name)], place.path);
      assert.deepEqual(
        run.output.split("\n").filter((line) => !/^(ok .*)?$/.test(line)),
        [],
      );
      assert.equal(run.output.split("\n").length, 28, run.output);
      assert.equal(run.status, 42);
      if (way === native) return;
      assert.deepEqual(missing(run.records, place.path, name === "fixture32"), []);
      const lost = run.records.filter((record) => record.type === "lost");
      assert.deepEqual(lost, []);
      const end = run.records.at(-1);
      assert.equal(end?.type === "end" && end.status, 42 << 8);
      assert.equal(end?.type === "end" && end.records, run.records.length - 1);
    });
  }
}

for (const way of ways) {
  const name = wayName(way);
  const [program = "", ...options] = traceWords(way);
  test(`${name}: each fork has its exit, and every process that speaks was announced`, async () => {
    using place = scratch();
    const run = await runTraced(way, ["sh", "-c", "(true; exit 3) | cat; wait; echo $?"], place.path);
    assert.equal(run.output, "0\n");
    const born = run.records.flatMap((record) => (record.type === "fork" ? [record.child] : []));
    const gone = run.records.flatMap((record) => (record.type === "exit" ? [record.pid] : []));
    const cmd = run.records.at(-1)?.pid ?? 0;
    assert.ok(
      run.records.some((record) => record.type === "exec" && record.pid === cmd && record.args[0] === "sh"),
    );
    assert.deepEqual(new Set(gone), new Set([...born, cmd]));
    assert.ok(run.records.every((record) => record.pid === cmd || born.includes(record.pid)));
  });

  test(`${name}: the status of the command is passed on`, async () => {
    using place = scratch();
    const fixture = join(build.path, "fixture");
    assert.equal((await runTraced(way, [fixture, "--kill"], place.path)).status, 143);
    assert.equal((await runTraced(way, ["/no/such/command"], place.path)).status, 127);
    assert.equal((await runTraced(way, [place.path], place.path)).status, 126);
  });

  test(`${name}: a daemon is followed after the command has ended`, async () => {
    using place = scratch();
    const script = "(sleep 0.3; cat late) & exit 4";
    fs.writeFileSync(join(place.path, "late"), "late\n");
    const run = await runTraced(way, ["sh", "-c", script], place.path);
    assert.equal(run.status, 4);
    assert.equal(run.output, "late\n");
    assert.ok(facts(run.records).has(`read ${place.path}/late`));
  });

  test(`${name}: a signal to the tracer alone reaches the command`, async () => {
    using place = scratch();
    buildTracer();
    const script = "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    const child = spawn(program, [...options, "--", "sh", "-c", script], {
      cwd: place.path,
      stdio: ["ignore", "pipe", "inherit", nowhere],
    });
    let text = "";
    child.stdout?.on("data", (bytes: Buffer) => {
      if (text === "") child.kill("SIGTERM");
      text += bytes.toString();
    });
    const status = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(text, "ready\ngot\n");
    assert.equal(status, 9);
  });

  test(`${name}: tracees do not outlive a tracer that is killed`, async () => {
    using place = scratch();
    const child = spawn(program, [...options, "--kill-on-exit", "--", "sleep", "1000"], {
      cwd: place.path,
      stdio: ["ignore", "ignore", "inherit", nowhere],
    });
    const children = `/proc/${child.pid}/task/${child.pid}/children`;
    const sleeper = await poll(() => fs.readFileSync(children, "utf8").trim());
    assert.match(sleeper, /^\d+$/);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.on("close", resolve));
    if (way.without?.includes("exit-kill")) {
      // Kernels before 3.8 cannot: untraced it goes on.
      await poll(() =>
        /^TracerPid:\s0$/m.test(fs.readFileSync(`/proc/${sleeper}/status`, "utf8")) ? "free" : "",
      );
      process.kill(Number(sleeper), "SIGKILL");
    }
    await poll(() => (readsExe(sleeper) ? "" : "gone"));
  });

  test(`${name}: descriptors and sockets that the command starts with are told`, async () => {
    using place = scratch();
    const input = join(place.path, "input");
    const trace = join(place.path, "trace");
    fs.writeFileSync(input, "x");
    const done = spawnSync(
      "sh",
      [
        "-c",
        `trace=$1 input=$2; shift 2; exec 3>"$trace" "$0" "$@" -- cat <"$input"`,
        program,
        trace,
        input,
        ...options,
      ],
      { cwd: place.path, encoding: "utf8" },
    );
    assert.equal(done.stdout, "x");
    assert.ok(fs.readFileSync(trace, "latin1").includes(input));
  });
}

function readsExe(pid: string): boolean {
  try {
    return fs.readlinkSync(`/proc/${pid}/exe`) !== "";
  } catch {
    return false;
  }
}

async function poll(ask: () => string): Promise<string> {
  for (;;) {
    const answer = ask();
    if (answer !== "") return answer;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("without root the filter takes no_new_privs and says so", async (t) => {
  if (process.getuid?.() !== 0) {
    t.skip("needs root, to run as somebody else");
    return;
  }
  using place = scratch();
  fs.chmodSync(place.path, 0o777);
  const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  fs.copyFileSync(join(top, "native/bin/trace"), join(place.path, "trace"));
  const words = [...nobody, "sh", "-c", "exec 3>out; ./trace --fd 3 -- cat /etc/hostname"];
  const run = await runTraced(native, words, place.path);
  assert.equal(run.status, 0, run.output);
  assert.ok(fs.readFileSync(join(place.path, "out"), "latin1").includes("not traced by root"));
});
