// A far machine that takes no collector: it is read by its own programs, and what is not seen that way is said.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TranshipError } from "../../src/base/errors.ts";
import { ShellFiles } from "../../src/machine/ssh/shell-files.ts";
import { ShellSession } from "../../src/machine/ssh/shell-session.ts";
import { type CaptureHost, captureHost, nothingLeft } from "../support/capture.ts";
import { soaking } from "../support/counts.ts";
import { FarMachine, whyNoFar } from "../support/far-machine.ts";

const skip = existsSync("/bin/busybox") ? whyNoFar() : "needs busybox-static";

/** Sessions find these programs of busybox, and nothing else. */
async function start(
  t: TestContext,
  applets: readonly string[],
): Promise<{ host: CaptureHost; far: FarMachine }> {
  const host = await captureHost(t);
  const far = await FarMachine.start(t, host, {
    config: ["HostKey /etc/ssh/ssh_host_ed25519_key", ...(applets.length > 0 ? ["SetEnv PATH=/srv/bb"] : [])],
  });
  if (applets.length > 0) {
    await far.run("mkdir /srv/bb");
    execFileSync("cp", ["/bin/busybox", far.path("/srv/bb/busybox")]);
    for (const name of applets) symlinkSync("busybox", join(far.path("/srv/bb"), name));
  }
  host.rebase();
  return { host, far };
}

const small = (far: FarMachine, ...more: string[]) => [
  "capture",
  "installed",
  "-m",
  far.address,
  "--no-closure",
  "--include",
  "/srv/odd/**",
  ...more,
  "sudo",
];

interface Shown {
  layers: { origin: string; diffId: string }[];
}

async function layersOf(far: FarMachine, name: string): Promise<Record<string, string>> {
  const { stdout, stderr } = await far.tool(["inspect", name]);
  const [image] = [JSON.parse(stdout || assert.fail(stderr)) as Shown | Shown[]].flat();
  return Object.fromEntries((image?.layers ?? []).map((one) => [one.origin, one.diffId]));
}

const ways: readonly (readonly [name: string, applets: readonly string[]])[] = [
  ["coreutils of Debian 11", []],
  ["busybox", "sh cat tar stat find ls readlink dd head tail id uname mkdir rm printf".split(" ")],
  ["sh, cat, ls and tar of busybox", "sh cat ls tar rm".split(" ")],
];
for (const [name, applets] of soaking ? ways : ways.slice(1, 2)) {
  test(`without the collector, by ${name}`, { skip }, async (t) => {
    const { host, far } = await start(t, applets);
    const before = far.temporary();
    const found = await far.tool(["discover", far.address, "--no-push", "--format", "json"]);
    assert.equal(found.status, 0, found.stderr);
    const inventory = JSON.parse(found.stdout);
    assert.equal(inventory.identity.hostname, "old-sshd");
    assert.ok(inventory.installed.packages.length > 100);
    assert.ok(inventory.processes.some((one: { name: string }) => one.name === "sshd"));
    assert.match(found.stdout, /not seen without the collector: extended attributes/);
    const captured = await far.tool(small(far, "-t", "shell", "--no-push"));
    assert.equal(captured.status, 0, captured.stderr);
    const again = await far.tool(small(far, "-t", "shell", "--no-push"));
    assert.match(again.stderr, /: 0 B read, /);
    const exported = await far.tool(["package", "show", "shell"]);
    assert.equal(exported.status, 0, exported.stderr);
    for (const path of [
      "/srv/odd/new\\x0aline",
      "/srv/odd/byte\\xffend",
      "/srv/odd/quote'\"$(touch no)`back\\x5cslash",
      "/srv/odd/dangling",
      "/srv/odd/holes",
    ]) {
      const why = await far.tool(["why", "shell", path]);
      assert.equal(why.status, 0, `${path}: ${why.stderr}`);
    }
    assert.equal(existsSync(far.path("/root/no")) || existsSync(far.path("/no")), false, "names are not run");
    if (applets.length !== 5) {
      const pushed = await far.tool(small(far, "-t", "pushed"));
      assert.equal(pushed.status, 0, pushed.stderr);
      const [one, other] = [await layersOf(far, "shell"), await layersOf(far, "pushed")];
      assert.deepEqual(Object.keys(one), Object.keys(other));
    }
    assert.deepEqual(far.temporary(), before);
    await nothingLeft(host);
  });
}

// Five tries with their pauses.
if (soaking) {
  test("a far side whose programs fail midway is given up: nothing counts as absent", { skip }, async (t) => {
    const { host, far } = await start(t, []);
    await far.run(
      `mv /usr/bin/stat /usr/bin/stat.real; printf '#!/bin/sh\\ncase "$*" in *odd/*) kill -9 $$;; esac; exec stat.real "$@"\\n' >/usr/bin/stat; chmod 755 /usr/bin/stat`,
    );
    const { status, stderr } = await far.tool(small(far, "-t", "none", "--no-push"));
    assert.equal(status, 1, stderr);
    assert.match(stderr, /E_MACHINE_UNREACHABLE.*5 tries: .*programs cannot be started, or are killed/);
    assert.equal((await far.tool(["inspect", "none"])).status, 1);
    await nothingLeft(host);
  });
}

test("a script that did not run, or not to its end, is no answer", { skip }, async () => {
  const lost = (words: string) => new TranshipError("E_MACHINE_UNREACHABLE", words);
  const session = (script: string) =>
    new ShellSession(spawn("unshare", ["-m", "sh", "-c", script], { stdio: "pipe" }), lost);
  const healthy = session("echo hello; exec sh");
  assert.equal((await healthy.ask(() => "printf one", 100)).output.toString(), "one");
  assert.deepEqual(await healthy.ask(() => "exit 20", 100), { status: 20, output: Buffer.alloc(0) });
  await assert.rejects(
    healthy.ask(() => "no-such-program", 100),
    /runs no programs \(status 127\)/,
  );
  await assert.rejects(
    healthy.ask(() => "echo more", 100),
    /runs no programs/,
  );
  await healthy.close();
  const noNull = session("mount -t tmpfs tmpfs /dev && exec sh");
  await assert.rejects(
    noNull.ask(() => "echo here", 100),
    /runs no programs/,
  );
  await noNull.close();
});

