// init with services: order, readiness, restarts, kinds, what an end means, how all stops.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { describe, test } from "node:test";
import { cannotRun, makePackage, services, until } from "../support/init-package.ts";

const run = "/.tranship/run";
const notes = "/tmp/notes";
const tillStopped = (name: string): string[] => ["trap", "15", `${name} stops`, notes, "wait"];

describe("init runs services", { skip: cannotRun, concurrency: true }, () => {
  test("in order by port readiness, without a connection, and stops them in reverse", async (t) => {
    const p = await makePackage(
      t,
      services({
        web: { after: ["db"], does: ["note", notes, "web starts", ...tillStopped("web")] },
        db: {
          readiness: { port: 8000 },
          does: ["sleep", "150", "note", notes, "db listens", "listen", "8000", ...tillStopped("db")],
        },
      }),
    );
    const running = await p.start();
    await p.ready();
    await until(() => p.lines(notes).includes("web starts"), "web starts");
    assert.deepEqual(p.json(`${run}/state.json`).ready, true);
    running.signal("SIGTERM");
    assert.equal((await running.ended).status, 0);
    assert.deepEqual(p.lines(notes), ["db listens", "web starts", "web stops", "db stops"]);
    assert.deepEqual(
      p.log().filter((line) => line.log?.includes("VISITED")),
      [],
    );
    const exit = p.json(`${run}/exit.json`);
    assert.equal(exit.reason, "stopped by signal 15");
    assert.equal(exit.signal, null);
    assert.ok(Number(exit.maxRssKiB) > 0);
    assert.ok(Number(exit.cpuSeconds) > 0);
    assert.ok(String(exit.startedAt) < String(exit.finishedAt));
  });

  test("who asks beside it is told whether all are ready", async (t) => {
    const p = await makePackage(
      t,
      services({ web: { readiness: { file: "/tmp/made" }, does: tillStopped("web") } }),
    );
    const asked = (): number | null =>
      spawnSync("chroot", [p.root, "/.tranship/init", "--ready"], { stdio: "inherit" }).status;
    assert.equal(asked(), 1, "it has not started");
    const running = await p.start();
    await until(() => p.read(`${run}/state.json`) !== "", "the state is told");
    assert.equal(asked(), 1);
    p.write("/tmp/made", "");
    await p.ready();
    assert.equal(asked(), 0);
    running.signal("SIGTERM");
    await running.ended;
    assert.equal(asked(), 1, "it has ended");
    rmSync(p.path(run), { recursive: true });
    assert.equal(asked(), 0, "where nothing is kept nobody knows");
  });

  test("by file (an old one does not count), exec and log readiness", async (t) => {
    const p = await makePackage(
      t,
      services({
        file: {
          readiness: { file: "/run/made" },
          does: ["sleep", "100", "note", notes, "file", "touch", "/run/made", "wait"],
        },
        exec: {
          after: ["file"],
          readiness: { exec: ["/bin/actor", "count", "/tmp/tries", "2", "note", notes, "exec"] },
          does: ["wait"],
        },
        log: {
          after: ["exec"],
          readiness: { log: "^ready (for|to) [a-z]+$" },
          does: [
            "say",
            "not ready to 9",
            "sleep",
            "100",
            "note",
            notes,
            "log",
            "cry",
            "ready for all",
            "wait",
          ],
        },
        last: { after: ["log"], does: ["note", notes, "last", "wait"] },
      }),
    );
    p.write("/run/made", "old");
    const running = await p.start();
    await p.ready();
    await until(() => p.lines(notes).includes("last"), "the last one starts");
    running.signal("SIGINT");
    await running.ended;
    assert.deepEqual(p.lines(notes), ["file", "exec", "log", "last"]);
    assert.equal(p.lines("/tmp/tries").length, 3);
  });

  test("a service that is not ready in time ends an instance that needs it", async (t) => {
    const p = await makePackage(
      t,
      services({
        slow: { readiness: { port: 8000, timeout: "150ms" }, does: ["wait"] },
        next: { after: ["slow"], does: ["note", notes, "started"] },
      }),
    );
    const result = await p.run();
    assert.equal(result.status, 125);
    assert.match(result.stderr, /service slow was not ready within 150 ms/);
    assert.deepEqual(p.lines(notes), []);
  });

  test("a service that is not ready in time is asked to stop as ever, and killed when it does not", async (t) => {
    const readiness = { port: 8000, timeout: "150ms" };
    const p = await makePackage(
      t,
      services({
        slow: {
          readiness,
          stop: { signal: "SIGUSR1", timeout: "200ms" },
          does: ["trap", "10", "asked", notes, "wait"],
        },
      }),
    );
    const result = await p.run();
    assert.equal(result.status, 125);
    assert.deepEqual(p.lines(notes), ["asked"]);
    assert.match(
      p.read(`${run}/log/all.log`),
      /slow was not ready within 150 ms.*\n.*did not stop within 200 ms: killed/,
    );
    const ends = await makePackage(
      t,
      services({
        slow: {
          readiness,
          stop: { signal: "SIGTERM", timeout: "60s" },
          does: ["wait"],
        },
      }),
    );
    assert.equal((await ends.run()).status, 125, "no later than it ends");
  });

  test("restarts after failures with growing pauses, then gives up with its status", async (t) => {
    const restart = { policy: "on-failure", attempts: 3, backoff: "20ms" } as const;
    const p = await makePackage(t, services({ bad: { restart, does: ["note", notes, "x", "exit", "9"] } }));
    const result = await p.run();
    assert.equal(result.status, 9);
    assert.equal(p.lines(notes).length, 4);
    const pauses = p.log().flatMap((line) => /again in (\d+) ms/.exec(line.log ?? "")?.[1] ?? []);
    assert.deepEqual(pauses, ["20", "40", "80"]);
    assert.deepEqual(p.json(`${run}/exit.json`).services, [
      { name: "bad", status: 9, signal: null, restarts: 3 },
    ]);
  });

  test("policy always restarts a good end, on-failure does not", async (t) => {
    const p = await makePackage(
      t,
      services({
        again: {
          restart: { policy: "always", attempts: 2, backoff: "10ms" },
          essential: false,
          does: ["note", notes, "again"],
        },
        once: { restart: { policy: "on-failure" }, essential: false, does: ["note", notes, "once"] },
      }),
    );
    assert.equal((await p.run()).status, 0);
    assert.deepEqual(p.lines(notes).sort(), ["again", "again", "again", "once"]);
    assert.equal(p.json(`${run}/exit.json`).reason, "all services have ended");
  });

  test("an essential end ends all with its status, a non-essential does not", async (t) => {
    const p = await makePackage(
      t,
      services({
        extra: { essential: false, does: ["exit", "3"] },
        main: { does: ["sleep", "300", "kill", "9"] },
        other: { does: tillStopped("other") },
      }),
    );
    const result = await p.run();
    assert.equal(result.status, 137);
    assert.deepEqual(p.lines(notes), ["other stops"]);
    const exit = p.json(`${run}/exit.json`);
    assert.equal(exit.signal, 9);
    assert.match(String(exit.reason), /essential service main ended with status 137/);
  });

  test("forking: the daemon of the pid file is adopted, watched and stopped", async (t) => {
    const p = await makePackage(
      t,
      services({
        daemon: {
          type: "forking",
          pidFile: "/run/d.pid",
          does: ["daemon", "/run/d.pid", "note", notes, "up", ...tillStopped("daemon")],
        },
      }),
    );
    p.write("/run/d.pid", "4000000\n");
    const running = await p.start();
    await p.ready();
    const state = p.json(`${run}/state.json`).services as { pid: number }[];
    assert.equal(String(state[0]?.pid), p.lines("/run/d.pid")[0]);
    running.signal("SIGTERM");
    assert.equal((await running.ended).status, 0);
    assert.deepEqual(p.lines(notes), ["up", "daemon stops"]);
  });

  test("forking: its daemon's own end counts", async (t) => {
    const p = await makePackage(
      t,
      services({
        daemon: {
          type: "forking",
          pidFile: "/run/d.pid",
          does: ["daemon", "/run/d.pid", "sleep", "300", "exit", "5"],
        },
      }),
    );
    assert.equal((await p.run()).status, 5);
  });

  test("oneshot: others wait for its good end, and do not start after a bad one", async (t) => {
    const good = await makePackage(
      t,
      services({
        prepare: { type: "oneshot", does: ["sleep", "100", "note", notes, "prepared"] },
        main: { after: ["prepare"], does: ["note", notes, "main", "exit", "4"] },
      }),
    );
    assert.equal((await good.run()).status, 4);
    assert.deepEqual(good.lines(notes), ["prepared", "main"]);
    const bad = await makePackage(
      t,
      services({
        prepare: { type: "oneshot", essential: false, does: ["exit", "6"] },
        main: { after: ["prepare"], does: ["note", notes, "main"] },
      }),
    );
    const result = await bad.run();
    assert.equal(result.status, 6);
    assert.match(result.stderr, /main is not started: prepare, which it needs, failed/);
    assert.deepEqual(bad.lines(notes), []);
  });

  test("oneshot: what it left running goes on, and is asked to end with the instance", async (t) => {
    const prepare = ["spawn", "touch", "/tmp/up", ...tillStopped("left"), "--", "until", "/tmp/up"];
    const p = await makePackage(
      t,
      services({
        prepare: { type: "oneshot", does: prepare },
        main: { after: ["prepare"], does: ["sleep", "100", "note", notes, "main ends", "exit", "3"] },
      }),
    );
    p.write(`${run}/state.json`, '{"ready":true}');
    assert.equal((await p.run()).status, 3);
    assert.deepEqual(p.lines(notes), ["main ends", "left stops"]);
  });

  test("manual and disabled services stay down", async (t) => {
    const p = await makePackage(
      t,
      services({
        manual: { startup: "manual", does: ["note", notes, "manual"] },
        disabled: { startup: "disabled", does: ["note", notes, "disabled"] },
        main: { after: ["manual"], does: ["note", notes, "main"] },
      }),
    );
    assert.equal((await p.run()).status, 0);
    assert.deepEqual(p.lines(notes), ["main"]);
  });

  test("stops by the stop command, which knows the process, or by the stop signal", async (t) => {
    const p = await makePackage(
      t,
      services({
        signal: { stop: { signal: "SIGUSR1" }, does: ["trap", "10", "usr1", notes, "wait"] },
        command: {
          after: ["signal"],
          stop: { command: ["/bin/actor", "note", notes, "command", "env", "MAINPID", "touch", "/tmp/stop"] },
          does: ["ignore", "15", "until", "/tmp/stop", "note", notes, "obeyed"],
        },
      }),
    );
    const running = await p.start();
    await p.ready();
    running.signal("SIGTERM");
    await until(() => p.lines(notes).includes("usr1"), "the signal has come");
    // "signal" notes it and stays: a second request is needed.
    running.signal("SIGTERM");
    assert.equal((await running.ended).status, 137);
    assert.deepEqual(p.lines(notes), ["command", "obeyed", "usr1"]);
  });

  test("kills what ignores its stop signal, with all of its session", async (t) => {
    const p = await makePackage(
      t,
      services({
        deaf: {
          stop: { timeout: "100ms" },
          does: ["ignore", "15", "spawn", "ignore", "15", "wait", "--", "touch", "/tmp/up", "wait"],
        },
      }),
    );
    const running = await p.start();
    await until(() => existsSync(p.path("/tmp/up")), "both are up");
    running.signal("SIGTERM");
    assert.equal((await running.ended).status, 137);
    assert.match(p.read(`${run}/log/all.log`), /did not stop within 100 ms: killed/);
  });

  test("reaps every orphan", async (t) => {
    const does = ["orphan", "0", "orphan", "50", "orphan", "90", "touch", "/tmp/up", "wait"];
    const p = await makePackage(t, services({ main: { does } }));
    const running = await p.start();
    await until(() => existsSync(p.path("/tmp/up")), "main is up");
    await until(() => running.children().length === 1, "only main is left");
    assert.match(running.children().join(), /^actor [RS]$/);
    running.signal("SIGTERM");
    assert.equal((await running.ended).status, 143);
  });

  test("ends what has left its service's session, asking first", async (t) => {
    const p = await makePackage(
      t,
      services({
        main: {
          does: [
            "spawn",
            "daemon",
            "/run/d.pid",
            ...["trap", "15", "stray stops", notes, "touch", "/run/d.ready", "wait"],
            "--",
            "until",
            "/run/d.ready",
            "exit",
            "2",
          ],
        },
      }),
    );
    assert.equal((await p.run()).status, 2);
    assert.deepEqual(p.lines(notes), ["stray stops"]);
  });
});
