import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { asTheyCome } from "../../src/cluster/logs/as-they-come.ts";
import { linesFrom, runningLines } from "../../src/cluster/logs/line-streams.ts";
import { type LogEvent, lastOf, mergeByTime } from "../../src/cluster/logs/log-event.ts";
import { LogKeeper } from "../../src/cluster/logs/log-keeper.ts";
import { parseSyslogAddress, sizeOption } from "../../src/cluster/logs/log-options.ts";
import { syslogMessage, syslogTag } from "../../src/cluster/logs/syslog.ts";
import { openSyslog } from "../../src/cluster/logs/syslog-sender.ts";

const source = { cluster: "default", task: "0".repeat(32), container: "main", taskGroup: "family:a" };
const event = (second: number, text = String(second)): LogEvent => ({
  ...source,
  time: new Date(second * 1000).toISOString(),
  stream: "stdout",
  text,
});
async function* each(...events: LogEvent[]): AsyncGenerator<LogEvent> {
  yield* events;
}
async function textsOf(lines: AsyncIterable<LogEvent>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of lines) texts.push(text);
  return texts;
}

test("lines of several are put in order, and only what overlaps is open at once", async () => {
  let open = 0;
  let most = 0;
  const sources = [5, 1, 3].map((from) => ({
    from: event(from).time,
    open: async function* () {
      most = Math.max(most, ++open);
      yield event(from);
      yield event(from + 2.5);
      open--;
    },
  }));
  assert.deepEqual(await textsOf(mergeByTime(sources)), ["1", "3", "3.5", "5", "5.5", "7.5"]);
  assert.equal(most, 2, "the next one is opened when the one before has given its last line");
  assert.deepEqual(await textsOf(lastOf(mergeByTime(sources), 2)), ["5.5", "7.5"]);
  assert.deepEqual(await textsOf(lastOf(each(event(1)), 0)), []);
});

