// run --observe, misses, capture --add-misses: the loop by which a package becomes whole, with the real runtime.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TraceDecoder } from "../../src/formats/trace-records.ts";
import { nativePath } from "../../src/host/native.ts";
import { debian11 } from "../support/roots.ts";
import { addText, makeSmallRoot } from "../support/small-root.ts";
import { type Fixture, mainProgram, makeFixture, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

const application = {
  "opt/shop/shop": '#!/bin/sh\nif [ -n "$1" ]; then . /opt/shop/lib.sh; fi\necho done\n',
  "opt/shop/lib.sh": "echo lib\n. /opt/shop/more.sh\n",
  "opt/shop/more.sh": "echo more\nfor f in /opt/shop/plugins/*; do . $f; done\n",
  "opt/shop/plugins/one.sh": "echo one\n",
  "opt/shop/plugins/two.sh": "echo two\n",
  "opt/shop/private.sh": "echo private\n",
};

interface Row {
  path: string;
  use: string;
  program: string;
  state: string;
  why: string;
}

describe("observed instances", { skip, timeout: 600_000 }, () => {
  let fixture: Fixture;
  let source: string;
  let machine: string;
  before(async () => {
    fixture = await makeFixture();
    source = mkdtempSync(join(tmpdir(), "tranship-observe-"));
    makeSmallRoot(source);
    addText(source, application);
    machine = `rootfs:${source}`;
    await ok([
      "capture",
      "run",
      "-m",
      machine,
      "-t",
      "shop",
      "--no-closure",
      "--",
      "/bin/sh",
      "/opt/shop/shop",
    ]);
  });
  after(async () => {
    // What a failed test has left.
    await fixture.cli(["rm", "-f", "bg", "fg", "plain"]);
    await fixture.clean();
    await fixture.remove();
    rmSync(source, { recursive: true, force: true });
  });

  async function ok(args: readonly string[]) {
    const done = await fixture.cli(args);
    assert.equal(done.status, 0, `${args.join(" ")}: ${done.stderr}`);
    return done;
  }

  async function rows(...args: string[]): Promise<Row[]> {
    return JSON.parse((await ok(["misses", ...args, "--format", "json"])).stdout) as Row[];
  }

  const removeAll = (...names: string[]) => ok(["rm", "-f", ...names]);

  it("round by round what it misses is taken in, until it passes", async () => {
    const names: string[] = [];
    const command = ["sh", "/opt/shop/shop", "all"];
    let status = 1;
    let output = "";
    for (let round = 1; status !== 0 && round <= 4; round++) {
      const name = `round${round}`;
      const run = await fixture.cli([
        "run",
        "--observe",
        "--network",
        "none",
        "--name",
        name,
        "shop",
        ...command,
      ]);
      ({ status } = run);
      output = run.stdout;
      names.push(name);
      if (status === 0) break;
      assert.match(run.stderr, /observed: \d+ other paths .* `tranship misses round\d --against MACHINE`/);
      const missed = await rows(name, "--against", machine);
      assert.ok(missed.some((row) => row.state === "on the source" && row.path.startsWith("/opt/shop/")));
      const adding = names.flatMap((one) => ["--add-misses", one]);
      await ok([
        "capture",
        "run",
        "-m",
        machine,
        "-t",
        "shop",
        "--no-closure",
        ...adding,
        "--",
        "/bin/sh",
        "/opt/shop/shop",
      ]);
    }
    assert.equal(status, 0, `after ${names.length} rounds`);
    assert.ok(names.length > 2, "the misses follow each other");
    assert.match(output, /^lib\nmore\none\ntwo\ndone\n$/);
    const why = await ok(["why", "shop", "/opt/shop/more.sh"]);
    assert.match(why.stdout, /missed: read by \/bin\/(sh|busybox) in an observed run/);
    assert.deepEqual(await rows(names.at(-1) ?? "", "--against", machine), [], "nothing is missed any more");
    await removeAll(...names);
  });

  it("tells what the capture left out without asking the source, also after --rm, and a file of misses does as well", async () => {
    const capture = ["capture", "run", "-m", machine, "--no-closure"];
    const rules = ["--exclude", "/opt/shop/lib.sh", "--include", "/opt/shop/**"];
    const end = ["--", "/bin/sh", "/opt/shop/shop"];
    await ok([...capture, "-t", "less", ...rules, ...end]);
    const run = ["run", "--observe", "--network", "none"];
    const thrown = await fixture.cli([...run, "--rm", "less", "sh", "/opt/shop/shop", "all"]);
    assert.notEqual(thrown.status, 0);
    assert.match(
      thrown.stderr,
      /missed: \/opt\/shop\/lib\.sh by \S+ \(left out: left out by --exclude \/opt\/shop\/lib\.sh\)/,
    );
    await fixture.cli([...run, "--name", "less", "less", "sh", "/opt/shop/shop", "all"]);
    const missed = await rows("less");
    assert.deepEqual(
      missed.map(({ path, state }) => ({ path, state })),
      [{ path: "/opt/shop/lib.sh", state: "left out" }],
    );
    const file = join(source, "misses.json");
    writeFileSync(file, JSON.stringify(missed));
    try {
      await ok([...capture, "-t", "more", "--add-misses", file, ...end]);
      assert.match((await ok(["why", "more", "/opt/shop/lib.sh"])).stdout, /missed: /);
      const plan = join(source, "plan.yaml");
      await ok([...capture, "--plan-only", "-o", plan, ...end]);
      await ok(["capture", "run", "--plan", plan, "--add-misses", file, "--no-closure", "-t", "planned"]);
      assert.match((await ok(["why", "planned", "/opt/shop/lib.sh"])).stdout, /missed: /);
      assert.equal((await fixture.cli(["why", "planned", "/opt/shop/more.sh"])).status, 4);
      writeFileSync(file, '[{"path": "no"}]');
      const refused = await fixture.cli([...capture, "-t", "bad", "--add-misses", file, ...end]);
      assert.equal(refused.status, 2);
      assert.match(refused.stderr, /error\[E_USAGE\]: .* entry 1 is none/);
    } finally {
      rmSync(file);
    }
    await removeAll("less");
  });

  it("a detached instance can be asked while it runs; each start has its record", async () => {
    const loop = "echo up >/tmp/up; while :; do [ -e /opt/shop/private.sh ]; sleep 0.1; done";
    await ok(["run", "-d", "--observe", "--network", "none", "--name", "bg", "shop", "sh", "-c", loop]);
    const asked = async () => (await rows("bg", "--against", machine)).map((row) => row.path);
    const until = Date.now() + 30_000;
    while (!(await asked()).includes("/opt/shop/private.sh")) assert.ok(Date.now() < until, "not seen");
    // Nothing of the tracer is inside, and what joins works beside it.
    const inside = await ok(["exec", "bg", "sh", "-c", "[ /proc/1/exe -ef /.tranship/init ] && echo init"]);
    assert.equal(inside.stdout, "init\n");
    await ok(["stop", "-t", "2", "bg"]);
    await ok(["start", "bg"]);
    const directory = join(fixture.root.instances, (await ok(["ps", "-q", "--no-trunc"])).stdout.trim());
    assert.ok(
      existsSync(join(directory, "observed/1.trace")) && existsSync(join(directory, "observed/2.trace")),
    );
    assert.equal(statSync(join(directory, "observed/1.trace")).mode & 0o777, 0o600);
    await ok(["stop", "-t", "2", "bg"]);
    truncateSync(join(directory, "observed/2.trace"), 300);
    const broken = await fixture.cli(["misses", "bg"]);
    assert.match(broken.stderr, /the record of a start breaks off/);
    writeFileSync(join(directory, "observed/2.trace"), "not a record at all");
    const damaged = await fixture.cli(["misses", "bg"]);
    assert.match(damaged.stderr, /error\[E_PROTOCOL\]/);
    await removeAll("bg");
  });

  it("status and signals are the program's own", async () => {
    const run = ["run", "--rm", "--observe", "--network", "none", "shop", "sh", "-c"];
    assert.equal((await fixture.cli([...run, "exit 7"])).status, 7);
    assert.equal((await fixture.cli([...run, "kill -9 $$"])).status, 137);
    assert.equal((await fixture.cli([...run.slice(0, -2), "/no/such"])).status, 127);
  });

  it("a killed command takes an observed instance with it", async () => {
    const words = [
      process.execPath,
      mainProgram,
      "run",
      "--observe",
      "--network",
      "none",
      "--name",
      "fg",
      "shop",
    ];
    const [enter = "", ...rest] = fixture.enter;
    const child = spawn(enter, [...rest, ...words, "sh", "-c", "echo up; while :; do sleep 0.1; done"], {
      env: { ...process.env, TRANSHIP_ROOT: fixture.root.path, TRANSHIP_NETWORK_LINGER: "0" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL");
    await ended;
    assert.match((await ok(["ps", "-a"])).stdout, /fg/);
    assert.match((await fixture.cli(["misses", "fg"])).stderr, /breaks off/);
    await removeAll("fg");
    await fixture.clean();
  });

  it("what was not observed is told", async () => {
    await ok(["run", "--network", "none", "--name", "plain", "shop", "sh", "-c", ":"]);
    assert.match((await fixture.cli(["misses", "plain"])).stderr, /E_INSTANCE_STATE.*was not observed/);
    await removeAll("plain");
  });

  const perl = existsSync(join(debian11, "usr/bin/perl")) ? false : "needs the cached Debian 11 root";
  it("a module of the real Perl, left out by a rule, comes back", { skip: perl }, async () => {
    const capture = ["capture", "run", "-m", `rootfs:${debian11}`, "-t", "perl"];
    const end = ["--", "/usr/bin/perl", "-e", "print qq(ok\\n)"];
    await ok([...capture, "--exclude", "Text/Wrap.pm", ...end]);
    const wrap = ["/usr/bin/perl", "-e", "require Text::Wrap; print qq(wrapped\\n)"];
    const run = ["run", "--observe", "--network", "none"];
    assert.notEqual((await fixture.cli([...run, "--name", "perl", "perl", ...wrap])).status, 0);
    assert.match((await ok(["misses", "perl"])).stdout, /Text\/Wrap\.pm .*\/usr\/bin\/perl +left out: /);
    await ok([...capture, "--no-closure", "--add-misses", "perl", ...end]);
    assert.match(
      (await ok(["why", "perl", "/usr/lib/x86_64-linux-gnu/perl-base/Text/Wrap.pm"])).stdout,
      /missed: /,
    );
    await removeAll("perl");
  });
});

describe("records with a limit", { skip: process.getuid?.() === 0 ? false : "needs root" }, () => {
  it("the record ends with a word, the program does not", () => {
    const directory = mkdtempSync(join(tmpdir(), "tranship-limit-"));
    try {
      const out = join(directory, "out");
      const program = [
        "sh",
        "-c",
        "i=0; while [ $i -lt 3000 ]; do [ -e /none/$i ]; i=$((i+1)); done; exit 9",
      ];
      const trace = (...words: string[]) => spawnSync(nativePath("trace"), [...words, "--", ...program]);
      assert.equal(trace("--out", out, "--limit", "20000").status, 9);
      assert.ok(statSync(out).size < 20_400, `${statSync(out).size} bytes`);
      const decoder = new TraceDecoder();
      const last = decoder.feed(readFileSync(out)).at(-1);
      assert.equal(last?.type === "lost" ? last.reason : last?.type, 7);
      assert.equal(trace("--out", out, "--limit", "20000").status, 125, "what is there is not written over");
      assert.equal(trace("--out", "/dev/full/none").status, 125);
      const full = spawnSync("sh", [
        "-c",
        '"$0" --fd 3 --limit 1000000 -- sh -c "exit 9" 3>/dev/full',
        nativePath("trace"),
      ]);
      assert.equal(full.status, 9, "a full disk ends the record alone");
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
