// native/witness with real programs: what is opened in each way that a tracer of calls sees badly is told, by its right name.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WitnessDecoder, type WitnessRecord, type WitnessSeen } from "../../src/formats/witness-records.ts";
import { eventually } from "../support/enter.ts";
import { make, scratch } from "../support/trace.ts";

const top = join(import.meta.dirname, "../..");
const witness = join(top, "native/bin/witness");
const build = scratch();
const fixture = join(build.path, "fixture");
process.on("exit", () => build[Symbol.dispose]());

before(() => {
  make("make", ["-s", "-C", join(top, "native"), "bin/witness"]);
  const flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-static", "-std=gnu11", "-D_GNU_SOURCE"];
  make("gcc", [...flags, "-o", fixture, join(top, "native/witness/test/fixture.c")]);
});

const options = { skip: process.getuid?.() === 0 ? false : "needs root" };

interface Watched {
  status: number | null;
  records: WitnessRecord[];
}

/** In a mount namespace of its own, so that nothing but the command opens files on what is marked. */
function start(command: readonly string[], flags: readonly string[] = []): ChildProcess {
  const words = ["-m", "--propagation", "private", witness, "--fd", "3", ...flags, "--", ...command];
  return spawn("unshare", words, { stdio: ["ignore", "ignore", "inherit", "pipe"] });
}

async function ended(child: ChildProcess): Promise<Watched> {
  const decoder = new WitnessDecoder();
  const records: WitnessRecord[] = [];
  const stream = child.stdio[3] as NodeJS.ReadableStream;
  stream.on("data", (bytes: Uint8Array) => records.push(...decoder.feed(bytes)));
  const status = await new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  decoder.finish();
  return { status, records };
}

const watch = async (command: readonly string[], flags: readonly string[] = []): Promise<Watched> =>
  await ended(start(command, flags));

const seen = (records: readonly WitnessRecord[]): WitnessSeen[] =>
  records.filter((record) => record.type === "seen");
const paths = (records: readonly WitnessRecord[], use: WitnessSeen["use"] = "open"): Set<string> =>
  new Set(seen(records).flatMap((record) => (record.use === use ? [record.path] : [])));
const lost = (records: readonly WitnessRecord[]): number[] =>
  records.flatMap((record) => (record.type === "lost" ? [record.reason] : []));

test("each way of opening a file is seen, by the name that the kernel has for it", options, async () => {
  using place = scratch();
  const at = (name: string): string => join(place.path, name);
  for (const name of ["uring", "int80", "late", "linked"]) fs.writeFileSync(at(name), "data\n");
  fs.mkdirSync(at("jail/etc"), { recursive: true });
  fs.writeFileSync(at("jail/etc/conf"), "data\n");
  fs.writeFileSync(at("odd (deleted)"), "data\n");
  fs.symlinkSync("linked", at("link"));
  fs.writeFileSync(at("script"), `#!${fixture} fleeting\n`, { mode: 0o755 });
  const script = [
    `${fixture} uring ${at("uring")}`,
    `[ $? = 77 ] || uring=yes`,
    `${fixture} int80 ${at("int80")}`,
    `${fixture} chroot ${at("jail")} etc/conf`,
    `${fixture} fleeting ${at("fleeting")}`,
    `${fixture} daemon ${at("late")}`,
    `cat '${at("odd (deleted)")}' ${at("link")}; ls ${place.path}; echo more >>${at("written")}`,
    `exec ${fixture} fleeting ${at("last")}`,
  ].join("\n");
  const { status, records } = await watch(["sh", "-c", script]);
  assert.equal(status, 0);
  assert.deepEqual(lost(records), []);
  const opened = paths(records);
  const needs = ["int80", "jail/etc/conf", "fleeting", "late", "odd (deleted)", "linked", "last", ""];
  for (const name of needs)
    assert.ok(opened.has(name === "" ? place.path : at(name)), `${name} in ${[...opened].join(" ")}`);
  assert.ok(
    opened.has(at("uring")) || fs.readFileSync("/proc/sys/kernel/io_uring_disabled", "utf8") !== "0\n",
  );
  assert.ok(!opened.has(at("link")), "a link is not a file that was opened");
  assert.deepEqual(
    [...paths(records, "written")].filter((path) => path.startsWith(place.path)).sort(),
    ["fleeting", "last", "written"].map(at),
  );
  assert.ok(paths(records, "exec").has(fixture));
  // What was removed before the witness asked is flagged; its name is the same.
  const gone = seen(records).filter((record) => record.deleted);
  assert.ok(gone.every((record) => ["fleeting", "last"].map(at).includes(record.path)));
  const int80 = seen(records).find((record) => record.path === at("int80"));
  // Its program where it still ran when it was asked.
  assert.deepEqual([int80?.outside, ["", fixture].includes(int80?.program ?? "-")], [false, true]);
});

