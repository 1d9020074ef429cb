import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { joinCall, type SandboxOptions, sandboxCall } from "../../src/host/enter.ts";
import { firstFd, startEnter } from "../../src/host/enter-process.ts";
import { nativePath } from "../../src/host/native.ts";
import {
  debianRoot,
  eventually,
  isAlive,
  kernelMounts,
  linksOf,
  makeDir,
  mountTargets,
  noRoot,
  runEnter,
  scratchMounts,
  temporary,
} from "../support/enter.ts";

const skip = noRoot;

function shell(script: string, options: Partial<SandboxOptions> = {}) {
  return sandboxCall({
    mounts: scratchMounts,
    ...options,
    command: { ...options.command, argv: ["/bin/sh", "-c", script] },
  });
}

test("an overlay of a whole system: dpkg runs, /etc is written, the lower layer stays", {
  skip,
}, async (t) => {
  const dir = temporary(t);
  const upper = makeDir(dir, "upper");
  const before = {
    mounts: mountTargets(),
    links: linksOf("self"),
    etc: statSync(join(debianRoot, "etc")).mtimeMs,
  };
  const root = {
    kind: "overlay" as const,
    target: "/",
    lowers: [debianRoot],
    upper: { dir: upper, work: makeDir(dir, "work") },
  };
  const result = await runEnter(
    shell(
      "dpkg -l | grep -c '^ii' && echo new >/etc/tranship-new && hostname && cat /proc/1/comm && ls /dev/pts",
      {
        mounts: [root, ...kernelMounts, { kind: "sys", target: "/sys" }],
        hostname: "oldbox",
        network: "own",
      },
    ),
  );
  assert.equal(result.stderr, "");
  assert.equal(result.status, 0);
  const [packages, hostname, init] = result.stdout.split("\n");
  assert.ok(Number(packages) > 50, result.stdout);
  assert.deepEqual([hostname, init], ["oldbox", "enter"]);
  assert.equal(readFileSync(join(upper, "etc/tranship-new"), "latin1"), "new\n");
  assert.equal(existsSync(join(debianRoot, "etc/tranship-new")), false);
  assert.equal(statSync(join(debianRoot, "etc")).mtimeMs, before.etc);
  assert.deepEqual(mountTargets(), before.mounts);
  assert.deepEqual(linksOf("self"), before.links);
});

for (const words of [[], ["--old-mount-api"]]) {
  test(`an overlay that is not noticed: renamed directories, hard links${words.map((word) => ` ${word}`).join("")}`, {
    skip,
  }, async (t) => {
    const dir = temporary(t);
    const lower = makeDir(dir, "lower");
    makeDir(lower, "tree");
    writeFileSync(join(lower, "tree/leaf"), "leaf\n");
    writeFileSync(join(lower, "one"), "before\n");
    linkSync(join(lower, "one"), join(lower, "other"));
    const overlay = {
      kind: "overlay" as const,
      target: "/mnt",
      lowers: [lower],
      upper: { dir: makeDir(dir, "upper"), work: makeDir(dir, "work") },
    };
    // mv would copy where the rename is refused.
    const script = `perl -e 'rename("/mnt/tree", "/mnt/moved") or die "$!\\n"' && cat /mnt/moved/leaf && echo after >/mnt/one && cat /mnt/other`;
    const mounts = [...scratchMounts, { ...overlay, renames: true, links: true }];
    const call = shell(script, { mounts });
    const faithful = await runEnter({ ...call, options: [...words, ...call.options] });
    assert.deepEqual([faithful.status, faithful.stdout], [0, "leaf\nafter\n"], faithful.stderr);
    assert.equal(readFileSync(join(lower, "tree/leaf"), "latin1"), "leaf\n");
    assert.equal(readFileSync(join(lower, "other"), "latin1"), "before\n");
  });
}

test("an overlay below the root shows its own file system", { skip }, async (t) => {
  const dir = temporary(t);
  const lower = makeDir(dir, "lower");
  writeFileSync(join(lower, "data"), "old");
  const upper = { dir: makeDir(dir, "upper"), work: makeDir(dir, "work") };
  const result = await runEnter(
    shell("cat /srv/data; echo changed >/srv/data", {
      mounts: [...scratchMounts, { kind: "overlay", target: "/srv", lowers: [lower], upper }],
    }),
  );
  assert.equal(result.stdout, "old");
  assert.equal(readFileSync(join(lower, "data"), "latin1"), "old");
  assert.equal(readFileSync(join(upper.dir, "data"), "latin1"), "changed\n");
});

