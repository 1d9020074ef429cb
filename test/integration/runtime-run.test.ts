// run, ps, logs, exec, stop, rm on a real OCI runtime.
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("instances", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
  });
  after(async () => {
    await fixture.remove();
  });

  const cli = (...args: string[]) => fixture.cli(args);

  it("gives the program's output and status and leaves nothing with --rm", async () => {
    const result = await cli("run", "--rm", "box:1", "sh", "-c", "echo out; echo err >&2; exit 7");
    assert.deepEqual(result, { status: 7, stdout: "out\n", stderr: "err\n" });
    await fixture.clean();
  });

  for (const [what, command, status] of [
    ["a signal", ["sh", "-c", "kill -9 $$"], 137],
    ["a missing command", ["/no/such"], 127],
    ["a file that is no program", ["/etc/passwd"], 126],
  ] as const) {
    it(`ends with ${status} for ${what}`, async () => {
      const result = await cli("run", "--rm", "--network", "none", "box:1", ...command);
      assert.equal(result.status, status, result.stderr);
    });
  }

  it("ends with 125 for what is our failure, and keeps nothing", async () => {
    const unknown = await cli("run", "nothing:1");
    assert.equal(unknown.status, 125);
    assert.match(unknown.stderr, /^error\[E_IMAGE_NOT_FOUND\]/m);
    const user = await cli("run", "--name", "who", "-u", "nobody-here", "box:1", "true");
    assert.match(user.stderr, /the package has no user "nobody-here"/);
    await fixture.clean();
  });

  it("keeps an exited instance, its log and its status until rm", async () => {
    assert.equal(
      (await cli("run", "--name", "kept", "box:1", "sh", "-c", "echo one; echo two >&2; exit 3")).status,
      3,
    );
    const ps = await cli("ps", "-a", "--format", "{{.Names}} {{.State}} {{.Status}} {{.Image}}");
    assert.match(ps.stdout, /^kept exited Exited \(3\) .* ago box:1$/m);
    assert.equal((await cli("ps", "-q")).stdout.trim(), "");
    assert.deepEqual(await cli("logs", "kept"), { status: 0, stdout: "one\n", stderr: "two\n" });
    assert.equal((await cli("wait", "kept")).stdout, "3\n");
    assert.equal((await cli("run", "--name", "kept", "box:1", "true")).status, 125);
    assert.equal((await cli("rm", "kept")).status, 0);
    await fixture.clean();
  });

  it("runs detached: ps, logs -f, exec, stop with the program's own status", async () => {
    const script = 'trap "echo bye; exit 4" TERM; echo up; while :; do sleep 0.05; done';
    const run = await cli("run", "-d", "--name", "bg", "box:1", "sh", "-c", script);
    assert.equal(run.status, 0, run.stderr);
    const id = run.stdout.trim();
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.equal((await cli("ps", "-q", "--no-trunc")).stdout.trim(), id);
    const followed = cli("logs", "-f", id.slice(0, 8));
    assert.deepEqual(await cli("exec", "bg", "sh", "-c", "echo $A; cat /proc/1/comm; exit 9"), {
      status: 9,
      stdout: "\ninit\n",
      stderr: "",
    });
    const web = await cli(
      "exec",
      "-u",
      "web",
      "-w",
      "/srv",
      "-e",
      "A=b",
      "bg",
      "sh",
      "-c",
      "id; pwd; echo $A",
    );
    assert.equal(
      web.stdout,
      "uid=33(web) gid=44(web) groups=44(web),55(extra)\n/srv\nb\n".replace(
        "groups=44(web),55(extra)",
        "groups=55(extra)",
      ),
    );
    assert.equal((await fixture.cli(["exec", "-i", "bg", "cat"], { input: "typed" })).stdout, "typed");
    assert.equal((await cli("exec", "bg", "nothing-such")).status, 127);
    assert.equal((await cli("rm", "bg")).status, 1);
    assert.equal((await cli("stop", "bg")).status, 0);
    assert.equal((await followed).stdout, "up\nbye\n");
    assert.equal((await cli("wait", "bg")).stdout, "4\n");
    assert.equal((await cli("exec", "bg", "true")).status, 125);
    assert.equal((await cli("start", "bg")).status, 0);
    assert.equal((await cli("ps", "-q")).stdout.trim(), id.slice(0, 12));
    assert.equal((await cli("rm", "-f", "bg")).status, 0);
    await fixture.clean();
  });

  it("kills what does not stop in time", async () => {
    await cli(
      "run",
      "-d",
      "--name",
      "deaf",
      "--network",
      "none",
      "box:1",
      "sh",
      "-c",
      'trap "" TERM; while :; do sleep 0.1; done',
    );
    await cli("stop", "-t", "0.2", "deaf");
    assert.equal((await cli("wait", "deaf")).stdout, "137\n");
    await cli("rm", "deaf");
  });

  it("passes signals of kill on, and follows the restart rule until stop", async () => {
    await cli(
      "run",
      "-d",
      "--name",
      "again",
      "--restart",
      "always",
      "--network",
      "none",
      "box:1",
      "sh",
      "-c",
      "echo run; trap 'exit 1' USR1; while :; do sleep 0.05; done",
    );
    assert.equal((await cli("kill", "-s", "USR1", "again")).status, 0);
    await until(async () => (await cli("logs", "again")).stdout === "run\nrun\n");
    await until(async () => (await cli("ps", "-q")).stdout.trim() !== "");
    await cli("stop", "-t", "0", "again");
    assert.match((await cli("ps", "-a", "--format", "{{.State}}")).stdout, /^exited$/m);
    await cli("rm", "again");
    await fixture.clean();
  });

  it("removes what a dead command made for itself, running or ended", async () => {
    for (const words of [["true"], ["sleep", "1000"]]) {
      const made = await cli(
        "run",
        "-d",
        "--network",
        "none",
        "--label",
        "tranship.trial=test",
        "box:1",
        ...words,
      );
      assert.equal(made.status, 0, made.stderr);
      // Whatever changes something repairs first.
      await until(async () => {
        await cli("run", "--rm", "--network", "none", "box:1", "true");
        return (await cli("ps", "-aq")).stdout === "";
      });
    }
    await fixture.clean();
  });

  it("says that the disk is full while a layer is unpacked, and leaves nothing", async () => {
    const other = await makeFixture();
    try {
      await makePackage(other.root, "big:1", { files: { "srv/big": "x".repeat(6 << 20) } });
      const small = `${other.root.path}/small`;
      const words = `mkdir "$0" && mount -t tmpfs -o size=10m none "$0" && cd "$1" && cp -a store version.json "$0"`;
      assert.equal((await other.inside(["sh", "-c", words, small, other.root.path])).status, 0);
      const { status, stderr } = await other.cli([
        "--root",
        small,
        "run",
        "--rm",
        "--network",
        "none",
        "big:1",
        "true",
      ]);
      assert.equal(status, 125);
      assert.match(stderr, /^error\[E_NO_SPACE\]: /m);
      const left = await other.inside(["sh", "-c", `ls "$0/layers" "$0/instances"`, small]);
      assert.doesNotMatch(left.stdout, /[0-9a-f]{64}/);
    } finally {
      await other.remove();
    }
  });

  it("tells who waits the status of an instance with --rm", async () => {
    const { stdout } = await cli(
      "run",
      "-d",
      "--rm",
      "--network",
      "none",
      "box:1",
      "sh",
      "-c",
      "sleep 1; exit 4",
    );
    assert.equal((await cli("wait", stdout.trim())).stdout, "4\n");
    await fixture.clean();
  });

  it("removes a detached instance with --rm when it ends", async () => {
    assert.equal((await cli("run", "-d", "--rm", "box:1", "true")).status, 0);
    await fixture.clean();
  });

  it("seeds volumes with owners and modes, keeps them apart, and keeps named ones", async () => {
    const look = [
      "sh",
      "-c",
      "cat /srv/data/*; stat -c '%a %u:%g' /srv/data /srv/data/seed.txt; echo more > /srv/data/more.txt",
    ];
    const seeded = "from the image\n750 33:44\n644 33:44\n";
    assert.equal((await cli("run", "--rm", "-v", "/srv/data", "box:1", ...look)).stdout, seeded);
    assert.equal((await cli("run", "--rm", "-v", "/srv/data", "box:1", ...look)).stdout, seeded);
    assert.equal((await cli("run", "--rm", "-v", "named:/srv/data", "box:1", ...look)).stdout, seeded);
    const second = await cli(
      "run",
      "--rm",
      "-v",
      "named:/srv/data:ro",
      "box:1",
      "sh",
      "-c",
      "cat /srv/data/more.txt; echo x > /srv/data/y",
    );
    assert.equal(second.stdout, "more\n");
    assert.match(second.stderr, /Read-only file system/);
    assert.notEqual(second.status, 0);
    const host = join(fixture.root.path, "shared");
    await cli("run", "--rm", "-v", `${host}:/mnt`, "box:1", "sh", "-c", "echo hi > /mnt/file");
    assert.equal(readFileSync(join(host, "file"), "utf8"), "hi\n");
  });

  it("gives each instance its own files over the same layers", async () => {
    await cli("run", "--name", "a", "box:1", "sh", "-c", "echo changed > /etc/passwd");
    assert.match((await cli("run", "--rm", "box:1", "cat", "/etc/passwd")).stdout, /^root:/);
    await cli("rm", "a");
  });

  it("keeps the package's host name and hosts, and takes the flags' instead", async () => {
    const kept = await cli(
      "run",
      "--rm",
      "--network",
      "none",
      "box:1",
      "sh",
      "-c",
      "hostname; grep database /etc/hosts",
    );
    assert.equal(kept.stdout, "old-web\n192.0.2.7 database.old\n");
    const given = await cli(
      "run",
      "--rm",
      "--network",
      "none",
      "--hostname",
      "new",
      "-e",
      "X=1",
      "-w",
      "/tmp",
      "-u",
      "33",
      "box:1",
      "sh",
      "-c",
      "hostname; echo $X; pwd; id -u; id -g",
    );
    assert.equal(given.stdout, "new\n1\n/tmp\n33\n44\n");
  });

  it("holds limits and capabilities", async () => {
    const result = await cli(
      "run",
      "--rm",
      "--network",
      "none",
      "--memory",
      "64m",
      "--pids-limit",
      "50",
      "--cap-drop",
      "ALL",
      "--cap-add",
      "KILL",
      "box:1",
      "sh",
      "-c",
      "grep CapEff /proc/self/status; mount -t tmpfs x /tmp; mknod /tmp/n c 1 3",
    );
    assert.match(result.stdout, /CapEff:\s+0000000000000020/);
    assert.match(result.stderr, /mount: permission denied/);
    assert.match(result.stderr, /mknod: .*Operation not permitted/);
  });

  it("gives secrets, and says which one is missing", async () => {
    await makePackage(fixture.root, "secret:1", {
      descriptor: {
        programs: [{ name: "main", command: ["/bin/cat", "/etc/app.key"] }],
        secrets: [{ delivery: "mount", path: "/etc/app.key", required: true, reason: "private key" }],
      },
    });
    const missing = await cli("run", "--rm", "secret:1");
    assert.equal(missing.status, 125);
    assert.match(missing.stderr, /E_SECRET_MISSING.*\/etc\/app\.key \(private key\)/);
    const file = join(fixture.root.path, "key");
    writeFileSync(file, "hush\n", { mode: 0o400 });
    const given = await cli(
      "run",
      "--rm",
      "--secret",
      `/etc/app.key=${file}`,
      "secret:1",
      "@main",
      "/etc/hostname",
    );
    assert.equal(given.stdout, "hush\nold-web\n", given.stderr);
    const read = (owned: string) => {
      const script = "stat -c '%u:%g %a' /etc/app.key; cat /etc/app.key";
      const words = ["--user", "33:44", "--secret", `/etc/app.key=${file}${owned}`, "secret:1"];
      return cli("run", "--rm", ...words, "sh", "-c", script);
    };
    const denied = await read("");
    assert.deepEqual([denied.status, denied.stdout], [1, "0:0 400\n"]);
    for (const [owned, seen] of [
      [",uid=33,mode=0400", "33:0 400"],
      [",gid=44,mode=440", "0:44 440"],
      [",uid=7", "7:0 444"],
    ])
      assert.equal((await read(owned ?? "")).stdout, `${seen}\nhush\n`);
    assert.match((await read(",mode=4755")).stderr, /E_USAGE.*\/etc\/app\.key.*mode=4755/);
    // A copy is there as long as the instance runs, and no longer.
    const held = () => cli("inspect", "--format", "{{.Id}}", "held");
    await cli(
      "run",
      "-d",
      "--name",
      "held",
      "--secret",
      `/etc/app.key=${file},uid=33`,
      "secret:1",
      "sleep",
      "1000",
    );
    const copy = join(fixture.root.instances, (await held()).stdout.trim(), "bundle/secrets/0");
    assert.equal(statSync(copy).uid, 33);
    await cli("kill", "held");
    await cli("wait", "held");
    for (let round = 0; round < 100 && existsSync(copy); round++) await cli("ps");
    assert.ok(!existsSync(copy));
    await cli("rm", "held");
    await fixture.clean();
  });

  it("runs the services of a package on a seeded volume, and their log by name", async () => {
    const sh = (script: string) => ["/bin/sh", "-c", script];
    const stop = { timeout: "5s" };
    await makePackage(fixture.root, "services:1", {
      descriptor: {
        environment: { LANG: "C.UTF-8" },
        volumes: [{ path: "/srv/data", initial: "copy" }],
        programs: [
          { name: "first", command: sh("echo first; while :; do sleep 0.1; done") },
          { name: "web", command: sh("cat /srv/data/seed.txt; exec httpd -f -p 8080"), user: "web" },
        ],
        services: [
          { name: "first", program: "first", readiness: { log: "first", timeout: "5s" }, stop },
          {
            name: "web",
            program: "web",
            after: ["first"],
            readiness: { port: 8080, timeout: "5s" },
            stop,
          },
        ],
      },
    });
    const run = await cli("run", "-d", "--name", "both", "services:1");
    assert.equal(run.status, 0, run.stderr);
    await until(async () => (await cli("logs", "--service", "web", "both")).stdout === "from the image\n");
    assert.match((await cli("logs", "both")).stdout, /^first$/m);
    assert.equal((await cli("exec", "both", "sh", "-c", "echo $LANG")).stdout, "C.UTF-8\n");
    assert.match((await cli("ps")).stdout, /"\(services\)"/);
    await cli("stop", "both");
    assert.match(
      (await cli("ps", "-a", "--format", "{{.Names}} {{.Status}}")).stdout,
      /^both Exited \(143\)/m,
    );
    await cli("rm", "-v", "both");
    await fixture.clean();
  });

  it("works with runc as with crun", {
    skip: existsSync("/usr/sbin/runc") ? false : "runc is not installed",
  }, async () => {
    const env = { TRANSHIP_RUNTIME: "runc" };
    const result = await fixture.cli(["run", "--rm", "box:1", "sh", "-c", "echo hi; exit 4"], { env });
    assert.deepEqual([result.status, result.stdout], [4, "hi\n"]);
    await fixture.cli(["run", "-d", "--name", "bg", "box:1", "sleep", "1000"], { env });
    // By the runtime that started it, whatever is preferred now.
    assert.equal((await cli("exec", "bg", "sh", "-c", "exit 3")).status, 3);
    await cli("rm", "-f", "bg");
    await fixture.clean();
  });

  it("says which OCI runtime was not usable", async () => {
    const result = await fixture.cli(["run", "--rm", "box:1", "true"], {
      env: { TRANSHIP_RUNTIME: "/bin/false" },
    });
    assert.equal(result.status, 125);
    assert.match(result.stderr, /E_NO_RUNTIME.*\/false/);
    await fixture.clean();
  });
});
