import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCron } from "../../src/package/cron.ts";

function times(expression: string) {
  const result = parseCron(expression);
  assert.ok("times" in result, JSON.stringify(result));
  return result.times;
}

describe("parseCron", () => {
  test("lists, ranges, steps and names", () => {
    const parsed = times("*/20,7 8-18/5 1,15,31 jan,MAR-apr mon-wed,7");
    assert.deepEqual(parsed.minutes, [0, 7, 20, 40]);
    assert.deepEqual(parsed.hours, [8, 13, 18]);
    assert.deepEqual(parsed.days, [1, 15, 31]);
    assert.deepEqual(parsed.months, [1, 3, 4]);
    assert.deepEqual(parsed.weekdays, [0, 1, 2, 3]);
    assert.equal(parsed.anyDay, false);
    assert.equal(parsed.anyWeekday, false);
  });

  test("a step behind a single value goes to the end", () => {
    assert.deepEqual(times("50/4 * * * *").minutes, [50, 54, 58]);
  });

  test("Sunday is 0 and 7", () => {
    assert.deepEqual(times("0 0 * * 7").weekdays, [0]);
    assert.deepEqual(times("0 0 * * 5-7").weekdays, [0, 5, 6]);
    assert.deepEqual(times("0 0 * * sun").weekdays, [0]);
  });

  test("knows which fields are free and which time is fixed", () => {
    assert.equal(times("0 3 */2 * 1").anyDay, true);
    assert.equal(times("0 3 1 * *").anyWeekday, true);
    assert.equal(times("0 3 * * *").fixed, true);
    assert.equal(times("0 * * * *").fixed, false);
    assert.equal(times("*/5 3 * * *").fixed, false);
  });

  test("@ names", () => {
    assert.deepEqual(times("@daily"), times("0 0 * * *"));
    assert.deepEqual(times("@midnight"), times("@daily"));
    assert.deepEqual(times("@Weekly"), times("0 0 * * 0"));
    assert.deepEqual(times("@annually"), times("0 0 1 1 *"));
    assert.deepEqual(times("  @hourly "), times("0 * * * *"));
    assert.equal(times("@reboot").atStart, true);
  });

  const refused = [
    "",
    "* * * *",
    "* * * * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * * 13 *",
    "* * * * 8",
  ];
  const more = [
    "5-1 * * * *",
    "*/0 * * * *",
    "*-5 * * * *",
    "1, * * * *",
    "a * * * *",
    "* * * foo *",
    "@often",
    "-1 * * * *",
  ];
  for (const expression of [...refused, ...more]) {
    test(`refuses ${JSON.stringify(expression)}`, () => {
      assert.ok("problem" in parseCron(expression));
    });
  }
});
