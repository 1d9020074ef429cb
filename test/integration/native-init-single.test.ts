// init with one command: exit statuses, signals, users, surroundings, and what must be there before it starts.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import type { Program } from "../../src/package/descriptor.ts";
import { cannotRun, makePackage, services, until } from "../support/init-package.ts";

const actor = "/bin/actor";
const main = (command: string[], more: Partial<Program> = {}): { programs: Program[] } => ({
  programs: [{ name: "main", command, ...more }],
});

describe("init runs one command", { skip: cannotRun, concurrency: true }, () => {
  test("with its status, 128+n, 126, 127 and 125", async (t) => {
    const p = await makePackage(t, main([actor, "exit", "4"]));
    p.write("bin/plain", "no program", 0o644);
    p.write("bin/script", "#!/bin/absent\n", 0o755);
    const cases: [args: string[], status: number, message: RegExp][] = [
      [[actor, "exit", "0"], 0, /^$/],
      [["actor", "exit", "200"], 200, /^$/],
      [["@main"], 4, /^$/],
      [[], 4, /^$/],
      [["actor", "kill", "9"], 137, /^$/],
      [["actor", "kill", "15"], 143, /^$/],
      [["absent"], 127, /cannot run absent: not found in PATH/],
      [["/bin/absent"], 127, /cannot run \/bin\/absent: No such file/],
      [["/bin/script"], 127, /its interpreter or loader is not/],
      [["plain"], 126, /Permission denied/],
      [["/bin"], 126, /Permission denied/],
      [["@absent"], 125, /no program is called absent; there are: @main/],
      [["--absent"], 125, /unknown option --absent/],
    ];
    for (const [args, status, message] of cases) {
      const result = await p.run(args);
      assert.equal(result.status, status, args.join(" "));
      assert.match(result.stderr, message, args.join(" "));
      if (args[0] !== "--absent") assert.equal(p.json("/.tranship/run/exit.json").status, status);
    }
  });

  test("from the mounted plan first; a broken plan or none is refused", async (t) => {
    const p = await makePackage(t, main([actor, "say", "inside"]), { log: false });
    assert.equal((await p.run(["@main"])).stdout, "inside\n");
    p.plan(main([actor, "say", "mounted"]), ".tranship/run/init.bin");
    const second = await p.run(["@main", "say", "more"], { env: { TRANSHIP_DEBUG: "1" } });
    assert.equal(second.stdout, "mounted\nmore\n");
    assert.match(second.stderr, /using the plan \/\.tranship\/run\/init\.bin/);
    p.write(".tranship/run/init.bin", "TRINIT\0\x02");
    const broken = await p.run(["actor", "exit", "0"]);
    assert.equal(broken.status, 125);
    assert.match(broken.stderr, /cannot use .*run\/init\.bin: wrong magic or another version/);
  });

  test("with --run from another directory, and only from there", async (t) => {
    const p = await makePackage(t, main([actor, "say", "inside"]), { log: false });
    mkdirSync(p.path("there"));
    const without = await p.run(["--run", "/there", "@main"]);
    assert.equal(without.status, 125);
    assert.match(without.stderr, /there is no plan: neither \/there\/init\.bin/);
    p.plan(main([actor, "say", "there"]), "there/init.bin");
    assert.equal((await p.run(["--run", "/there", "@main"])).stdout, "there\n");
    assert.equal(p.json("/there/exit.json").status, 0);
    assert.equal((await p.run(["--run", "there", "@main"])).status, 125);
  });

  test("directories that a boot makes anew are emptied at each start, and no others", async (t) => {
    const emptied = { path: "/run/shop", mode: "0755", uid: 0, gid: 0, empty: true };
    const kept = { path: "/srv/shop", mode: "0755", uid: 0, gid: 0 };
    const p = await makePackage(t, { ...main([actor, "exit", "0"]), directories: [emptied, kept] });
    for (const at of ["run/shop", "run/shop/below", "srv/shop"]) p.write(`${at}/pid`, "1");
    symlinkSync("/srv/shop", p.path("run/shop/link"));
    for (let round = 0; round < 2; round++) {
      assert.equal((await p.run([])).status, 0);
      assert.deepEqual(readdirSync(p.path("run/shop")).sort(), ["below", "link"]);
      assert.deepEqual(readdirSync(p.path("run/shop/below")), []);
      assert.deepEqual(readdirSync(p.path("srv/shop")), ["pid"]);
      p.write("run/shop/later", "2");
    }
  });

  test("works without any plan", async (t) => {
    const p = await makePackage(t, {});
    await promisify(execFile)("rm", [p.path(".tranship/init.bin")]);
    assert.equal((await p.run(["actor", "exit", "3"])).status, 3);
    const result = await p.run([]);
    assert.equal(result.status, 125);
    assert.match(result.stderr, /there is no plan/);
  });

  test("passes all signals on", async (t) => {
    const p = await makePackage(t);
    const traps = [1, 2, 10, 12, 28, 34, 64].flatMap((n) => ["trap", String(n), `signal ${n}`, "/tmp/notes"]);
    const running = await p.start(["actor", ...traps, "touch", "/tmp/up", "wait"]);
    await until(() => existsSync(p.path("/tmp/up")), "it is up");
    let count = 0;
    for (const name of ["SIGHUP", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGWINCH", 34, 64] as const) {
      running.signal(name);
      count++;
      await until(() => p.lines("/tmp/notes").length === count, String(name));
    }
    assert.deepEqual(p.lines("/tmp/notes"), [
      "signal 1",
      "signal 2",
      "signal 10",
      "signal 12",
      "signal 28",
      "signal 34",
      "signal 64",
    ]);
    running.signal("SIGTERM");
    assert.equal((await running.ended).status, 143);
    assert.equal(p.json("/.tranship/run/exit.json").signal, 15);
  });

  test("as a user of the package's own files, in its directory", async (t) => {
    const who = [actor, "who", "env", "HOME", "env", "USER", "cwd"];
    const p = await makePackage(t, {
      programs: [
        { name: "name", command: who, user: "www", workingDirectory: "/tmp" },
        { name: "group", command: who, user: "www:adm" },
        { name: "number", command: who, user: "77" },
        { name: "numbers", command: who, user: "77:78" },
        { name: "own", command: who, user: "www", environment: { HOME: "/own" } },
        { name: "absent", command: who, user: "nobody" },
        { name: "nowhere", command: who, workingDirectory: "/absent" },
      ],
    });
    p.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nbroken\nwww:x:33:34::/var/www:/bin/sh\n");
    p.write("etc/group", "adm:x:4:root,www\nwww:x:34:\nothers:x:40:wwwx\nlog:x:50:www");
    const env = { HOME: "/root" };
    const said = async (name: string): Promise<string[]> => {
      await p.run([`@${name}`], { env });
      const lines = p.log().map((line) => (line.log ?? "").trim());
      return lines.slice(-4);
    };
    assert.deepEqual(await said("name"), ["33:34 4,34,50", "/var/www", "www", "/tmp"]);
    assert.deepEqual(await said("group"), ["33:4 4", "/var/www", "www", "/"]);
    assert.deepEqual(await said("number"), ["77:0 0", "/", "(unset)", "/"]);
    assert.deepEqual(await said("numbers"), ["77:78 78", "/", "(unset)", "/"]);
    assert.deepEqual(await said("own"), ["33:34 4,34,50", "/own", "www", "/"]);
    const absent = await p.run(["@absent"]);
    assert.equal(absent.status, 125);
    assert.match(absent.stderr, /user 'nobody' is not in the package's \/etc\/passwd/);
    const nowhere = await p.run(["@nowhere"]);
    assert.equal(nowhere.status, 125);
    assert.match(nowhere.stderr, /cannot enter the working directory \/absent/);
  });

  test("with the descriptor's environment, below the container's, below the program's", async (t) => {
    const p = await makePackage(t, {
      environment: { A: "descriptor", B: "descriptor", C: "descriptor" },
      ...main([actor, "env", "A", "env", "B", "env", "C", "env", "TRANSHIP_X"], {
        environment: { C: "program" },
      }),
    });
    const env = { B: "container", C: "container", TRANSHIP_X: "ours", TRANSHIP_LOG_FORWARD: "1" };
    assert.equal((await p.run(["@main"], { env })).stdout, "descriptor\ncontainer\nprogram\n(unset)\n");
  });

  test("which is told by SIGPIPE that nobody reads any more", async (t) => {
    const p = await makePackage(t);
    const running = await p.start(["actor", "flood", "1000000", "1000"], {
      env: { TRANSHIP_LOG_FORWARD: "1" },
      deaf: true,
    });
    await until(() => p.read(".tranship/run/log/all.log").length > 100_000, "it writes");
    running.hangUp();
    assert.equal((await running.ended).status, 141);
  });

  test("owning the terminal, if there is one", async (t) => {
    const p = await makePackage(t);
    mkdirSync(p.path("dev/pts"));
    const { stdout } = await promisify(execFile)("script", [
      "-qefc",
      `unshare --pid --mount --fork --kill-child chroot ${p.root} /.tranship/init actor tty exit 6`,
      "/dev/null",
    ]).catch((error: { stdout: string; code: number }) => ({ stdout: `${error.code} ${error.stdout}` }));
    assert.equal(stdout.trim(), "6 tty");
    assert.equal(p.read(".tranship/run/log/all.log"), "");
  });

  test("as another process than PID 1 too, and leaves no process behind", async (t) => {
    const p = await makePackage(t);
    const running = await p.start(
      ["actor", "spawn", "daemon", "/tmp/d.pid", "wait", "--", "until", "/tmp/d.pid"],
      {
        pid: false,
      },
    );
    assert.equal((await running.ended).status, 0);
    const daemon = p.lines("/tmp/d.pid")[0];
    assert.ok(Number(daemon) > 1);
    await until(() => !existsSync(`/proc/${daemon}`), "the daemon is gone");
  });
});

describe("init refuses to start", { skip: cannotRun, concurrency: true }, () => {
  test("without its secrets, and names each", async (t) => {
    const p = await makePackage(t, {
      ...main([actor, "exit", "0"]),
      secrets: [
        { delivery: "mount", path: "/etc/key.pem", required: true, reason: "private key" },
        { delivery: "mount", path: "/etc/empty", required: true },
        { delivery: "mount", path: "/etc/spare", required: false },
        { delivery: "env", name: "TOKEN", required: true },
      ],
    });
    p.write("etc/empty", "");
    const result = await p.run(["@main"]);
    assert.equal(result.status, 125);
    assert.match(result.stderr, /the secret \/etc\/key\.pem \(private key\) is missing/);
    assert.match(result.stderr, /the secret TOKEN \(\) is not set/);
    const { reason } = p.json("/.tranship/run/exit.json");
    assert.equal(reason, "missing secrets: /etc/key.pem, /etc/empty, TOKEN");
    p.write("etc/key.pem", "k");
    p.write("etc/empty", "k");
    assert.equal((await p.run(["@main"], { env: { TOKEN: "t" } })).status, 0);
  });

  test("on an empty volume whose content was promised", async (t) => {
    const p = await makePackage(t, {
      ...services({ db: { does: ["exit", "0"] } }),
      volumes: [
        { path: "/data", initial: "copy", size: "1MiB" },
        { path: "/synced", initial: "sync" },
        { path: "/fresh", initial: "none" },
        { path: "/was-empty", initial: "copy", size: "0" },
      ],
    });
    mkdirSync(p.path("data/lost+found"), { recursive: true });
    // A copy that was killed is no content.
    mkdirSync(p.path("data/.tranship-seed/content"), { recursive: true });
    const result = await p.run();
    assert.equal(result.status, 125);
    assert.match(result.stderr, /the volume \/data is empty, but its content was promised \(initial: copy\)/);
    assert.match(result.stderr, /the volume \/synced is empty.*sync the data from the old machine first/);
    assert.doesNotMatch(result.stderr, /fresh|was-empty/);
    p.write("data/x", "");
    p.write("synced/x", "");
    assert.equal((await p.run()).status, 0);
  });

  test("nothing, after it made missing directories", async (t) => {
    const p = await makePackage(t, {
      ...main([actor, "exit", "0"]),
      directories: [
        { path: "/run/deep/mysqld", mode: "1770", uid: 12, gid: 13 },
        { path: "/tmp", mode: "0700", uid: 1, gid: 1 },
      ],
    });
    const before = statSync(p.path("tmp"));
    assert.equal((await p.run(["@main"])).status, 0);
    const made = statSync(p.path("run/deep/mysqld"));
    assert.deepEqual([made.mode & 0o7777, made.uid, made.gid], [0o1770, 12, 13]);
    assert.equal(statSync(p.path("run/deep")).mode & 0o7777, 0o755);
    assert.deepEqual(statSync(p.path("tmp")).mode, before.mode);
    copyFileSync(p.path("bin/actor"), p.path("run/blocked"));
    p.plan({ ...main([actor]), directories: [{ path: "/run/blocked", mode: "0755", uid: 0, gid: 0 }] });
    const result = await p.run(["@main"]);
    assert.equal(result.status, 125);
    assert.match(result.stderr, /cannot make the directory \/run\/blocked/);
  });
});
