// Locks between real processes: one holder at a time, also where holders and those who take over died.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { TranshipError } from "../../src/base/errors.ts";
import { acquireLock, processStartTime } from "../../src/host/lock.ts";
import { openStateRoot } from "../../src/host/state-root.ts";
import { repairWork } from "../../src/host/work.ts";

const lockModule = join(import.meta.dirname, "../../src/host/lock.ts");

function scratch(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tranship-lock-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** What a process that has ended would have left in a lock file. */
const dead = JSON.stringify({ pid: process.pid, startTime: "1", what: "a dead command" });

const contender = `
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { acquireLock } from ${JSON.stringify(lockModule)};
const [directory, rounds] = process.argv.slice(1);
for (let round = 0; round < Number(rounds); round++) {
  const lock = await acquireLock(directory + "/lock", "contender", 60_000);
  closeSync(openSync(directory + "/inside", "wx"));
  const count = Number(readFileSync(directory + "/count", "utf8"));
  await new Promise((resolve) => setImmediate(resolve));
  writeFileSync(directory + "/count", String(count + 1));
  rmSync(directory + "/inside");
  lock.release();
}
`;

async function contend(directory: string, processes: number, rounds: number): Promise<void> {
  writeFileSync(join(directory, "count"), "0");
  const children = Array.from({ length: processes }, () =>
    spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        "--input-type=module",
        "-e",
        contender,
        directory,
        `${rounds}`,
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    ),
  );
  const statuses = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0]));
  assert.deepEqual(
    statuses,
    Array.from({ length: processes }, () => 0),
  );
  assert.equal(readFileSync(join(directory, "count"), "utf8"), String(processes * rounds));
}

test("many processes: one inside at a time, nothing left", async (t) => {
  const directory = scratch(t);
  await contend(directory, 4, 25);
  assert.equal(existsSync(join(directory, "lock")), false);
});

test("a dead holder, a dead guard and a dead guard of the guard are taken over by one waiter", async (t) => {
  const directory = scratch(t);
  for (const name of ["lock", "lock.takeover", "lock.takeover.takeover"])
    writeFileSync(join(directory, name), dead);
  await contend(directory, 4, 5);
  for (const name of ["lock", "lock.takeover", "lock.takeover.takeover"])
    assert.equal(existsSync(join(directory, name)), false, name);
});

test("a live holder is named when the wait is over; a live guard does not make the waiter spin", async (t) => {
  const path = join(scratch(t), "lock");
  const lock = await acquireLock(path, "the first");
  await assert.rejects(acquireLock(path, "the second", 50), (error: TranshipError) => {
    return error.code === "E_STATE_BUSY" && error.message.includes(`process ${process.pid} (the first)`);
  });
  lock.release();
  writeFileSync(path, dead);
  const live = { pid: process.pid, startTime: processStartTime(process.pid), what: "take over" };
  writeFileSync(`${path}.takeover`, JSON.stringify(live));
  await assert.rejects(acquireLock(path, "the third", 50), TranshipError);
});

test("a pid that was given to another process does not hold the lock; nor does rubbish", async (t) => {
  const path = join(scratch(t), "lock");
  for (const content of [dead, "", "{", "null"]) {
    writeFileSync(path, content);
    const lock = await acquireLock(path, "taker", 0);
    assert.match(readFileSync(path, "utf8"), /"what":"taker"/);
    lock.release();
  }
});

test("release leaves a lock alone that is no longer its own", async (t) => {
  const path = join(scratch(t), "lock");
  const lock = await acquireLock(path, "first");
  writeFileSync(path, dead);
  lock.release();
  assert.equal(readFileSync(path, "utf8"), dead);
});

test("a clock that is set while somebody waits neither ends the waiting nor makes it longer", async (t) => {
  const path = join(scratch(t), "lock");
  const real = Date.now;
  for (const hours of [3, -3]) {
    const clock = t.mock.method(Date, "now", () => real.call(Date));
    const set = () => clock.mock.mockImplementation(() => real.call(Date) + hours * 3_600_000);
    const held = await acquireLock(path, "hold");
    const waiting = acquireLock(path, "wait", 5000);
    set();
    setTimeout(() => held.release(), 300);
    const mine = await waiting;
    clock.mock.mockImplementation(() => real.call(Date));
    const refused = assert.rejects(acquireLock(path, "wait", 200), /is held by/);
    set();
    await refused;
    mine.release();
    clock.mock.restore();
  }
});

test("repair leaves alone what another command is about to make a lock of", (t) => {
  const root = openStateRoot(join(scratch(t), "state"));
  const begun = join(root.locks, `.${process.pid}-0123456789ab.tmp`);
  writeFileSync(begun, "");
  writeFileSync(join(root.locks, "network"), dead);
  repairWork(root, { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} });
  assert.deepEqual(readdirSync(root.locks), [basename(begun)]);
});