for (const old of [false, true]) {
  const words = old ? ["--old-mount-api"] : [];
  test(`120 lower directories ${old ? "by mount(2)" : "by fsopen where the kernel has it"}`, {
    skip,
  }, async (t) => {
    const dir = temporary(t);
    const lowers = Array.from({ length: 120 }, (_, i) =>
      makeDir(dir, `a-name-of-some-length-${"x".repeat(40)}-${i}`),
    );
    lowers.forEach((lower, i) => {
      writeFileSync(join(lower, `file-${i}`), "");
      writeFileSync(join(lower, "who"), `${i}\n`);
    });
    const call = shell("cat /mnt/who; ls /mnt | wc -l; ! touch /mnt/x 2>/dev/null", {
      mounts: [...scratchMounts, { kind: "overlay", target: "/mnt", lowers }],
    });
    const result = await runEnter({ ...call, options: [...words, ...call.options] });
    assert.equal(result.stdout.replaceAll(" ", ""), "0\n121\n");
    assert.equal(result.status, 0);
    if (old) assert.equal(result.ready?.overlay, "mount");
    else assert.ok(result.ready?.overlay);
  });
}

test("links of a hostile tree lead nowhere outside it", { skip }, async (t) => {
  const dir = temporary(t);
  const tree = makeDir(dir, "tree");
  const outside = makeDir(dir, "outside");
  symlinkSync(`../../../../../..${outside}`, join(tree, "relative"));
  symlinkSync(outside, join(tree, "absolute"));
  symlinkSync("../../../../../../oldroot", join(tree, "stage"));
  const inner = makeDir(tree, outside);
  const result = await runEnter(
    sandboxCall({
      mounts: [
        { kind: "bind", source: tree, target: "/" },
        { kind: "dir", target: "/relative/a", mode: 0o700 },
        { kind: "dir", target: "/absolute/b", mode: 0o750 },
      ],
      command: { argv: ["x"] },
    }),
  );
  assert.equal(result.status, 127, result.stderr);
  assert.deepEqual(readdirSync(outside), []);
  assert.deepEqual(readdirSync(inner).sort(), ["a", "b"]);
  assert.equal(statSync(join(inner, "b")).mode & 0o7777, 0o750);
  const stage = await runEnter(
    sandboxCall({
      mounts: [
        { kind: "bind", source: tree, target: "/" },
        { kind: "tmpfs", target: "/stage", mode: 0o755 },
      ],
      command: { argv: ["x"] },
    }),
  );
  assert.equal(stage.status, 125);
  assert.match(stage.stderr, /cannot make directory \/stage|cannot open \/stage/);
});

test("a read-only root is written to by nobody, not even for mount points", { skip }, async (t) => {
  const tree = temporary(t);
  const mounts = [
    { kind: "bind" as const, source: tree, target: "/", readOnly: true },
    { kind: "proc" as const, target: "/proc" },
  ];
  const result = await runEnter(sandboxCall({ mounts, command: { argv: ["x"] } }));
  assert.equal(result.status, 125);
  assert.match(result.stderr, /^enter: cannot make directory \/proc: Read-only file system\n$/);
  assert.deepEqual(result.failure, {
    message: "cannot make directory /proc: Read-only file system",
    errno: 30,
  });
  assert.equal(result.ready, undefined);
  assert.deepEqual(readdirSync(tree), []);
});

test("a static program runs by descriptor in a tree that has no file", { skip }, async (t) => {
  const fd = openSync(nativePath("enter"), "r");
  t.after(() => closeSync(fd));
  const result = await runEnter(
    sandboxCall({
      mounts: [{ kind: "bind", source: temporary(t), target: "/", readOnly: true }],
      command: { argv: ["inner", "bridge"], execFd: firstFd },
    }),
    { fds: [fd] },
  );
  assert.match(result.stderr, /^enter: bridge: expected/);
  assert.equal(result.failure, undefined);
});

