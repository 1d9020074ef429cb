// What init writes down: the log and its rotation, the forward copy, full disks.
import assert from "node:assert/strict";
import { existsSync, truncateSync } from "node:fs";
import { describe, test } from "node:test";
import { cannotRun, makePackage, services, until } from "../support/init-package.ts";

const directory = ".tranship/run/log";

describe("init writes the log", { skip: cannotRun, concurrency: true }, () => {
  test("as JSON lines, of any bytes, with lines cut at 16 KiB", async (t) => {
    const p = await makePackage(t);
    const long = "flood";
    const result = await p.run([
      "actor",
      "say",
      'a "b" \\ é',
      "bytes",
      "ff41c3280a",
      "cry",
      "e",
      long,
      "1",
      "40000",
    ]);
    assert.equal(result.stdout, "");
    const lines = p.log();
    const outs = lines.filter((line) => line.stream === "stdout");
    assert.equal(outs[0]?.log, 'a "b" \\ é\n');
    assert.equal(outs[1]?.log, "\u00ffA\u00c3(\n");
    assert.deepEqual(
      outs.slice(2).map((line) => [line.log?.length, line.partial]),
      [
        [16384, true],
        [16384, true],
        [7233, undefined],
      ],
    );
    assert.deepEqual(
      lines.filter((line) => line.stream === "stderr").map((line) => line.log),
      ["e\n"],
    );
    for (const line of lines) {
      assert.match(line.time ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
      assert.equal(line.service, "main");
    }
  });

  test("never cuts a character in two", async (t) => {
    const p = await makePackage(t);
    // 16382 bytes, then characters of three bytes.
    const text = "e282ac".repeat(4);
    await p.run(
      ["actor", "print", "x".repeat(4000), "print", "x".repeat(4000), "print", "x".repeat(4000)].concat([
        "print",
        "x".repeat(4000),
        "print",
        "x".repeat(382),
        "bytes",
        `${text}0a`,
      ]),
    );
    const lines = p.log();
    assert.equal(lines.map((line) => line.log).join(""), `${"x".repeat(16382)}€€€€\n`);
    assert.equal(lines.length, 2);
  });

  test("rotates it by size and keeps as many files as asked", async (t) => {
    const p = await makePackage(t);
    const env = { TRANSHIP_LOG_MAX_SIZE: "20000", TRANSHIP_LOG_MAX_FILE: "3" };
    await p.run(["actor", "flood", "1000", "100"], { env });
    assert.ok(!existsSync(p.path(`${directory}/all.log.3`)));
    const numbers = ["all.log.2", "all.log.1", "all.log"].flatMap((file) =>
      p.log(file).map((line) => Number(line.log?.split(" ")[0])),
    );
    assert.ok(numbers.length > 50);
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, index) => 1000 - numbers.length + index),
    );
    for (const file of ["all.log", "all.log.1", "all.log.2"]) {
      assert.ok(p.read(`${directory}/${file}`).length <= 20000);
    }
  });

  test("with the name of each service, and each message of its own", async (t) => {
    const p = await makePackage(
      t,
      services({ a: { does: ["say", "A", "sleep", "100"] }, b: { does: ["cry", "B", "wait"] } }),
    );
    const result = await p.run();
    assert.equal(result.stdout, "");
    const said = p.log().map((line) => `${line.service} ${line.stream} ${line.log?.trim()}`);
    assert.ok(said.includes("a stdout A"));
    assert.ok(said.includes("b stderr B"));
    assert.ok(said.some((line) => line.startsWith("init stderr essential service a ended with status 0")));
  });

  test("and a copy of it on its own streams, whole, when asked", async (t) => {
    const p = await makePackage(t);
    const result = await p.run(["actor", "flood", "20000", "100", "cry", "end"], {
      env: { TRANSHIP_LOG_FORWARD: "1" },
    });
    const lines = result.stdout.split("\n");
    assert.equal(lines.length, 20001);
    assert.equal(lines[19999]?.split(" ")[0], "19999");
    assert.equal(result.stderr, "end\n");
    assert.equal(p.log().length, 20001);
  });

  test("also when nobody reads the copy", async (t) => {
    const p = await makePackage(
      t,
      services({ main: { does: ["flood", "20000", "100", "touch", "/tmp/through", "wait"] } }),
    );
    const running = await p.start([], { env: { TRANSHIP_LOG_FORWARD: "1" }, deaf: true });
    await until(() => existsSync(p.path("/tmp/through")), "the service is not held up");
    running.signal("SIGTERM");
    assert.equal((await running.ended).status, 143);
    assert.equal(p.log().filter((line) => line.service === "main").length, 20000);
  });

  test("passes streams straight through where there is no log", async (t) => {
    const p = await makePackage(t, services({ main: { does: ["say", "out", "cry", "err"] } }), {
      log: false,
    });
    const result = await p.run();
    assert.equal(result.stdout, "out\n");
    assert.match(result.stderr, /^err\n/);
  });

  test("passes streams straight through on TRANSHIP_STDIO=inherit", async (t) => {
    const p = await makePackage(t);
    const result = await p.run(["actor", "say", "out"], { env: { TRANSHIP_STDIO: "inherit" } });
    assert.equal(result.stdout, "out\n");
    assert.deepEqual(p.log(), []);
  });

  test("counts what a full disk lost, and goes on", async (t) => {
    const does = [
      "flood",
      "2000",
      "100",
      "touch",
      "/tmp/full",
      "until",
      "/tmp/freed",
      "say",
      "again",
      "wait",
    ];
    const p = await makePackage(t, services({ main: { does } }));
    const running = await p.start([], {
      prepare: `mount -t tmpfs -o size=64k none "$ROOT/${directory}"; dd if=/dev/zero of="$ROOT/${directory}/ballast" bs=1k count=32 2>/dev/null`,
    });
    await until(() => existsSync(p.path("/tmp/full")), "the service is not held up");
    // init may still be writing what the service has got rid of: freed before that, the disk would be full for good.
    let [size, since] = [0, 0];
    await until(() => {
      const now = running.read(`/${directory}/all.log`).length;
      if (now !== size) [size, since] = [now, performance.now()];
      return size > 10000 && performance.now() - since > 500;
    }, "the log is full");
    truncateSync(`/proc/${running.pid}/root/${directory}/ballast`);
    p.write("tmp/freed", "");
    await until(() => running.read(`/${directory}/all.log`).includes("again"), "the log goes on");
    const lines = running
      .read(`/${directory}/all.log`)
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
    const lost = lines.flatMap((line) =>
      Number(/^(\d+) lines of the log were lost/.exec(line.log)?.[1] ?? []),
    );
    const kept = lines.filter((line) => line.log.includes("xxxx")).length;
    assert.ok(kept > 50 && kept < 1000);
    assert.equal(lost.reduce((sum, n) => sum + n, 0) + kept, 2000);
    running.signal("SIGTERM");
    assert.equal((await running.ended).status, 143);
  });
});
