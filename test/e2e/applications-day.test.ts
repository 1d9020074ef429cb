// A day of six applications of Debian 11 in their packages, compressed to minutes: morning and evening each answers as the original does, and in between it is loaded, restarted, killed,
// stopped, starved, its logs are rotated, and midnight comes. In soak alone. TRANSHIP_APPLICATIONS=NAME,NAME tries these.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openMachine } from "../../src/machine/open.ts";
import { historyOf } from "../../src/runtime/events/history.ts";
import { type Fixture, makeFixture, until, whyNot } from "../integration/runtime-fixture.ts";
import { ApplicationDay, lastHour } from "../support/application-day.ts";
import { whyNoApplications } from "../support/applications.ts";
import { soaking } from "../support/counts.ts";
import { type DayWork, dayWorks } from "../support/day-work.ts";

const skip = whyNot() ?? whyNoApplications() ?? false;
const asked = process.env.TRANSHIP_APPLICATIONS?.split(",");
const withLogrotate = join(import.meta.dirname, "../apps/with-logrotate");

/** A static program that is no part of any package: what uses up memory and processes. */
const hog = "/bin/busybox";
const hogInside = "/var/tmp/busybox";
/** Half a minute before midnight in the package's time zone, and some weeks from now. */
const beforeMidnight = "2027-03-01T22:59:30Z";

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return ""; // gone
  }
}

async function provoke(day: ApplicationDay, fixture: Fixture): Promise<void> {
  await day.cli("cp", hog, `day:${hogInside}`);
  // It is the one to go, however large the application is.
  const memory = `echo 1000 >/proc/self/oom_score_adj; exec ${hogInside} dd if=/dev/zero of=/dev/null bs=1500M count=1`;
  const starved = await fixture.cli(["exec", "day", hogInside, "sh", "-c", memory]);
  assert.equal(starved.status, 137, starved.stderr);
  const forks = `i=0; while [ $i -lt 300 ]; do ${hogInside} sleep 5 & i=$((i+1)); done`;
  await fixture.cli(["exec", "day", hogInside, "sh", "-c", forks]);
  await until(async () => {
    const told = await day.cli("events", "--since", "10m", "--until", "0s", "--filter", "instance=day");
    return / oom .*limit=memory/.test(told) && / breach .*limit=pids/.test(told);
  });
  await until(() => !day.processes("day").some((pid) => commandOf(pid).startsWith(hogInside)));
}

/** logrotate by hand, as its schedule starts it: the application writes on into the new file. */
async function rotate(day: ApplicationDay, work: DayWork): Promise<void> {
  const scheduled = day.descriptor.schedules.find(({ name }) => name === "logrotate");
  assert.equal(scheduled !== undefined, work.rotates, "what the machine does with its logs");
  if (scheduled === undefined) return;
  assert.match(scheduled.cron, /^(@daily|0 0 \* \* \*)$/);
  const command = day.descriptor.programs.find(({ name }) => name === scheduled.program)?.command ?? [];
  await day.cli("exec", "day", ...command, "--force");
  if (work.log === undefined) return;
  assert.ok((day.logSize("day", ".1") ?? day.logSize("day", ".1.gz") ?? 0) > 0, "the old log is kept");
  const before = day.logSize("day") ?? 0;
  await day.does("day", work.logged ?? "true");
  await until(() => (day.logSize("day") ?? 0) > before);
}

/** Another instance with the same data, whose clock is shortly before midnight. */
async function night(day: ApplicationDay, work: DayWork): Promise<void> {
  await day.start("night", "--clock", `@${beforeMidnight}`, "--hostname", "night");
  if (work.inVolumes) await day.has("night", lastHour - 1);
  if (work.rotates) {
    await until(() => day.inside("night", "/var/lib/logrotate/status").includes("logrotate state"));
    if (work.log !== undefined)
      assert.match(day.inside("night", "/var/lib/logrotate/status"), /2027-3-2/, "in the package's own time");
    const logs = await day.cli("logs", "night");
    assert.doesNotMatch(logs, /logrotate.*(error|No such file)/i);
  }
  await day.cli("stop", "night");
  await day.cli("rm", "night");
}

