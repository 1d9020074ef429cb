// init.bin as its two sides see it, damaged plans, and schedules by the C program's own tests and a fast clock.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { isTranshipError } from "../../src/base/errors.ts";
import {
  compileInitPlan,
  decodeInitPlan,
  encodeInitPlan,
  type InitPlan,
} from "../../src/package/init-plan.ts";
import { fullDescriptor } from "../support/init-descriptor.ts";
import {
  build,
  cannotRun,
  commonSources,
  init,
  initSources,
  makePackage,
  services,
  until,
} from "../support/init-package.ts";

const execute = promisify(execFile);

/** The plan as init prints it, or undefined where it refuses. Anything but a clean refusal throws. */
async function check(program: string, file: string): Promise<InitPlan | undefined> {
  try {
    const env = { ASAN_OPTIONS: "detect_leaks=0" };
    return JSON.parse((await execute(program, ["--check", file], { env })).stdout);
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 1 && /^tranship: [^\n]+: [^\n]+\n$/.test(stderr ?? "")) return undefined;
    throw error;
  }
}

function decode(bytes: Uint8Array): InitPlan | "refused" | "not UTF-8" {
  try {
    return decodeInitPlan(bytes);
  } catch (error) {
    if (!isTranshipError(error, "E_PROTOCOL")) throw error;
    return error.message.includes("not UTF-8") ? "not UTF-8" : "refused";
  }
}

/** A small generator of its own, so that a failure can be repeated. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

function damaged(bytes: Uint8Array, roll: (sides: number) => number): Uint8Array {
  const copy = bytes.slice();
  const at = 8 + roll(copy.length - 8);
  const how = roll(4);
  if (how === 0) copy[at] = (copy[at] ?? 0) ^ (1 << roll(8));
  else if (how === 1) copy[at] = [0, 1, 2, 0x7f, 0xff][roll(5)] ?? 0;
  else if (how === 2) return copy.slice(0, at);
  else copy.copyWithin(at, Math.min(at + 1 + roll(8), copy.length));
  return copy;
}

describe("init.bin", { concurrency: false }, () => {
  test("says the same to both sides, whole or damaged", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "tranship-plan-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "init.bin");
    const bytes = encodeInitPlan(compileInitPlan(fullDescriptor));
    const sanitized = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    const careful = await build("careful", "gcc", ...sanitized, ...initSources(), ...commonSources);
    const roll = dice(20260);
    const seen = { taken: 0, refused: 0 };
    for (let round = 0; round < 300; round++) {
      const tried = round === 0 ? bytes : damaged(bytes, roll);
      writeFileSync(file, tried);
      const [printed, decoded] = [await check(round % 3 === 0 ? careful : init, file), decode(tried)];
      if (decoded === "not UTF-8") continue;
      if (decoded === "refused") assert.equal(printed, undefined, `round ${round}`);
      else assert.deepEqual(printed, decoded, `round ${round}`);
      seen[decoded === "refused" ? "refused" : "taken"]++;
    }
    assert.ok(seen.taken > 30 && seen.refused > 100, JSON.stringify(seen));
  });

  test("damaged in a hundred thousand ways does not crash the decoder under the sanitizers", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "tranship-plan-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "init.bin");
    writeFileSync(file, encodeInitPlan(compileInitPlan(fullDescriptor)));
    const plan = initSources().filter((source) => /\/plan(-fields|-entries)?\.c$/.test(source));
    const fuzz = await build(
      "plan-fuzz",
      "gcc",
      "-fsanitize=address,undefined",
      "-fno-sanitize-recover=all",
      ...plan,
      ...commonSources,
    );
    const { stdout } = await execute(fuzz, [file, "100000", "7"], {
      env: { ASAN_OPTIONS: "detect_leaks=0" },
    });
    const [, taken, refused] = /^(\d+) taken, (\d+) refused\n$/.exec(stdout) ?? [];
    assert.equal(Number(taken) + Number(refused), 100000);
    assert.ok(Number(taken) > 1000);
  });

  test("of the wrong kind is refused", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "tranship-plan-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "init.bin");
    for (const content of ["", "TRINIT\0", "TRINIT\0\x01", "TRINIT\0\x02\0\0\0\0\0", "x".repeat(5 << 20)]) {
      writeFileSync(file, content);
      assert.equal(await check(init, file), undefined);
    }
    assert.equal(await check(init, folder), undefined);
    assert.equal(await check(init, join(folder, "absent")), undefined);
  });
});

describe("schedules", { skip: cannotRun }, () => {
  test("calendar, daylight saving and jumping clocks", async () => {
    const sources = initSources().filter((source) => source.endsWith("/schedule.c"));
    const { stdout } = await execute(await build("schedule-test", "musl-gcc", ...sources));
    assert.match(stdout, /^1\.\.15$/m);
    assert.doesNotMatch(stdout, /^not ok/m);
  });

  test("run at the start and each minute, as programs, never twice at once, in the log", async (t) => {
    const wrapped = ["-Wl,--wrap=clock_gettime,--wrap=poll", ...initSources(), ...commonSources];
    const program = (name: string, ...does: string[]) => ({ name, command: ["/bin/actor", ...does] });
    const { programs, services: list } = services({ main: { does: ["wait"] } });
    const p = await makePackage(
      t,
      {
        services: list,
        programs: [
          ...programs,
          program("boot", "note", "/tmp/boot", "x"),
          program("tick", "note", "/tmp/tick", "x", "say", "tick", "exit", "3"),
          program("long", "note", "/tmp/long", "x", "until", "/tmp/go"),
          program("never", "note", "/tmp/never", "x"),
        ],
        schedules: [
          { name: "boot", cron: "@reboot", program: "boot" },
          { name: "tick", cron: "* * * * *", program: "tick" },
          { name: "long", cron: "*/1 3,4 * may wed", program: "long" },
          { name: "never", cron: "* * * * thu", program: "never" },
        ],
      },
      { init: await build("fast-clock", "musl-gcc", ...wrapped) },
    );
    const running = await p.start([], { env: { TZ: "UTC" } });
    await until(() => p.lines("/tmp/tick").length >= 3, "three minutes have passed");
    assert.equal(p.lines("/tmp/long").length, 1);
    assert.match(p.read(".tranship/run/log/all.log"), /schedule long is due, but still runs: skipped/);
    p.write("tmp/go", "");
    await until(() => p.lines("/tmp/long").length >= 2, "it runs again");
    running.signal("SIGTERM");
    await running.ended;
    assert.equal(p.lines("/tmp/boot").length, 1);
    assert.equal(p.lines("/tmp/never").length, 0);
    const log = p.log();
    assert.ok(log.some((line) => line.service === "schedule:tick" && line.log === "tick\n"));
    assert.ok(
      log.some((line) => line.service === "init" && line.log === "schedule tick ended with status 3\n"),
    );
  });

  test("alone keep an instance running", async (t) => {
    const p = await makePackage(t, {
      programs: [{ name: "boot", command: ["/bin/actor", "note", "/tmp/boot", "x"] }],
      schedules: [{ name: "boot", cron: "@reboot", program: "boot" }],
    });
    const running = await p.start();
    await until(() => p.lines("/tmp/boot").length === 1, "it has run");
    await p.ready();
    running.signal("SIGTERM");
    assert.equal((await running.ended).status, 0);
  });
});
