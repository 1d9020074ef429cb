import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { test } from "node:test";
import { cronOfCalendar, cronOfPeriod } from "../../src/formats/calendar.ts";
import { parseCron } from "../../src/package/cron.ts";

const known: Record<string, string> = {
  daily: "0 0 * * *",
  weekly: "0 0 * * 1",
  quarterly: "0 0 1 1,4,7,10 *",
  "*-*-* 02:30": "30 2 * * *",
  "*-*-* 4:00:00": "0 4 * * *",
  "02:30": "30 2 * * *",
  "*:0/15": "*/15 * * * *",
  "*:5/20": "5-59/20 * * * *",
  "*-*-* 06,18:00": "0 6,18 * * *",
  "Mon..Fri 22:15": "15 22 * * 1,2,3,4,5",
  "Sat,Sun *-*-* 08..10:30:00": "30 8-10 * * 0,6",
  "Fri..Sun,Mon 1:00": "0 1 * * 0,1,5,6",
  "Monday 03:10:25": "10 3 * * 1",
  "*-*-01 00:00:00": "0 0 1 * *",
  "*-1,7-15": "0 0 15 1,7 *",
  "03-05": "0 0 5 3 *",
  "*-*-1..7/2 05:00": "0 5 1-7/2 * *",
  "Mon..Sun 04:00": "0 4 * * *",
};

test("calendar expressions that cron can say", () => {
  for (const [calendar, cron] of Object.entries(known)) {
    assert.equal(cronOfCalendar(calendar), cron, calendar);
    assert.ok("times" in parseCron(cron), cron);
  }
});

test("those that it cannot", () => {
  for (const one of [
    "2030-01-01",
    "*-*-* 02:30 UTC",
    "*-02~03",
    "Sun *-*-1..7 03:00",
    "*:*:0/10",
    "*:*:*",
    "Foo 03:00",
    "Fri..Mon 03:00",
    "24:00",
    "*-*-* 10..8:00",
    "*:0/0",
    "x".repeat(100_000),
  ])
    assert.equal(cronOfCalendar(one), undefined, one.slice(0, 40));
});

test("periods of a day's parts", () => {
  const minute = 60_000;
  assert.deepEqual(
    [1, 15, 60, 360, 1440, 10_080].map((count) => cronOfPeriod(count * minute)),
    ["*/1 * * * *", "*/15 * * * *", "0 */1 * * *", "0 */6 * * *", "0 0 * * *", "0 0 * * 0"],
  );
  for (const odd of [7, 0.5, 90, 5 * 60, 48 * 60]) assert.equal(cronOfPeriod(odd * minute), undefined);
});

const analyze = spawnSync("systemd-analyze", ["--version"]).status === 0;
test("systemd reads them as the same minutes", {
  skip: analyze ? false : "not installed: systemd-analyze",
}, () => {
  const words = ["calendar", "--iterations=3", "--base-time=2027-02-26 23:59:30 UTC", ...Object.keys(known)];
  const text = execFileSync("systemd-analyze", words, {
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC", LC_ALL: "C", SYSTEMD_COLORS: "0" },
  });
  const parts = text.split(/\n\n/);
  for (const [at, [calendar, cron]] of Object.entries(known).entries()) {
    const moments = [...(parts[at] ?? "").matchAll(/(\d{4}-\d\d-\d\d \d\d:\d\d):\d\d UTC/g)].map(
      ([, moment = ""]) => moment,
    );
    assert.equal(moments.length, 3, `${calendar}: ${parts[at]}`);
    assert.deepEqual(next(cron, moments.length), moments, calendar);
  }
});

/** The minutes after 2027-02-26 23:59 at which a crontab's line is due. */
function next(cron: string, count: number): string[] {
  const parsed = parseCron(cron);
  assert.ok("times" in parsed);
  const { minutes, hours, days, months, weekdays } = parsed.times;
  const found: string[] = [];
  for (let at = Date.UTC(2027, 1, 26, 23, 59) + 60_000; found.length < count; at += 60_000) {
    const date = new Date(at);
    const due =
      minutes.includes(date.getUTCMinutes()) &&
      hours.includes(date.getUTCHours()) &&
      days.includes(date.getUTCDate()) &&
      months.includes(date.getUTCMonth() + 1) &&
      weekdays.includes(date.getUTCDay());
    if (due) found.push(date.toISOString().slice(0, 16).replace("T", " "));
  }
  return found;
}