async function wholeDay(work: DayWork, day: ApplicationDay, fixture: Fixture): Promise<string> {
  await day.capture();
  const original = await day.original();
  assert.ok(original.morning.size >= 10);
  await day.start("day");
  assert.deepEqual(await day.behaviour("day"), original.morning, "morning");
  let hour = 0;
  const begins = async (): Promise<void> => {
    console.log(`# ${work.name}: hour ${hour + 1} at ${Math.round(process.uptime())} s`);
    if (hour > 0) await day.has("day", hour);
    await day.mark("day", ++hour);
  };
  await begins(); // 1: work
  await day.load("day");

  await begins(); // 2: a restart in the middle of it
  const loaded = day.load("day").catch(() => {});
  await day.cli("restart", "day");
  await loaded;
  await day.answers("day");

  await begins(); // 3: its main process is killed
  const killed = day.mainOf("day");
  assert.ok(killed > 1);
  const before = day.processes("day");
  process.kill(killed, "SIGKILL");
  // Its workers may outlive it for a moment, and answer.
  await until(() => day.mainOf("day") !== 0 && !day.processes("day").some((pid) => before.includes(pid)));
  await day.answers("day");
  const runs = () => historyOf(fixture.root).filter(({ name }) => name === "day");
  const afterKill = runs();

  await begins(); // 4: stopped and started
  await day.cli("stop", "day");
  const ended = await day.cli("ps", "-a", "--filter", "name=day", "--format", "{{.Status}}");
  assert.ok(ended.startsWith(`Exited (${work.stopStatus ?? 0})`), ended);
  await day.cli("start", "day");
  await day.answers("day");

  await begins(); // 5: limits
  await provoke(day, fixture);
  await day.load("day");

  await begins(); // 6: logs
  await rotate(day, work);
  await day.cli("stop", "day");
  await night(day, work);
  await day.cli("start", "day");
  await day.answers("day");

  await begins(); // 7: evening
  day.keptLogs("day");
  assert.deepEqual(await day.behaviour("day"), original.evening, "evening");
  await day.has("day", lastHour);
  const all = runs();
  const told = all.flatMap(({ breaches }) => Object.entries(breaches));
  assert.deepEqual([...new Set(told.map(([limit]) => limit))].sort(), ["memory", "pids"]);
  assert.equal(
    told.find(([limit]) => limit === "memory")?.[1],
    1,
    "one process was killed for want of memory",
  );
  // Restarted by init within a run, or by the rule of the instance in another one.
  const byRule = afterKill.length - 2;
  assert.ok(byRule === 0 || byRule === 1);
  assert.equal(all.length, 4 + byRule, "run, restart, start, start");
  assert.equal(all.filter(({ endedAt }) => endedAt === undefined).length, 1, "one runs");
  assert.match(await day.cli("history", "day"), /memory 1/);
  await day.cli("rm", "--force", "--volumes", "day");
  return `${original.morning.size} and ${original.evening.size} answers as the original's, ${all.length} runs, after SIGKILL ${byRule === 1 ? "the instance" : "init"} started it again`;
}

if (soaking)
  describe("a day of an application", { skip, timeout: 14_400_000 }, () => {
    for (const work of dayWorks.filter(({ name }) => asked?.includes(name) ?? true))
      it(`${work.name} works through a day`, async () => {
        const directory = mkdtempSync(join(tmpdir(), "tranship-day-"));
        const fixture = await makeFixture();
        const root = execFileSync(withLogrotate, [work.name], { encoding: "utf8" }).trim();
        const machine = await openMachine(`rootfs:${root}`);
        try {
          const day = new ApplicationDay(work, { fixture, machine, work: directory });
          const told = await wholeDay(work, day, fixture).catch((error: Error) => {
            // Before what is made of it is taken away, which may fail for the same reason.
            console.log(`# ${work.name}: ${error.message.replaceAll("\n", "\n# ")}`);
            throw error;
          });
          console.log(`# ${work.name}: ${told}`);
          const volumes = (await fixture.cli(["volume", "ls", "-q"])).stdout.split("\n").filter(Boolean);
          if (volumes.length > 0) await day.cli("volume", "rm", ...volumes);
          await fixture.clean();
        } finally {
          for (const id of (await fixture.cli(["ps", "-aq"])).stdout.split("\n").filter(Boolean))
            await fixture.cli(["rm", "-f", "-v", id]);
          await machine.close();
          await fixture.remove();
          rmSync(directory, { recursive: true, force: true, maxRetries: 20 });
        }
      });
  });
else
  console.log("# six applications work through a day in long runs alone: npm run soak -- applications-day");
