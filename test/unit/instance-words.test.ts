// Small parts of the verbs of instances: keys, times, amounts, events, the kernel's words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesSize, humanSize } from "../../src/cli/amounts.ts";
import { DetachKeys, parseDetachKeys } from "../../src/cli/instances/detach-keys.ts";
import { timeOf } from "../../src/cli/instances/time-of.ts";
import { parseOomKill } from "../../src/host/kernel-log.ts";
import { exitFacts } from "../../src/runtime/events/history.ts";
import { parseEvent } from "../../src/runtime/events/read.ts";

test("detach keys: found across pieces, and what only begins like them is typed", () => {
  const feed = (keys: string, ...pieces: string[]): string[] => {
    const detach = new DetachKeys(parseDetachKeys(keys));
    return pieces.map((piece) => {
      const { passed, complete } = detach.feed(Buffer.from(piece, "latin1"));
      return `${Buffer.from(passed).toString("latin1")}${complete ? "|" : ""}`;
    });
  };
  assert.deepEqual(feed("ctrl-p,ctrl-q", "a\x10", "\x11"), ["a", "|"]);
  assert.deepEqual(feed("ctrl-p,ctrl-q", "\x10b", "\x10\x10", "\x11"), ["\x10b", "\x10", "|"]);
  assert.deepEqual(feed("a,b", "one a", "xyabz"), ["one ", "axy|"]);
  assert.deepEqual(feed("", "\x10\x11"), ["\x10\x11"]);
  assert.deepEqual(parseDetachKeys("a,ctrl-@,ctrl-["), [97, 0, 27]);
  assert.throws(() => parseDetachKeys("ctrl-p,qq"), { code: "E_USAGE" });
});

test("times of --since: RFC 3339, seconds, durations", () => {
  assert.equal(timeOf("--since", "2024-05-01T12:00:00Z"), Date.UTC(2024, 4, 1, 12));
  assert.equal(timeOf("--since", "1714564800.5"), 1_714_564_800_500);
  assert.ok(Math.abs(timeOf("--since", "1h") - (Date.now() - 3_600_000)) < 10_000);
  for (const word of ["yesterday", "", "2024-99-99", "-1"])
    assert.throws(() => timeOf("--since", word), { code: "E_USAGE" });
});

test("amounts as docker writes them", () => {
  assert.deepEqual([0, 999, 1000, 1_234_567].map(humanSize), ["0B", "999B", "1kB", "1.23MB"]);
  assert.deepEqual([0, 1023, 1536, 64 << 20].map(bytesSize), ["0B", "1023B", "1.5KiB", "64MiB"]);
});

test("events: what is no event is left out, a line cut short by a full disk costs only itself", () => {
  const line = '{"type":"instance","action":"die","id":"a","time":"2024-05-01T12:00:00Z","status":3}';
  assert.equal(parseEvent(line)?.attributes.exitCode, "3");
  assert.equal(parseEvent(`{"type":"instance","act${line}`)?.action, "die");
  for (const other of ["", "{}", "null", "[1]", '{"type":1}', line.slice(0, -1)])
    assert.equal(parseEvent(other), undefined);
});

test("the last words of an instance may be anything", () => {
  const nothing = { signal: null, cpuSeconds: null, peakBytes: null, startedAt: undefined };
  for (const text of [
    undefined,
    "",
    "null",
    "[]",
    '{"signal":"9","cpuSeconds":-1,"maxRssKiB":"x","startedAt":4}',
  ])
    assert.deepEqual(exitFacts(text), nothing);
  assert.deepEqual(exitFacts('{"signal":9,"cpuSeconds":0.5,"maxRssKiB":2,"startedAt":"t"}'), {
    signal: 9, cpuSeconds: 0.5, peakBytes: 2048, startedAt: "t",
  }); // biome-ignore format: short
});

test("the kernel's record of a process killed for want of memory", () => {
  const record =
    "6,1040,4173143794,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=/tranship-ab,task_memcg=/tranship-ab,task=a, b,pid=473,uid=0\n";
  const kill = parseOomKill(record, "/tranship-ab", 1000);
  assert.deepEqual([kill?.pid, kill?.task, kill?.time.getTime()], [473, "a, b", 4_174_143]);
  assert.equal(parseOomKill(record, "/tranship-a", 0), undefined);
  const given = record.replaceAll("/tranship-ab", "/tranship-1000/tranship-ab");
  assert.equal(parseOomKill(given, "/tranship-ab", 1000)?.pid, 473);
  assert.equal(parseOomKill("6,1,2,-;Out of memory", "/tranship-ab", 0), undefined);
});