test("the interpreter of a script is seen, and the loader", options, async () => {
  using place = scratch();
  const script = join(place.path, "script");
  fs.writeFileSync(script, "#!/bin/cat\n", { mode: 0o755 });
  const { records } = await watch([script]);
  const executed = paths(records, "exec");
  assert.ok(executed.has(script) && executed.has(fs.realpathSync("/bin/cat")), [...executed].join(" "));
  assert.ok([...executed].some((path) => /\/ld-/.test(path)));
});

test(
  "a mount that is made later is watched; kernel file systems are told and left out",
  options,
  async () => {
    using place = scratch();
    const at = join(place.path, "later");
    fs.mkdirSync(at);
    const script = `mount -t tmpfs later ${at} && sleep 0.3 && echo x >${at}/file && cat ${at}/file && umount ${at}`;
    const { status, records } = await watch(["sh", "-c", script]);
    assert.equal(status, 0);
    const mounts = records.filter((record) => record.type === "mount");
    assert.deepEqual(
      mounts
        .filter((mount) => mount.target === at)
        .map(({ later, marked, fstype }) => ({ later, marked, fstype })),
      [{ later: true, marked: true, fstype: "tmpfs" }],
    );
    const proc = mounts.find((mount) => mount.target === "/proc");
    assert.deepEqual([proc?.marked, proc?.errno], [false, 0]);
    assert.ok(paths(records).has(join(at, "file")));
    assert.ok([...paths(records)].every((path) => !path.startsWith("/proc/")));
  },
);

test(
  "10,000 files in a burst behind a stalled reader: all of them, or an overflow that is told",
  options,
  async (context) => {
    // Ten thousand files cost seconds on a busy disk.
    const place = { path: fs.mkdtempSync("/dev/shm/tranship-witness-") };
    context.after(() => fs.rmSync(place.path, { recursive: true, force: true }));
    const burst = async (flags: readonly string[]): Promise<Watched> => {
      fs.rmSync(join(place.path, "d"), { recursive: true, force: true });
      fs.mkdirSync(join(place.path, "d"));
      const go = join(place.path, "go");
      fs.rmSync(go, { force: true });
      const done = join(place.path, "done");
      fs.rmSync(done, { force: true });
      const script = `while [ ! -e ${go} ]; do sleep 0.02; done; ${fixture} burst ${place.path}/d 10000; ${fixture} fleeting ${place.path}/fleeting; : >${done}`;
      const child = start(["sh", "-c", script], flags);
      const result = ended(child);
      // unshare executes the witness in its own process.
      await eventually(
        "the command runs",
        () => fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim() !== "",
      );
      process.kill(child.pid ?? 0, "SIGSTOP");
      fs.writeFileSync(go, "");
      await eventually("the burst is over", () => fs.existsSync(done));
      process.kill(child.pid ?? 0, "SIGCONT");
      return await result;
    };
    const whole = await burst([]);
    assert.deepEqual(lost(whole.records), []);
    const files = [...paths(whole.records)].filter((path) => path.startsWith(`${place.path}/d/f`));
    assert.equal(files.length, 10_000);
    const fleeting = seen(whole.records).filter((record) => record.path === `${place.path}/fleeting`);
    assert.deepEqual([...new Set(fleeting.map((record) => record.deleted))], [true]);
    const limit = Number(fs.readFileSync("/proc/sys/fs/fanotify/max_queued_events", "utf8"));
    const sysctl = "/proc/sys/fs/fanotify/max_queued_events";
    try {
      fs.writeFileSync(sysctl, "500");
      const short = await burst(["--limited-queue"]);
      assert.deepEqual(lost(short.records), [1]);
      assert.equal(short.status, 0);
    } finally {
      fs.writeFileSync(sysctl, String(limit));
    }
  },
);