test("user, groups, capabilities, environment, directory and any bytes reach the command", {
  skip,
}, async () => {
  const argument = "caf\xe9\xff";
  const result = await runEnter(
    sandboxCall({
      mounts: scratchMounts,
      command: {
        argv: [
          "sh",
          "-c",
          'id -u; id -G; pwd; env | sort; grep -E "CapEff|CapBnd|NoNew" /proc/self/status; echo $0',
          argument,
        ],
        cwd: "/var",
        env: { GREETING: "h\xe9" },
        clearEnv: true,
        user: { uid: 33, gid: 34, groups: [5, 6] },
        capabilities: ["KILL", "CHOWN"],
        noNewPrivileges: true,
      },
    }),
  );
  assert.equal(
    result.stdout,
    "33\n34 5 6\n/var\nGREETING=h\xe9\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/var\n" +
      `CapEff:\t0000000000000000\nCapBnd:\t0000000000000021\nNoNewPrivs:\t1\n${argument}\n`,
  );
});

test("only descriptors that were asked for are inherited", { skip }, async (t) => {
  const file = join(temporary(t), "kept");
  writeFileSync(file, "kept content");
  const fd = openSync(file, "r");
  t.after(() => closeSync(fd));
  const list = "ls /proc/self/fd | tr '\\n' ' '";
  const none = await runEnter(shell(list), { fds: [fd] });
  assert.equal(none.stdout, "0 1 2 3 ", "3 is the directory that ls reads");
  const kept = await runEnter(shell(`cat <&${firstFd}`, { command: { argv: [], keepFds: [firstFd] } }), {
    fds: [fd],
  });
  assert.equal(kept.stdout, "kept content");
});

test("the kernel of the host cannot be changed through proc and sys", { skip }, async () => {
  const result = await runEnter(
    shell(
      "for f in /proc/sys/kernel/hostname /proc/sys/vm/swappiness; do (echo 1 >$f) 2>&1 | grep -c 'Read-only'; done; touch /sys/x 2>&1",
      {
        mounts: [...scratchMounts, { kind: "sys", target: "/sys" }],
      },
    ),
  );
  assert.match(result.stdout, /^1\n1\n.*Read-only file system\n$/s);
});

test("exit status: the command's, 128+n, 125, 126 and 127", { skip }, async () => {
  const status = async (...argv: string[]) =>
    (await runEnter(sandboxCall({ mounts: scratchMounts, command: { argv } }))).status;
  assert.equal(await status("sh", "-c", "exit 7"), 7);
  assert.equal(await status("sh", "-c", "kill -9 $$"), 137);
  assert.equal(await status("/etc/passwd"), 126);
  const missing = await runEnter(sandboxCall({ mounts: scratchMounts, command: { argv: ["/no/such"] } }));
  assert.equal(missing.status, 127);
  assert.deepEqual(missing.failure, {
    message: "cannot execute /no/such: No such file or directory",
    errno: 2,
  });
  assert.ok(missing.ready, "the set-up itself was done");
  const bad = await runEnter(
    sandboxCall({
      mounts: [{ kind: "overlay", target: "/", lowers: ["/no/such"] }],
      command: { argv: ["x"] },
    }),
  );
  assert.equal(bad.status, 125);
  assert.match(bad.stderr, /overlay: cannot open directory \/no\/such: No such file/);
});