test("a node keeps what was written, for its time and within its limit", async () => {
  const directory = mkdtempSync(join(tmpdir(), "tranship-logs-"));
  try {
    const now = Date.now() / 1000;
    const keep = { otherwise: 3_600_000, groups: new Map([["short", 1000]]), limit: 100_000 };
    const keeper = new LogKeeper(directory, keep);
    const odd = "a\u2028b\r\n";
    await keeper.keep(source, "aa", each(event(now - 5, odd), event(now - 4, "end")));
    await keeper.keep(source, "bb", each());
    await keeper.keep({ ...source, group: "short" }, "cc", each(event(now - 5)));
    await keeper.keep(source, "dd", each(event(now - 4000)));
    const found = keeper.find(() => true);
    assert.deepEqual(
      found.map(({ run }) => run),
      ["aa"],
      "nothing was written; the time of its group is over; the time of all is over",
    );
    assert.deepEqual(await textsOf(mergeByTime(found)), [odd, "end"]);
    assert.deepEqual(
      keeper.find(({ task }) => task === "other"),
      [],
    );
    // What somebody who was killed has left, and what is damaged.
    writeFileSync(join(directory, ".half.jsonl"), "{");
    writeFileSync(join(directory, `${source.task}.main.ee.jsonl`), "{");
    assert.equal(new LogKeeper(directory, keep).find(() => true).length, 1);
    assert.ok(!readdirSync(directory).includes(".half.jsonl"));
    const small = new LogKeeper(directory, { ...keep, limit: 9000 });
    await small.keep(source, "ff", each(event(now - 3, "x".repeat(2200))));
    assert.deepEqual(
      small.find(() => true).map(({ run }) => run),
      ["ff"],
      "the oldest goes first",
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("containers that write little, or a time of their own, take no more room than others", async () => {
  const directory = mkdtempSync(join(tmpdir(), "tranship-logs-"));
  try {
    const now = Date.now() / 1000;
    const keeper = new LogKeeper(directory, { otherwise: 3_600_000, groups: new Map(), limit: 40_960 });
    const runs = (): string[] => keeper.find(() => true).map(({ run }) => run);
    await keeper.keep(source, "f0", each({ ...event(now), time: "9999-12-31T00:00:00Z" }));
    await keeper.keep(source, "f1", each({ ...event(now), time: "x".repeat(10_000) }));
    assert.deepEqual(runs().sort(), ["f0", "f1"]);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const later = Date.now() / 1000;
    for (let run = 10; run < 40; run++) {
      await keeper.keep(source, String(run), each(event(later + run / 1e6)));
      assert.ok(readdirSync(directory).length <= 10, "a file is counted as the block that it takes");
    }
    assert.ok(runs().includes("39") && !runs().includes("f0"), `the oldest goes first: ${runs()}`);
    // One that has nearly all of the room does not go for what is small.
    await keeper.keep(source, "aa", each(event(later + 1, "x".repeat(38_000))));
    assert.deepEqual(runs(), ["aa"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("lines travel as the output of a command: held up, and ended by who leaves", async () => {
  let made = 0;
  let ended = false;
  const running = runningLines(async function* (signal) {
    while (!signal.aborted) yield event(++made, "x".repeat(4000));
    ended = true;
  });
  const lines = linesFrom(running, () => assert.fail("it told all of its lines"));
  for (let taken = 0; taken < 10; taken++) assert.equal((await lines.next()).value?.text.length, 4000);
  // Buffers fill as fast as the host lets them: what counts is that they come to an end.
  let held = -1;
  while (held !== made && made < 1000) {
    held = made;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.ok(made < 1000, `nobody reads on: ${made}`);
  await lines.return(undefined);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(ended);
});

test("a node that is lost is told, and takes no other's lines along", async () => {
  const lost: string[] = [];
  const from = (name: string, ...told: unknown[]): AsyncGenerator<LogEvent> =>
    linesFrom(
      runningLines(async function* () {
        yield* told as LogEvent[];
        if (name === "breaks") throw new Error("the connection is lost");
      }),
      () => lost.push(name),
    );
  const lines = [
    from("breaks", event(1), event(4)),
    from("whole", event(2), event(5)),
    from("lies", event(3), null),
  ];
  const sources = lines.map((each) => ({ from: "", open: () => each }));
  assert.deepEqual(await textsOf(mergeByTime(sources)), ["1", "2", "3", "4", "5"]);
  assert.deepEqual(lost.sort(), ["breaks", "lies"]);
});

test("lines are given as they come, and who is quiet costs nothing", async () => {
  // Counts how often somebody begins to wait for the line that does not come.
  let waiting = 0;
  let left = false;
  class Counted extends Promise<unknown> {
    // biome-ignore lint/suspicious/noThenProperty: counts who waits
    override then<A = unknown, B = never>(
      done?: ((value: unknown) => A | PromiseLike<A>) | null,
      failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
    ): Promise<A | B> {
      waiting++;
      return super.then(done, failed);
    }
  }
  const quiet = {
    next: () => new Counted(() => {}),
    return: async () => {
      left = true;
    },
  } as unknown as AsyncGenerator<LogEvent>;
  const chatty = each(...Array.from({ length: 200 }, (_, second) => event(second)));
  const lines = asTheyCome([quiet, chatty], 20);
  for (let second = 0; second < 200; second++) assert.equal((await lines.next()).value?.text, String(second));
  assert.deepEqual(await lines.next(), { value: undefined, done: false }, "a sign of life");
  assert.equal(waiting, 1);
  await lines.return(undefined);
  assert.ok(left);
  assert.deepEqual(await textsOf(asTheyCome([each(event(1)), each()], 1000) as AsyncIterable<LogEvent>), [
    "1",
  ]);
});

test("a syslog server that takes nothing any more holds nobody up", async () => {
  const held = new Set<Socket>();
  const server = createServer((socket) => held.add(socket.pause()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const form = { format: undefined, facility: 3, tag: "t", host: "node" };
  const sender = await openSyslog({ kind: "tcp", host: "127.0.0.1", port }, form, 200);
  try {
    const line = { time: event(1).time, stream: "stdout", text: "x".repeat(1 << 20) } as const;
    const sent = async (): Promise<void> => {
      for (let times = 0; times < 200; times++) await sender.send(line);
    };
    await assert.rejects(sent(), /no line was taken within 0.2 s/);
    await assert.rejects(sender.send(line), "who tries again opens a new connection");
  } finally {
    sender.close();
    for (const socket of held) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

test("messages of syslog are as their documents have them", () => {
  const line = { time: "2026-11-09T08:07:06.123456789Z", stream: "stderr", text: "two\r\nlines\n" } as const;
  const form = { facility: 16, tag: "web", host: "node" };
  const message = (format: string | undefined): string => syslogMessage({ ...form, format }, line);
  assert.equal(message("rfc5424"), "<131>1 2026-11-09T08:07:06Z node web - web - two  lines");
  assert.equal(message("rfc5424micro"), "<131>1 2026-11-09T08:07:06.123456Z node web - web - two  lines");
  assert.match(message("rfc3164"), /^<131>Nov {2}\d \d\d:\d\d:\d\d node web: two {2}lines$/);
  assert.match(syslogMessage({ ...form, host: undefined, format: undefined }, line), /:\d\d web: two/);
  const about = { id: "0123456789abcdef", name: "ecs-1-main", image: "web:1" };
  assert.equal(syslogTag(undefined, about), "0123456789ab");
  assert.equal(syslogTag("{{.ImageName}}/{{ .Name }}/{{.Other}}", about), "web:1/ecs-1-main/{{.Other}}");
  assert.deepEqual(parseSyslogAddress("tcp://[::1]:601"), { kind: "tcp", host: "::1", port: 601 });
  assert.deepEqual(parseSyslogAddress("udp://log.example"), { kind: "udp", host: "log.example", port: 514 });
  for (const bad of ["udp://", "tcp://a:0", "tcp://a:70000", "unix://relative", "tcp+tls://a:1", "udp://a/b"])
    assert.equal(parseSyslogAddress(bad), undefined, bad);
  assert.deepEqual(["10m", "1K", "-1", "7", "0", "x"].map(sizeOption), [
    10 << 20,
    1024,
    0,
    7,
    undefined,
    undefined,
  ]);
});