test(
  "a file that was opened without end is told again: of another program, by its new name",
  options,
  async () => {
    using place = scratch();
    const at = (name: string): string => join(place.path, name);
    fs.writeFileSync(at("hot"), "data\n");
    const script = `cd ${place.path}; ${fixture} hot hot 1000; sleep 1.5; cat hot; mv hot cold; cat cold`;
    const { status, records } = await watch(["sh", "-c", script]);
    assert.equal(status, 0);
    // By its new name where the witness was late.
    const hot = seen(records).filter((record) => [at("hot"), at("cold")].includes(record.path));
    assert.ok(hot.some((record) => record.program === fixture));
    assert.ok(
      hot.some((record) => record.program !== fixture),
      "cat, or a process that had gone",
    );
    assert.deepEqual(lost(records), []);
    assert.ok(paths(records).has(at("cold")));
  },
);

test(
  "the status of the command, signals that are handed on, and a program that is not there",
  options,
  async () => {
    assert.equal((await watch(["sh", "-c", "exit 7"])).status, 7);
    assert.equal((await watch(["sh", "-c", "kill -9 $$"])).status, 137);
    assert.equal((await watch(["/no/such/program"])).status, 127);
    const child = start(["sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.05; done"]);
    const result = ended(child);
    await eventually(
      "the command runs",
      () => fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim() !== "",
    );
    await sleep(100);
    process.kill(child.pid ?? 0, "SIGTERM");
    assert.equal((await result).status, 9);
  },
);

test("where the kernel does not allow it that is said, and with --optional the command runs", options, () => {
  // In a user namespace of our own we are root, and still not the kernel's.
  const run = (...flags: string[]) =>
    spawnSync("unshare", ["-U", "-r", witness, "--fd", "1", ...flags, "--", "sh", "-c", "echo ran >&2"], {
      encoding: "latin1",
    });
  const refused = run();
  assert.deepEqual([refused.status, refused.stderr.includes("ran")], [124, false]);
  assert.match(refused.stderr, /^witness: fanotify cannot be used here: /);
  const alone = run("--optional");
  assert.deepEqual([alone.status, alone.stderr], [0, "ran\n"]);
  const decoder = new WitnessDecoder();
  const records = decoder.feed(Buffer.from(alone.stdout, "latin1"));
  decoder.finish();
  assert.deepEqual(lost(records), [4]);
});

test(
  "a running program: its own doings and its children's, no one else's; then it has gone",
  options,
  async () => {
    using place = scratch();
    const at = (name: string): string => join(place.path, name);
    for (const name of ["mine", "child", "other"]) fs.writeFileSync(at(name), "data\n");
    fs.mkdirSync(at("root"));
    const loop = (name: string) =>
      `while :; do read x <${at("mine")}; cat ${at("child")}; sleep 0.05; done # ${name}`;
    const server = spawn("sh", ["-c", loop("server")], { stdio: "ignore" });
    const other = spawn("sh", ["-c", `while :; do read x <${at("other")}; sleep 0.05; done`], {
      stdio: "ignore",
    });
    try {
      const child = spawn(witness, ["--fd", "3", "--pid", String(server.pid), "--for", "2500"], {
        stdio: ["ignore", "inherit", "inherit", "pipe"],
      });
      const { status, records } = await ended(child);
      assert.equal(status, 0);
      const meant = seen(records).filter((record) => !record.gone);
      assert.ok(meant.every((record) => !record.outside));
      const opened = paths(meant);
      assert.ok(opened.has(at("mine")) && opened.has(at("child")), [...opened].join(" "));
      assert.ok(!paths(records).has(at("other")));
      assert.equal(meant.find((record) => record.path === at("mine"))?.program, fs.realpathSync("/bin/sh"));
      const end = records.at(-1);
      assert.ok(end?.type === "end" && end.outside > 0);
      const part = spawn(
        witness,
        ["--fd", "3", "--pid", String(server.pid), "--root", place.path, "--for", "60000"],
        { stdio: ["ignore", "inherit", "inherit", "pipe"] },
      );
      const below = ended(part);
      await sleep(400);
      part.kill("SIGTERM");
      const named = paths((await below).records);
      assert.deepEqual(
        [named.has("/mine"), [...named].some((path) => path.startsWith("/tmp"))],
        [true, false],
      );
    } finally {
      server.kill("SIGKILL");
      other.kill("SIGKILL");
    }
  },
);

test("nobody reads any more: the witness of a running program goes away by itself", options, async () => {
  const child = spawn(witness, ["--fd", "3", "--pid", String(process.pid), "--for", "600000"], {
    stdio: ["ignore", "inherit", "ignore", "pipe"],
  });
  const status = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  (child.stdio[3] as NodeJS.ReadableStream & { destroy(): void }).destroy();
  assert.equal(await status, 125);
});