const allWays = { describe: "stat", find: true, readlink: true, dd: true, head: true } as const;

// Its first shell takes a find all processes, or it never has any; the shell that asked starts as many as it likes. busybox is its own sh.
for (const [program, failing] of [
  ["/usr/bin/find", [1, 2]],
  ["/bin/busybox find", [1]],
] as const) {
  for (const failsAt of failing) {
    test(`${program} that cannot start shell ${failsAt} and goes on, or ends, has not told all`, {
      skip,
    }, async (t) => {
      const place = mkdtempSync(join(tmpdir(), "tranship-few-"));
      t.after(() => rmSync(place, { recursive: true, force: true }));
      chmodSync(place, 0o755);
      mkdirSync(join(place, "files"));
      mkdirSync(join(place, "bin"));
      for (let i = 0; i < 1500; i++) writeFileSync(join(place, "files", `${i}`.padStart(220, "n")), "");
      const script = (name: string, text: string) =>
        writeFileSync(join(place, "bin", name), `#!/bin/dash\n${text}\n`, { mode: 0o755 });
      const limited = "prlimit --nproc=0:0 --pid";
      script("find", `${failsAt === 1 ? `${limited} $$;` : ""} exec ${program} "$@"`);
      script("sh", `dash "$@"; ${limited} $PPID`);
      const user = String(100_000 + randomInt(1e9));
      const as = [
        "--reuid",
        user,
        "--regid",
        user,
        "--clear-groups",
        "env",
        `PATH=${place}/bin:${process.env.PATH}`,
      ];
      const child = spawn("setpriv", [...as, "dash"], { stdio: "pipe" });
      const session = new ShellSession(child, (said) => new TranshipError("E_MACHINE_UNREACHABLE", said));
      const files = new ShellFiles(session, allWays);
      t.after(() => files.close());
      await assert.rejects(files.list(join(place, "files")), /its find cannot start a program for all/);
    });
  }
}

for (const shell of [["dash"], ["busybox", "sh"]]) {
  test(`a user with few processes left: what ${shell[0]} cannot start a program for is not absent`, {
    skip,
  }, async (t) => {
    const place = mkdtempSync(join(tmpdir(), "tranship-few-"));
    t.after(() => rmSync(place, { recursive: true, force: true }));
    chmodSync(place, 0o755);
    for (let i = 0; i < 5; i++) writeFileSync(join(place, `file-${i}`), `content ${i}`);
    const all = [...Array(5).keys()].map((i) => join(place, `file-${i}`));
    const told = new Map<string, number>();
    for (let most = 1; most <= 7; most++) {
      const start = (): ShellFiles => {
        // Another each time: what the one before left behind may still count.
        const user = String(100_000 + randomInt(1e9));
        const as = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"];
        const words = [...as, "prlimit", `--nproc=${most}`, ...shell];
        const child = spawn(words[0] ?? "", words.slice(1), { stdio: "pipe" });
        const session = new ShellSession(child, (said) => new TranshipError("E_MACHINE_UNREACHABLE", said));
        return new ShellFiles(session, allWays);
      };
      const walked = async (files: ShellFiles): Promise<string[]> => {
        const found: string[] = [];
        for await (const one of files.walk(place))
          found.push("error" in one ? `${one.path}: ${one.error}` : one.path);
        return found;
      };
      const asked: Record<string, [(files: ShellFiles) => Promise<unknown>, unknown]> = {
        stat: [async (files) => (await files.stat(all[0] ?? ""))?.size, 9],
        list: [async (files) => (await files.list(place))?.map((one) => one.path), all],
        walk: [walked, [place, ...all]],
        read: [async (files) => Buffer.from((await files.read(all[1] ?? "")) ?? []).toString(), "content 1"],
      };
      for (const [what, [ask, right]] of Object.entries(asked)) {
        const files = start();
        try {
          assert.deepEqual(await ask(files), right, `${what} with ${most} processes`);
          told.set(what, (told.get(what) ?? 0) + 1);
        } catch (error) {
          if (!(error instanceof TranshipError)) throw error;
          assert.equal(
            error.code,
            "E_MACHINE_UNREACHABLE",
            `${what} with ${most} processes: ${error.message}`,
          );
        } finally {
          await files.close();
        }
      }
    }
    for (const what of ["stat", "list", "walk", "read"]) {
      const times = told.get(what) ?? 0;
      assert.ok(
        times > 0 && times < 7,
        `${what} was answered ${times} times: the limits do not reach from none to enough`,
      );
    }
  });
}

test("a far side without room for the collector is read without it, and says so", { skip }, async (t) => {
  const { host, far } = await start(t, []);
  await far.run(
    "mount -t tmpfs -o size=8k tmpfs /tmp; mount -t tmpfs -o size=8k tmpfs /var/tmp; mount -t tmpfs -o size=8k tmpfs /dev/shm; for d in /tmp /var/tmp /dev/shm; do head -c 8192 /dev/zero >$d/full || :; done",
  );
  host.rebase();
  const { status, stdout, stderr } = await far.tool(["discover", far.address, "--format", "json"]);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /is read without the collector: \/tmp: .*[Nn]o space left.*\/dev\/shm/);
  assert.match(stdout, /not seen without the collector/);
  await nothingLeft(host);
});
