import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import { formatAge, formatDuration, formatSize, parseDuration, parseSize } from "../../src/base/units.ts";

test("sizes are read as docker reads them", () => {
  assert.equal(parseSize("512"), 512);
  assert.equal(parseSize("512m"), 512 << 20);
  assert.equal(parseSize("1.5GiB"), 1.5 * 2 ** 30);
  assert.equal(parseSize("1MB"), 1_000_000);
  assert.equal(parseSize("10b"), 10);
});

test("sizes and durations that are none are refused with the value", () => {
  for (const bad of ["", "x", "12q", "-1", "1 m b", "1e9"]) {
    assert.throws(
      () => parseSize(bad),
      (error) => isTranshipError(error, "E_USAGE") && error.message.includes(JSON.stringify(bad)),
    );
  }
  for (const bad of ["", "s", "1y", "1s2", "--2s"]) assert.throws(() => parseDuration(bad), /not a duration/);
});

test("durations", () => {
  assert.equal(parseDuration("2s"), 2000);
  assert.equal(parseDuration("1m30s"), 90_000);
  assert.equal(parseDuration("500ms"), 500);
  assert.equal(parseDuration("3"), 3000);
  assert.equal(formatDuration(90_500), "1m31s");
  assert.equal(formatDuration(450), "450ms");
});

test("sizes and ages are told in words", () => {
  assert.equal(formatSize(0), "0 B");
  assert.equal(formatSize(1536), "1.5 KiB");
  assert.equal(formatSize(300 * 2 ** 20), "300 MiB");
  assert.equal(formatAge(3 * 60_000), "3 minutes");
  assert.equal(formatAge(65 * 60_000), "About an hour");
});
