// Instances in process that are kept: in the background, over stop and start, by restart rules, after kill -9 of whoever holds them; and what they write by
// write-copy, with cp and diff. As root and as an ordinary user.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { release } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { newDescriptor } from "../../src/package/descriptor.ts";
import { cannotRun } from "../support/engine.ts";
import { type Outcome, stranger, TwoUsers, type Who } from "../support/two-users.ts";
import { makePackage, programWords, until, whyNot } from "./runtime-fixture.ts";

const plain = newDescriptor(
  { id: "", name: "", version: "", publisher: "" },
  { os: { id: "", version: "" }, kernel: "", architecture: "" },
);

describe("instances in process that are kept", { skip: whyNot() ?? cannotRun, timeout: 300_000 }, () => {
  let users: TwoUsers;
  let home: string;
  let roots: TwoUsers["roots"];
  /** A folder of the host that rules show. */
  let shared: string;

  before(async () => {
    users = new TwoUsers("in-process-kept");
    ({ home, roots } = users);
    shared = join(home, "shared");
    const files = [
      { from: shared, to: "/srv/legacy", match: "folder", mode: "write-copy" },
      { from: `${home}/one.conf`, to: "/srv/one.conf", match: "exact", mode: "write-copy" },
    ] as const;
    const services = [
      { name: "second", program: "second", after: ["first"] },
      { name: "first", program: "first", readiness: { file: "/tmp/first" } },
    ];
    const loop = (name: string): string[] => [
      "/bin/sh",
      "-c",
      `echo ${name} $(date +%Y); touch /tmp/${name}; trap 'echo ${name} ends; exit 0' TERM; while :; do sleep 0.05; done`,
    ];
    const programs = [
      { name: "first", command: loop("first") },
      { name: "second", command: loop("second") },
    ];
    for (const root of Object.values(roots)) {
      await makePackage(root, "box:1", {
        files: {
          "srv/legacy/a": "a of the package\n",
          "srv/legacy/dir/b": "b\n",
          "srv/one.conf": "one\n",
          "opt/stuff/a": "a of the package\n",
          "opt/stuff/dir/b": "b\n",
        },
        descriptor: { redirections: { ...plain.redirections, files: [...files] } },
      });
      await makePackage(root, "pair:1", {
        descriptor: {
          programs,
          services,
          elements: { ...plain.elements, clock: { offset: "-3650d" } },
        } as never,
      });
    }
    users.handOver();
  });
  after(() => {
    assert.deepEqual(processesOf(), []);
    users.remove();
  });

  function processesOf(): number[] {
    return readdirSync("/proc")
      .filter((pid) => {
        try {
          return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/exe`).startsWith(home);
        } catch {
          return false; // gone
        }
      })
      .map(Number);
  }
  const cli = (who: Who, ...args: string[]): Outcome => users.cli(who, ...args);
  const done = (who: Who, ...args: string[]): string => users.done(who, ...args);
  const inProcess = ["run", "--engine", "inprocess"];

  for (const who of ["root", "user"] as const) {
    it(`changes the clock of programs that run, and of what starts later (${who})`, async () => {
      const script = 'while :; do echo "in $(date +%Y)"; sleep 0.2; done';
      const now = (): string => done(who, "exec", "timed", "/bin/sh", "-c", "date '+%F %T'");
      const year = (): string => now().slice(0, 4);
      const told = (): string => done(who, "logs", "timed");
      const flags = ["-d", "--name", "timed", "--clock", "@2001-06-01"];
      done(who, ...inProcess, ...flags, "box:1", "/bin/sh", "-c", script);
      await until(() => /in 2001/.test(told()));
      assert.equal(done(who, "update", "--clock", "@2009-06-01", "timed"), "timed\n");
      await until(() => /in 2009/.test(told()));
      assert.equal(year(), "2009");
      done(who, "update", "--clock", "@2011-06-01", "--clock-rate", "0", "timed");
      const standing = now();
      assert.match(standing, /^2011-06-01/);
      assert.equal(now(), standing);
      await until(() => /in 2011/.test(told()));
      done(who, "restart", "-t", "0", "timed");
      assert.equal(year(), "2011");
      done(who, "rm", "-f", "timed");
      done(who, ...inProcess, "-d", "--name", "timed", "box:1", "/bin/sh", "-c", "sleep 60");
      const { status, stderr } = cli(who, "update", "--clock", "+1h", "timed");
      assert.equal(status === 0, false);
      assert.match(stderr, /E_INSTANCE_STATE.*clock of this host/);
      done(who, "rm", "-f", "timed");
    });
  }

  for (const who of ["root", "user"] as const) {
    it(`keeps what is written by write-copy over stop and start, and shows it by diff and cp (${who})`, () => {
      rmSync(shared, { recursive: true, force: true });
      mkdirSync(join(shared, "of-the-host"), { recursive: true });
      writeFileSync(join(shared, "h"), "h of the host\n");
      if (who === "user") spawnSync("chown", ["-R", "54321:54321", shared]);
      const script = [
        `cd ${shared}; ls | tr '\\n' ' '`,
        "cat a h; echo more >> a; echo new > n; rm h; rm -r dir",
        `echo changed > ${home}/one.conf; rm /etc/hosts; echo x > /srv/data/x; ls | tr '\\n' ' '`,
        "trap 'exit 3' TERM; while :; do sleep 0.05; done",
      ].join("; ");
      const flags = ["-d", "--name", "kept", "--allow-host", shared];
      done(who, ...inProcess, ...flags, "box:1", "/bin/sh", "-c", script);
      const logs = (): string => done(who, "logs", "kept");
      assert.match(logs(), /^a dir h of-the-host a of the package\nh of the host\n/);
      done(who, "stop", "kept");
      assert.match(done(who, "ps", "-a"), /Exited \(3\)/);
      const told = done(who, "diff", "kept").split("\n");
      for (const line of ["C /srv/data", "A /srv/data/x", `C ${shared}`, `C ${shared}/a`, `A ${shared}/n`])
        assert.ok(told.includes(line), `${line} is not in ${told.join("; ")}`);
      for (const line of [`D ${shared}/h`, `D ${shared}/dir`, `C ${home}/one.conf`])
        assert.ok(told.includes(line), `${line} is not in ${told.join("; ")}`);
      assert.equal(told.length, 10, told.join("; "));
      assert.equal(readFileSync(join(shared, "h"), "utf8"), "h of the host\n");
      assert.equal(existsSync(join(home, "one.conf")), false);

      const copy = join(home, `copy-${who}`);
      mkdirSync(copy);
      if (who === "user") spawnSync("chown", ["54321:54321", copy]);
      done(who, "cp", `kept:${shared}`, copy);
      assert.deepEqual(readdirSync(join(copy, "shared")).sort(), ["a", "n", "of-the-host"]);
      assert.equal(readFileSync(join(copy, "shared/a"), "utf8"), "a of the package\nmore\n");
      writeFileSync(join(copy, "h"), "h of mine\n");
      done(who, "cp", join(copy, "h"), `kept:${shared}/h`);
      done(who, "cp", join(copy, "h"), "kept:/srv/data/h");
      assert.equal(readFileSync(join(shared, "h"), "utf8"), "h of the host\n");
      done(who, "start", "kept");
      assert.match(logs(), /a h n of-the-host a of the package\nmore\nh of mine\n/);
      assert.match(done(who, "ps"), /Up .*\(in process\)/);
      done(who, "cp", "kept:/srv/data/h", join(copy, "back"));
      assert.equal(readFileSync(join(copy, "back"), "utf8"), "h of mine\n");
      done(who, "rm", "--force", "kept");
      assert.deepEqual(readdirSync(roots[who].instances), []);
    });

    it(`runs services in order in the background, and repairs what kill -9 leaves (${who})`, async () => {
      const id = done(who, ...inProcess, "-d", "--name", "pair", "pair:1").trim();
      const view = (): { State: { Pid: number; Status: string } } =>
        JSON.parse(done(who, "inspect", "pair"))[0] as never;
      assert.match(id, /^[0-9a-f]{64}$/);
      await until(() => /^second/m.test(done(who, "logs", "pair")));
      assert.match(done(who, "logs", "pair"), /first \d+\n(.*\n)*second \d+/);
      const monitor = Number(
        /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${view().State.Pid}/status`, "latin1"))?.[1],
      );
      // Its end will be seen by the next command.
      process.kill(monitor, "SIGKILL");
      assert.equal(view().State.Status, "running");
      assert.equal(done(who, "stop", "pair"), "pair\n");
      assert.deepEqual(processesOf(), []);
      assert.match(done(who, "logs", "pair"), /second ends\n(.*\n)*first ends/);
      done(who, "start", "pair");
      process.kill(view().State.Pid, "SIGKILL");
      assert.equal(done(who, "wait", "pair").trim(), "137");
      await until(() => processesOf().length === 0);
      const runs = done(who, "history", "pair", "--format", "{{.Status}}").trim().split("\n");
      assert.deepEqual(runs.sort(), ["0", "137"]);
      // Both: nobody is left to see it.
      done(who, "restart", "pair");
      const main = view().State.Pid;
      const above = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${main}/status`, "latin1"))?.[1]);
      process.kill(above, "SIGKILL");
      process.kill(main, "SIGKILL");
      done(who, "rm", "pair");
      assert.deepEqual(processesOf(), []);
      assert.deepEqual(readdirSync(roots[who].instances), []);
    });
  }

  it("is started again by its rule, with the status of each end in its history", async () => {
    const words = [
      "--restart",
      "on-failure:2",
      "--name",
      "again",
      "box:1",
      "/bin/sh",
      "-c",
      "sleep 0.2; exit 9",
    ];
    done("root", ...inProcess, "-d", ...words);
    await until(() => done("root", "history", "again", "--format", "{{.Status}}") === "9\n9\n9\n");
    assert.match(done("root", "ps", "-a"), /Exited \(9\)/);
    done("root", "rm", "again");
  });

  it("leaves nothing of one whose start was killed, or that failed", async () => {
    const failed = cli("root", ...inProcess, "-d", "--name", "bad", "box:1", "/bin/nothing");
    assert.equal(failed.status, 127, failed.stderr);
    // Its id was given to nobody: the next command removes it.
    done("root", ...inProcess, "--rm", "box:1", "/bin/true");
    assert.equal(done("root", "ps", "-aq"), "");
    const runWith = (variables: NodeJS.ProcessEnv): number | null => {
      const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
      const [program = "", ...rest] = [
        ...[...programWords(true), ...inProcess, "-d"],
        ...["--allow-host", shared, "box:1", "/bin/sleep", "1000"],
      ];
      const own = { HOME: home, TRANSHIP_ROOT: roots.root.path, ...variables };
      return spawnSync(program, rest, { cwd: "/", env: { ...env, ...own } }).status;
    };
    const list = join(home, "steps");
    assert.equal(runWith({ TRANSHIP_STEPS_FILE: list }), 0);
    done("root", "rm", "-f", done("root", "ps", "-aq").trim());
    const steps = readFileSync(list, "utf8").trim().split("\n");
    for (const step of ["copy the package", "policy", "engine", "detached start", "acknowledge"]) {
      const [number = ""] = steps.find((line) => line.endsWith(` ${step}`))?.split(" ") ?? [];
      assert.notEqual(number, "", `${step}: ${steps}`);
      assert.notEqual(runWith({ TRANSHIP_CRASH_AT: number }), 0, step);
      done("root", ...inProcess, "--rm", "box:1", "/bin/true");
      assert.deepEqual(processesOf(), [], step);
      assert.deepEqual(readdirSync(roots.root.instances), [], step);
    }
  });

  it("leads addresses and names elsewhere, as the package and the command line say", async () => {
    const server = createServer((socket) => socket.end("hello\n")).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const network = [
      { kind: "connect", from: "192.0.2.7:13000", to: `127.0.0.1:${port}` },
      { kind: "name", from: "database.old", to: "192.0.2.7" },
    ] as const;
    await makePackage(roots.root, "led:1", {
      descriptor: { redirections: { ...plain.redirections, network: [...network] } },
    });
    const asked =
      "nc database.old 13000 </dev/null; nc -w 2 198.51.100.1 80 </dev/null; netstat -tn >/dev/null";
    const words = ["--rm", "--connect", `198.51.100.1:80=127.0.0.1:${port}`, "led:1", "/bin/sh", "-c", asked];
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
    const [program = "", ...rest] = [...programWords(true), ...inProcess, ...words];
    const own = { HOME: home, TRANSHIP_ROOT: roots.root.path };
    const child = spawn(program, rest, {
      cwd: "/",
      env: { ...env, ...own },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.on("data", (bytes) => (said += bytes));
    await new Promise((resolve) => child.once("close", resolve));
    server.close();
    assert.equal(said, "hello\nhello\n");
  });

  it("tells of a name that is made where it is, and of no change but that, where the package has no entry for /", async () => {
    await makePackage(roots.root, "topless:1", { topless: true, files: { "srv/legacy/a": "a\n" } });
    const flags = ["--name", "made", "--log-redirections", "--redirect", "/opt/app=/srv/legacy:write-copy"];
    const words = ["run", "--engine", "inprocess", ...flags, "topless:1"];
    done("root", ...words, "/bin/sh", "-c", "echo new > /opt/app/n; echo more >> /opt/app/a");
    const led = done("root", "logs", "--redirections", "/opt/app", "made");
    assert.match(led, /file \/opt\/app\/n -> \/.*\/redirect\/0\/upper\/n \{redirected\}$/m);
    assert.match(led, /file \/opt\/app\/a -> \/.*\/root\/srv\/legacy\/a \{redirected\}$/m);
    assert.equal(done("root", "diff", "made"), "C /opt/app\nC /opt/app/a\nA /opt/app/n\n");
    done("root", "rm", "made");
  });

  it("leaves excluded programs to the host, and tells what led where", async () => {
    await makePackage(roots.root, "out:1", { descriptor: { excludes: ["uname"] } });
    const script =
      "/bin/busybox uname -r; /usr/bin/uname -r; cat /etc/hostname; test -e $(printf '/etc/e\\033c') || :";
    const words = ["--name", "out", "--uname-release", "inside", "--log-redirections"];
    const told = (reference: string): Outcome =>
      cli("root", ...inProcess, ...words, reference, "/bin/sh", "-c", script);
    const first = told("out:1");
    assert.equal(first.stdout, `inside\n${release()}\nold-web\n`, first.stderr);
    assert.match(first.stderr, /programs are the host's own.*: uname/);
    const led = done("root", "logs", "--redirections", "/etc/hostname", "out");
    assert.match(led, /^\d+ file \/etc\/hostname -> \/.*\/root\/etc\/hostname \{redirected\}$/m);
    assert.doesNotMatch(led, /busybox/);
    const all = done("root", "logs", "--redirections", "/", "out");
    assert.match(all, /\/bin\/busybox/);
    // A name may be commands for a terminal.
    assert.match(all, /\/etc\/e\\x1bc -> /);
    assert.ok(!all.includes("\u001b"));
    done("root", "rm", "out");
    assert.match(told("box:1").stdout, /^inside\nold-web\n$/);
    assert.equal(done("root", "logs", "--redirections", "/nothing", "out"), "");
    done("root", "rm", "out");
    const under = cli("root", "run", "--rm", "--log-redirections", "box:1", "true");
    assert.match(under.stderr, /E_USAGE.*--log-redirections is for --engine inprocess/);
  });

  for (const who of ["root", "user"] as const) {
    it(`runs commands in it, which end with it (${who})`, async () => {
      const flags = [
        "-d",
        "--name",
        "inside",
        "-e",
        "GIVEN=1",
        "--clock",
        "@2009-02-03",
        "--clock-rate",
        "1000",
      ];
      const loop = "echo x > /tmp/x; trap 'exit 3' TERM; while :; do sleep 0.05; done";
      done(who, ...inProcess, ...flags, "box:1", "/bin/sh", "-c", loop);
      await until(() => done(who, "exec", "inside", "busybox", "ls", "/tmp").includes("x"));
      const script = "cat /tmp/x; busybox uname -n; echo $GIVEN $MORE; pwd; exit 7";
      const told = cli(who, "exec", "-e", "MORE=2", "-w", "/srv", "inside", "/bin/sh", "-c", script);
      const name = JSON.parse(done(who, "inspect", "inside"))[0].Config.Hostname;
      assert.deepEqual([told.stdout, told.status], [`x\n${name}\n1 2\n/srv\n`, 7], told.stderr);
      const date = (): number =>
        Date.parse(`${done(who, "exec", "inside", "busybox", "date", "-u", "+%FT%T").trim()}Z`);
      const [first, second] = [date(), date()];
      assert.ok(first > Date.parse("2009-02-03") && second > first + 20_000, `${first} ${second}`);
      assert.equal(cli(who, "exec", "inside", "no-such-program").status, 127);
      assert.match(cli(who, "exec", "-d", "inside", "true").stderr, /E_USAGE.*exec -d/);
      if (who === "root")
        assert.equal(done(who, "exec", "-u", "33:44", "inside", "busybox", "id", "-u"), "33\n");
      else assert.match(cli(who, "exec", "-u", "33", "inside", "id").stderr, /E_USAGE.*needs root/);
      const [program = "", ...rest] = [...(who === "user" ? stranger : []), ...programWords(false)];
      const env = { ...process.env, HOME: home, TRANSHIP_ROOT: roots[who].path };
      const words = [...rest, "exec", "inside", "/bin/sh", "-c", "echo begun; sleep 100"];
      const child = spawn(program, words, { cwd: "/", env, stdio: ["ignore", "pipe", "ignore"] });
      await new Promise((resolve) => child.stdout.once("data", resolve));
      const ended = new Promise((resolve) => child.on("close", resolve));
      done(who, "stop", "inside");
      assert.equal(await ended, 137);
      assert.match(cli(who, "exec", "inside", "true").stderr, /E_INSTANCE_STATE/);
      done(who, "rm", "inside");
      assert.deepEqual(processesOf(), []);
    });

    it(`shares named volumes, which are filled from the package (${who})`, () => {
      const run = (...words: string[]): string => done(who, ...inProcess, "--rm", ...words);
      const flags = ["-v", "stuff:/opt/stuff", "box:1", "/bin/sh", "-c"];
      assert.equal(
        run(...flags, "cd /opt/stuff; cat a dir/b; echo more >> a; mkdir new"),
        "a of the package\nb\n",
      );
      assert.equal(run(...flags, "cd /opt/stuff; cat a; ls"), "a of the package\nmore\na\ndir\nnew\n");
      assert.equal(
        run("-v", "/opt/stuff", "box:1", "/bin/sh", "-c", "cd /opt/stuff; cat a; ls"),
        "a of the package\na\ndir\n",
      );
      assert.deepEqual(readdirSync(join(roots[who].path, "volumes")), ["stuff"]);
      const read = cli(
        who,
        ...inProcess,
        "--rm",
        "-v",
        "stuff:/opt/stuff:ro",
        "box:1",
        "/bin/sh",
        "-c",
        "echo x > /opt/stuff/a",
      );
      assert.match(read.stderr, /Read-only file system/);
      if (who === "root")
        assert.equal(
          run("-u", "33", "-v", "stuff:/opt/stuff", "box:1", "/bin/cat", "/opt/stuff/a"),
          "a of the package\nmore\n",
        );
    });
  }

  it("merges a folder with the host's, and shows no secrets of it", () => {
    const folder = join(home, "exchange");
    mkdirSync(folder);
    writeFileSync(join(folder, "theirs"), "host\n");
    const run = (...words: string[]): Outcome => cli("root", ...inProcess, "--rm", ...words);
    const flags = ["--redirect", `${folder}=/srv:merged`, "--allow-host", folder];
    const script = `cd ${folder} && cat theirs && echo new > ours && ls one.conf ours && (echo x > one.conf) 2>/dev/null || echo kept`;
    const told = run(...flags, "box:1", "/bin/sh", "-c", script);
    assert.equal(told.stdout, "host\none.conf\nours\nkept\n", told.stderr);
    assert.equal(readFileSync(join(folder, "ours"), "utf8"), "new\n");
    assert.match(
      run("--redirect", `${folder}=/srv:merged`, "box:1", "true").stderr,
      /host's may not be seen/,
    );
    const under = cli("root", "run", "--rm", ...flags, "box:1", "true");
    assert.match(under.stderr, /E_REDIRECTION.*--engine inprocess/s);
    const etc = ["--redirect", "/etc=/none:merged", "--allow-host", "/etc", "box:1"];
    const seen = run(
      ...etc,
      "/bin/sh",
      "-c",
      "ls /etc | grep -x -e shadow -e fstab; cat /etc/fstab >/dev/null && cat /etc/shadow",
    );
    assert.match(seen.stderr, /shadow'?: No such file/);
    assert.equal(seen.stdout, "fstab\n", seen.stderr);
  });

  it("refuses what the engine cannot do, with the reason", () => {
    const run = (...flags: string[]): Outcome =>
      cli("root", ...inProcess, "--rm", ...flags, "box:1", "/bin/true");
    assert.match(run("--redirect", "/opt/x=/srv/no:merged").stderr, /E_REDIRECTION.*host's may not be seen/);
    const secret = run("--redirect", "/etc/shadow=/srv/one.conf:write-copy", "--allow-host", "/etc");
    assert.match(secret.stderr, /E_REDIRECTION.*known to be secret/);
    assert.match(run("--redirect", "/proc/x=/srv/one.conf").stderr, /belongs to the instance itself/);
    const shown = ["--redirect", "/opt/conf=/etc:write-copy", "--allow-host", "/opt/conf"];
    assert.equal(run(...shown).status, 0);
  });
});