test("signals are passed on; a held command starts only when released", { skip }, async () => {
  const call = shell("trap 'exit 42' TERM; echo on; while :; do sleep 0.05; done");
  const started = startEnter(call, { stdio: ["ignore", "pipe", "inherit"], hold: true });
  let output = "";
  started.child.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const { pid } = await started.ready;
  assert.ok(isAlive(pid));
  assert.equal(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1"), "", "nothing runs yet");
  started.release();
  await eventually("the command runs", () => output === "on\n");
  started.child.kill("SIGTERM");
  assert.equal(await started.exit, 42);
});

test("what the command leaves running is killed, or waited for with lingerOrphans", { skip }, async (t) => {
  const dir = temporary(t);
  const mounts = [...scratchMounts, { kind: "bind" as const, source: dir, target: "/mnt" }];
  const daemon = "(sleep 0.3; echo done >/mnt/mark) >/dev/null 2>&1 & exit 3";
  const killed = await runEnter(shell(daemon, { mounts }));
  assert.equal(killed.status, 3);
  assert.ok(killed.ready && !isAlive(killed.ready.pid));
  assert.equal(existsSync(join(dir, "mark")), false);
  const waited = await runEnter(shell(daemon, { mounts, lingerOrphans: true }));
  assert.equal(waited.status, 3);
  assert.equal(readFileSync(join(dir, "mark"), "latin1"), "done\n");
});

test("SIGTERM reaches the orphans that are lingered for", { skip }, async () => {
  const started = startEnter(shell("sleep 600 & exit 0", { lingerOrphans: true }), {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const { pid } = await started.ready;
  const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ");
  const isSleep = (child: string) => {
    try {
      return child !== "" && readFileSync(`/proc/${child}/comm`, "latin1") === "sleep\n";
    } catch {
      return false; // it has ended since
    }
  };
  await eventually("only the orphan is left", () => children().length === 1 && children().every(isSleep));
  started.child.kill("SIGTERM");
  assert.equal(await started.exit, 0);
});

test("join: into all namespaces, into some, and a sandbox that shares them", { skip }, async (t) => {
  const box = startEnter(shell("exec sleep 600", { hostname: "joined", network: "own" }), {
    stdio: ["ignore", "ignore", "inherit"],
  });
  t.after(async () => {
    box.child.kill("SIGKILL");
    await box.exit;
  });
  const { pid } = await box.ready;
  writeFileSync(`/proc/${pid}/root/etc/mark`, "mark");
  const script = "hostname; cat mark; readlink /proc/self/ns/pid; exit 9";
  const inside = await runEnter(
    joinCall({ pid, command: { argv: ["sh", "-c", script], cwd: "/etc", user: { uid: 1, gid: 1 } } }),
  );
  assert.match(inside.stdout, /^joined\nmarkpid:\[\d+\]\n$/);
  assert.equal(inside.status, 9);
  const net = await runEnter(
    joinCall({
      pid,
      namespaces: ["net", "uts"],
      command: {
        argv: ["sh", "-c", "hostname; test -e /etc/mark; echo $?; tail -n +3 /proc/self/net/dev | wc -l"],
      },
    }),
  );
  assert.equal(net.stdout, "joined\n1\n1\n");
  const both = await runEnter(
    shell(
      "hostname; cat /mnt/mark; test -e /etc/mark || echo own root; cat /proc/1/comm; (echo x >/mnt/mark) 2>&1 | grep -c Read-only",
      {
        mounts: [
          ...scratchMounts,
          { kind: "bind-from-pid", pid, source: "/etc", target: "/mnt", readOnly: true },
        ],
        network: { pid },
        joinIpc: pid,
        joinUts: pid,
        joinPid: pid,
      },
    ),
  );
  assert.equal(both.stdout, "joined\nmarkown root\nenter\n1\n", both.stderr);
});

test("join of a process that is gone is an error in words", { skip }, async () => {
  const gone = await runEnter(joinCall({ pid: 2 ** 30, command: { argv: ["true"] } }));
  assert.equal(gone.status, 125);
  assert.match(gone.stderr, /no process 1073741824 to join/);
});

test("usage errors say what is wrong", { skip }, async () => {
  const call = sandboxCall({ mounts: scratchMounts, command: { argv: ["true"] } });
  const said = async (options: string[]) => (await runEnter({ ...call, options })).stderr;
  assert.equal(await said([]), "enter: a sandbox needs a root: --bind-root or --overlay /\n");
  assert.equal(await said(["--frobnicate"]), "enter: unknown option: --frobnicate\n");
  assert.equal(
    await said(["--tmpfs", "relative", "755"]),
    "enter: --tmpfs: not an absolute path: relative\n",
  );
  assert.equal(await said(["--dir", "/x", "9"]), "enter: --dir: not a number from 0 to 4095: 9\n");
  assert.equal(
    await said(["--lower", "/a", "--upper", "/b", "--overlay", "/"]),
    "enter: --overlay /: --upper and --work go together\n",
  );
});
