// restart, pause, unpause, rename, top, stats, diff, cp, events, history: beside docker's words, on a real OCI runtime.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync,
} from "node:fs"; // biome-ignore format: a list
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Fixture, mainProgram, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("verbs of instances", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let work: string;
  before(async () => {
    fixture = await makeFixture();
    work = mkdtempSync(join(tmpdir(), "tranship-verbs-"));
    await makePackage(fixture.root, "box:1");
    await start("shop", "i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 0.02; done");
  });
  after(async () => {
    await cli("rm", "-f", "-v", "shop");
    await fixture.clean();
    await fixture.remove();
    rmSync(work, { recursive: true, force: true });
  });

  const cli = (...args: string[]) => fixture.cli(args);
  async function start(name: string, script: string, ...flags: string[]): Promise<void> {
    const result = await cli(
      "run",
      "-d",
      "--name",
      name,
      "--network",
      "none",
      ...flags,
      "box:1",
      "sh",
      "-c",
      script,
    );
    assert.equal(result.status, 0, result.stderr);
  }
  const inShop = async (script: string): Promise<string> => {
    const result = await cli("exec", "shop", "sh", "-c", script);
    assert.equal(result.status, 0, result.stderr);
    return result.stdout;
  };

  it("pause stops every process, unpause lets them go on, and a paused instance can be stopped", async () => {
    const count = (): string =>
      readFileSync(join(fixture.root.path, "instances", id, "upper/tmp/count"), "utf8");
    const id = (await cli("inspect", "--format", "{{.record.id}}", "shop")).stdout.trim();
    assert.deepEqual(await cli("pause", "shop"), { status: 0, stdout: "shop\n", stderr: "" });
    const seen = count();
    assert.match((await cli("exec", "shop", "true")).stderr, /the instance shop is paused/);
    assert.equal((await cli("exec", "shop", "true")).status, 125);
    assert.match((await cli("pause", "shop")).stderr, /error\[E_INSTANCE_STATE\].*paused already/);
    assert.equal((await cli("pause", "shop")).status, 1);
    assert.equal(count(), seen);
    assert.equal((await cli("unpause", "shop")).status, 0);
    await until(() => count() !== seen);
    assert.match((await cli("unpause", "shop")).stderr, /is not paused/);
    await cli("pause", "shop");
    assert.equal((await cli("stop", "-t", "20", "shop")).status, 0);
    assert.equal((await cli("wait", "shop")).stdout, "143\n");
    assert.equal((await cli("pause", "shop")).status, 1);
    await cli("start", "shop");
  });

  it("restart starts anew, keeps what was written, and also starts what is stopped", async () => {
    const pid = async (): Promise<string> =>
      (await cli("top", "shop", "-o", "pid")).stdout.trim().split("\n")[1] ?? "";
    await inShop("echo kept > /srv/kept");
    const first = await pid();
    assert.deepEqual(await cli("restart", "-t", "20", "shop"), { status: 0, stdout: "shop\n", stderr: "" });
    assert.notEqual(await pid(), first);
    assert.equal(await inShop("cat /srv/kept"), "kept\n");
    await cli("stop", "shop");
    assert.equal((await cli("restart", "shop")).status, 0);
    assert.equal((await cli("restart", "nothing")).status, 1);
  });

  it("rename frees the old name and takes no taken one", async () => {
    await start("other", "sleep 1000");
    assert.match((await cli("rename", "shop", "other")).stderr, /error\[E_NAME_TAKEN\]/);
    assert.equal((await cli("rename", "other", "../x")).status, 2);
    assert.deepEqual(await cli("rename", "other", "another"), { status: 0, stdout: "", stderr: "" });
    assert.match((await cli("rm", "-f", "other")).stderr, /no such instance: other/);
    await start("other", "sleep 1000");
    assert.equal((await cli("rm", "-f", "another", "other")).status, 0);
  });

  it("takes odd words as docker does", async () => {
    const gone = await cli("rm", "nobody", "nothing");
    assert.match(
      gone.stderr,
      /^error\[E_INSTANCE_NOT_FOUND\]: no such instance: nobody\n {2}hint: .*\nerror\[E_INSTANCE_NOT_FOUND\]: no such instance: nothing\n/,
    );
    assert.match((await cli("create", "--rm", "--restart", "always", "box:1")).stderr, /E_USAGE.*contradict/);
    const script = "trap '' TERM; echo one; echo two; while [ ! -e /go ]; do sleep 0.1; done";
    assert.equal((await cli("create", "--rm", "--name", "odd", "box:1", "sh", "-c", script)).status, 0);
    assert.equal((await cli("start", "odd")).status, 0);
    await until(async () => (await cli("logs", "odd")).stdout === "one\ntwo\n");
    for (const tail of ["-1", "all", "99999999999999999999"])
      assert.equal((await cli("logs", "--tail", tail, "odd")).stdout, "one\ntwo\n", tail);
    assert.equal((await cli("logs", "--tail", "1", "odd")).stdout, "two\n");
    assert.match((await cli("logs", "--tail", "1x", "odd")).stderr, /E_USAGE.*--tail/);
    await start("full", "sleep 1000");
    await cli("update", "--pids-limit", "1", "full");
    assert.match((await cli("exec", "full", "true")).stderr, /hint: its limits leave no room/);
    await cli("rm", "-f", "full");
    // Longer than the ten seconds that it would be given: it ends by itself.
    const [id = ""] = (await cli("ps", "-q", "--no-trunc", "-f", "name=odd")).stdout.split("\n");
    const stop = cli("stop", "-t", "-1", "odd");
    // Removed at its end, it is there for nobody who comes later.
    await until(() => existsSync(join(fixture.root.path, "instances", id, "stop-asked")));
    await cli("exec", "odd", "touch", "/go");
    assert.equal((await stop).stdout, "odd\n");
    await until(async () => (await cli("ps", "-aqf", "name=odd")).stdout === "");
    const [run] = JSON.parse((await cli("history", "odd", "--format", "json")).stdout) as {
      status: number;
    }[];
    assert.equal(run?.status, 0, "it was not killed");
  });

  it("top shows the processes of the instance and no other, by options of ps", async () => {
    const { stdout } = await cli("top", "shop");
    assert.match(stdout, /^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/m);
    assert.match(stdout, /\/\.tranship\/init sh -c/);
    assert.doesNotMatch(stdout, /crun|runc/);
    assert.match((await cli("top", "shop", "-o", "pid,args")).stdout, /^PID +COMMAND$/m);
    assert.equal((await cli("top", "shop", "-o", "args")).status, 2);
  });

  it("stats has docker's columns, once with --no-stream", async () => {
    const { stdout } = await cli("stats", "--no-stream");
    assert.match(
      stdout,
      /^INSTANCE ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS$/m,
    );
    assert.match(stdout, /^[0-9a-f]{12} +shop +\d+\.\d\d% +[\d.]+[KM]iB \/ [\d.]+GiB +/m);
    const [row] = JSON.parse(
      (await cli("stats", "--no-stream", "--format", "json", "shop")).stdout,
    ) as Record<string, string>[];
    assert.equal(row?.Name, "shop");
    assert.ok(Number(row?.PIDs) >= 2, JSON.stringify(row));
  });

  it("diff lists what was added, changed and removed, and no mounts", async () => {
    await start(
      "changes",
      "mkdir /opt; echo a > /opt/a; rm /srv/data/seed.txt; chmod 700 /root; busybox mv /tmp /moved; sleep 1000",
    );
    await until(async () => {
      const { stdout, stderr } = await cli("diff", "changes");
      assert.equal(stderr, "");
      return stdout.includes("/moved");
    });
    const wanted = "A /moved\nA /opt\nA /opt/a\nC /root\nC /srv\nC /srv/data\nD /srv/data/seed.txt\nD /tmp\n";
    assert.equal((await cli("diff", "changes")).stdout, wanted);
    await cli("kill", "changes");
    assert.equal((await cli("diff", "changes")).stdout, wanted);
    await cli("rm", "changes");
  });

  it("cp goes both ways, running or not, as docker reads its paths", async () => {
    const here = (name: string): string => join(work, name);
    mkdirSync(here("from/sub"), { recursive: true });
    writeFileSync(here("from/sub/a.txt"), "a\n", { mode: 0o640 });
    symlinkSync("sub/a.txt", here("from/link"));
    for (const state of ["running", "stopped"]) {
      if (state === "stopped") await cli("stop", "-t", "5", "shop");
      const cp = async (from: string, to: string, ...flags: string[]): Promise<void> => {
        const result = await cli("cp", ...flags, from, to);
        assert.deepEqual([result.status, result.stderr], [0, ""], `${from} ${to}`);
      };
      await cp(here("from"), `shop:/srv/${state}`); // is made
      await cp(here("from"), `shop:/srv/${state}`); // goes into it
      await cp(`${here("from")}/.`, `shop:/srv/${state}/from/sub`);
      await cp(here("from/link"), `shop:/srv/${state}/followed`, "-L");
      rmSync(here("back"), { recursive: true, force: true });
      await cp(`shop:/srv/${state}`, here("back"));
      const list = execFileSync("find", [here("back"), "-printf", "%P %M %U %l\n"], { encoding: "utf8" });
      assert.deepEqual(
        list
          .split("\n")
          .filter((line) => line.includes("a.txt"))
          .sort(),
        [
          "from/link lrwxrwxrwx 0 sub/a.txt",
          "from/sub/a.txt -rw-r----- 0 ",
          "from/sub/link lrwxrwxrwx 0 sub/a.txt",
          "from/sub/sub/a.txt -rw-r----- 0 ",
          "link lrwxrwxrwx 0 sub/a.txt",
          "sub/a.txt -rw-r----- 0 ",
        ],
      );
      assert.equal(readFileSync(here("back/followed"), "utf8"), "a\n");
    }
    await cli("start", "shop");
    assert.equal(await inShop("cat /srv/stopped/link"), "a\n");
  });

  it("cp keeps owners with -a only, and says what is not there", async () => {
    const target = join(work, "seed");
    await cli("cp", "shop:/srv/data/seed.txt", target);
    assert.equal(statSync(target).uid, process.getuid?.());
    await cli("cp", "-a", "shop:/srv/data/seed.txt", target);
    assert.deepEqual([statSync(target).uid, statSync(target).gid], [33, 44]);
    for (const [from, to] of [
      ["shop:/no/such", target],
      [target, "shop:/no/such/place"],
      ["shop:/srv", target],
      [target, "shop:/etc/passwd/x"],
      // The kernel says that they are empty, until they are read.
      ["shop:/proc/self/status", target],
      ["/proc/cpuinfo", "shop:/tmp"],
    ] as const) {
      // biome-ignore format: a table
      const result = await cli("cp", from, to);
      assert.match(result.stderr, /error\[E_PATH_NOT_FOUND\]/, `${from} ${to}`);
      assert.equal(result.status, 1);
    }
    assert.equal((await cli("cp", target, join(work, "x"))).status, 2);
  });

  it("cp gives and takes tar streams", async () => {
    const archive = join(work, "data.tar");
    const tranship = `"$0" "$1" cp`;
    const words = [process.execPath, join(import.meta.dirname, "../../src/cli/main.ts")];
    await fixture.inside(["sh", "-c", `${tranship} shop:/srv/data - > ${archive}`, ...words]);
    assert.equal(execFileSync("tar", ["tf", archive], { encoding: "utf8" }), "data/\ndata/seed.txt\n");
    const full = await fixture.inside(["sh", "-c", `${tranship} shop:/srv/data - >/dev/full`, ...words]);
    assert.match(full.stderr, /^error\[E_NO_SPACE\]: cannot write the archive/);
    const gone = await fixture.inside(["sh", "-c", `${tranship} shop:/bin - | head -c 1`, ...words]);
    assert.equal(gone.stderr, "");
    const into = await fixture.inside(["sh", "-c", `gzip -c ${archive} | ${tranship} - shop:/tmp`, ...words]);
    assert.deepEqual([into.status, into.stderr], [0, ""]);
    assert.equal(await inShop("stat -c '%u %g %n' /tmp/data/seed.txt"), "33 44 /tmp/data/seed.txt\n");
    const evil = join(work, "evil.tar");
    execFileSync("tar", ["-P", "-cf", evil, "--transform", "s,.*,../../../escaped,", archive]);
    const refused = await fixture.inside(["sh", "-c", `${tranship} - shop:/tmp < ${evil}`, ...words]);
    assert.match(refused.stderr, /leads upwards/);
    assert.equal(existsSync("/escaped"), false);
  });

  it("links inside an instance lead cp nowhere outside of it", async () => {
    const victim = join(work, "victim");
    mkdirSync(victim);
    writeFileSync(join(victim, "passwd"), "of the host\n");
    await inShop(
      `mkdir -p ${victim}; ln -s /etc /srv/etc; ln -s ${victim} /srv/out; ln -s ../../../../../../../..${victim} /srv/up`,
    );
    for (const link of ["out", "up"]) {
      const result = await cli("cp", "/etc/hostname", `shop:/srv/${link}/${link}`);
      assert.equal(result.status, 0, result.stderr);
    }
    assert.deepEqual(readdirSync(victim), ["passwd"]);
    assert.equal(await inShop(`ls ${victim}`), "out\nup\n");
    await cli("cp", "shop:/srv/etc/passwd", join(work, "passwd"));
    assert.match(readFileSync(join(work, "passwd"), "utf8"), /^web:x:33:44/m);
  });

  it("events and history tell of instances that are gone", async () => {
    await start("brief", "echo x > /srv/one; echo y > /srv/two; exit 3", "--label", "who=me");
    await cli("wait", "brief");
    const id = (await cli("inspect", "--format", "{{.record.id}}", "brief")).stdout.trim();
    await cli("start", "brief");
    await cli("wait", "brief");
    await cli("rename", "brief", "gone");
    await cli("rm", "gone");
    await cli("run", "--rm", "--name", "quick", "--network", "none", "box:1", "false");
    const events = async (...args: string[]): Promise<string> =>
      (await cli("events", "--since", "1h", "--until", "0s", ...args)).stdout;
    const actions = await events(
      "--filter",
      `instance=${id}`,
      "--format",
      "{{.Type}} {{.Action}} {{.Actor.Attributes.exitCode}}",
    );
    assert.deepEqual(actions.trim().split("\n").map((line) => line.trim()), [
      "instance create", "instance start", "instance die 3", "instance start", "instance die 3", "instance rename",
      "instance destroy",
    ]); // biome-ignore format: a list
    assert.match(
      await events("-f", "instance=quick"),
      /instance die [0-9a-f]{64} \(exitCode=1, image=box:1, name=quick\)/,
    );
    assert.match(
      await events("-f", "label=who=me", "-f", "event=create"),
      /^\S+Z instance create .*who=me\)$/m,
    );
    assert.equal(await events("-f", "instance=nothing"), "");
    const runs = JSON.parse((await cli("history", "--format", "json", "gone")).stdout) as Record<
      string,
      unknown
    >[];
    assert.deepEqual(
      runs.map((run) => [run.status, run.files, run.state]),
      [
        [3, 2, "ended"],
        [3, 2, "ended"],
      ],
    );
    assert.ok(
      runs.every((run) => Number(run.cpuSeconds) > 0 && Number(run.peakBytes) > 0),
      JSON.stringify(runs),
    );
    assert.match(
      (await cli("history", "quick")).stdout,
      /^[0-9a-f]{12} +quick +box:1 +.* ago +\S+ +1 +0\.\d\ds +[\d.]+MiB +0 +-$/m,
    );
    assert.doesNotMatch((await cli("history")).stdout, / ago +-\d/);
    assert.match((await cli("history", "shop")).stdout, / running +- +- +- +-$/m);
    // Nothing of it can tell any more what it used.
    const busy =
      "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; trap '' TERM; touch /tmp/done; sleep 600 & wait; sleep 600";
    const killed = async (name: string, ...by: string[]): Promise<void> => {
      await cli(
        "run",
        "-d",
        "--name",
        name,
        "--network",
        "none",
        "--restart",
        "no",
        "box:1",
        "sh",
        "-c",
        busy,
      );
      await until(async () => (await cli("exec", name, "stat", "/tmp/done")).status === 0);
      await cli(...by, name);
      const [run] = JSON.parse((await cli("history", "--format", "json", name)).stdout) as Record<
        string,
        unknown
      >[];
      assert.ok(
        Number(run?.cpuSeconds) > 0 && Number(run?.peakBytes) > 0,
        `${by.join(" ")}: ${JSON.stringify(run)}`,
      );
      assert.equal(run?.status, 137);
      await cli("rm", "-f", name);
    };
    await killed("killed", "kill");
    await killed("forced", "rm", "-f");
    assert.equal((await cli("history", "nothing")).status, 1);
  });

  it("events goes on as things happen, until it is stopped", async () => {
    const [program = "", ...words] = [
      ...fixture.enter,
      process.execPath,
      mainProgram,
      "events",
      "-f",
      "event=rename",
    ];
    const child = spawn(program, [...words, "--format", "{{.Actor.Attributes.name}}"], {
      env: { ...process.env, TRANSHIP_ROOT: fixture.root.path },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise<number | null>((resolve) => child.on("exit", (status) => resolve(status)));
    let told = "";
    child.stdout.on("data", (chunk: Buffer) => {
      told += chunk.toString();
    });
    // It tells what happens after it began, which nobody can see from outside: so more than once.
    for (let round = 0; !/^shop\d+\nshop$/m.test(told); round++) {
      await cli("rename", "shop", `shop${round}`);
      await cli("rename", `shop${round}`, "shop");
    }
    child.kill("SIGINT");
    assert.equal(await ended, 130);
  });
});
