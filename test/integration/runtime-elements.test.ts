// Clock, release and vsyscall of an instance with namespaces: the engine is the loader of its programs. The same package without elements is the control.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { newDescriptor } from "../../src/package/descriptor.ts";
import { printDescriptor } from "../../src/package/yaml.ts";
import { bring, makeOldProgram } from "../support/bring.ts";
import { cannotRun } from "../support/engine.ts";
import { type CliResult, type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const plain = newDescriptor(
  { id: "box", name: "box", version: "1", publisher: "" },
  { os: { id: "", version: "" }, kernel: "", architecture: "amd64" },
);
const elements = { ...plain.elements, clock: { offset: "-3650d" }, uname: { release: "2.6.32-old" } };
const year = new Date(Date.now() - 3650 * 86_400_000).getUTCFullYear();
const now = new Date().getUTCFullYear();

function prepare(tree: string): void {
  bring(tree, "/usr/bin/date", "/usr/bin/dynamic-date");
  const source = '#include <stdio.h>\n#include <unistd.h>\nint main(void) { printf("%d\\n", geteuid()); }\n';
  spawnSync("musl-gcc", ["-static", "-x", "c", "-", "-o", join(tree, "bin/set-id")], { input: source });
  chmodSync(join(tree, "bin/set-id"), 0o4755);
}

describe("elements under namespaces", { skip: whyNot() ?? cannotRun, timeout: 240_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "old:1", { prepare, descriptor: { elements } });
    await makePackage(fixture.root, "new:1", { prepare, descriptor: {} });
  });
  after(async () => {
    await fixture.clean();
    await fixture.remove();
  });
  const cli = (...args: string[]): Promise<CliResult> => fixture.cli(args);
  const inside = (reference: string, script: string, ...flags: string[]): Promise<CliResult> =>
    cli("run", "--rm", "--network", "none", ...flags, reference, "/bin/sh", "-c", script);
  const asked = "busybox date +%Y; dynamic-date +%Y; busybox uname -r; /bin/set-id";

  it("are the package's, in static and dynamic programs and their children, and not those of another", async () => {
    const old = await inside("old:1", asked);
    assert.equal(old.stdout, `${year}\n${year}\n2.6.32-old\n0\n`, old.stderr);
    const other = await inside("new:1", asked);
    assert.equal(other.stdout, `${now}\n${now}\n${release()}\n0\n`, other.stderr);
  });

  it("run schedules by the application's clock, however fast that is", async () => {
    const program = (name: string, ...command: string[]) => ({ name, command });
    await makePackage(fixture.root, "fast:1", {
      descriptor: {
        programs: [
          program("wait", "/bin/sleep", "1000"),
          program("tick", "/bin/echo", "tick"),
          program("once", "/bin/echo", "once"),
        ],
        services: [{ name: "wait", program: "wait" }],
        schedules: [
          { name: "tick", cron: "* * * * *", program: "tick" },
          { name: "once", cron: "2 12 * * *", program: "once" },
        ],
        elements: { ...plain.elements, clock: { at: "2026-03-01T12:00:00Z", rate: 60 } },
      },
    });
    for (const engine of ["namespace", "inprocess"]) {
      const network = engine === "namespace" ? ["--network", "none"] : [];
      const ran = await cli(
        "run",
        "-d",
        "--name",
        "fast",
        "--engine",
        engine,
        "-e",
        "TZ=UTC",
        ...network,
        "fast:1",
      );
      assert.equal(ran.status, 0, ran.stderr);
      const said = async () => (await cli("logs", "fast")).stdout.split("\n").filter(Boolean);
      // A look a minute of the host would see one of sixty.
      await until(async () => (await said()).length >= 9, 60);
      const lines = await said();
      assert.equal(lines.filter((line) => line === "once").length, 1, lines.join());
      assert.equal((await cli("rm", "-f", "fast")).status, 0);
    }
  });

  it("leave set-id programs to the kernel, with their rights and its clock", async () => {
    assert.equal(
      (await inside("old:1", "/bin/set-id; busybox date +%Y", "-u", "web")).stdout,
      `0\n${year}\n`,
    );
  });

  it("are those of flags, which go before the package's", async () => {
    const at = ["--clock", "@2009-02-03T04:05:06Z", "--clock-rate", "0", "--uname-release", "3.2.0-given"];
    const shown = await inside(
      "old:1",
      "busybox date -u +%F_%T; dynamic-date -u +%F_%T; busybox uname -r",
      ...at,
    );
    assert.equal(shown.stdout, "2009-02-03_04:05:06\n2009-02-03_04:05:06\n3.2.0-given\n", shown.stderr);
    assert.equal((await inside("new:1", "busybox date +%Y", "--clock", "-3650d")).stdout, `${year}\n`);
    for (const flags of [
      ["--clock", "soon"],
      ["--clock-rate", "0"],
      ["--clock-rate", "fast"],
      ["--clock", "@then"],
    ]) {
      const { status, stderr } = await inside("new:1", "true", ...flags);
      assert.equal(status, 2, stderr);
      assert.match(stderr, /E_USAGE.*not a clock: --clock/);
    }
    const long = await inside("new:1", "true", "--uname-release", "x".repeat(65));
    assert.match(long.stderr, /E_DESCRIPTOR_INVALID.*uname release/);
  });

  it("go on over stop, start and exec, while ends are told in the host's time", async () => {
    const words = [
      "run",
      "-d",
      "--name",
      "kept",
      "--network",
      "none",
      "--clock",
      "@2009-02-03",
      "--clock-rate",
      "1000",
    ];
    const loop = "trap 'exit 3' TERM; busybox date +%Y; while :; do sleep 0.05; done";
    assert.equal((await cli(...words, "old:1", "/bin/sh", "-c", loop)).status, 0);
    const date = async (): Promise<number> =>
      Date.parse((await cli("exec", "kept", "dynamic-date", "-u", "+%FT%TZ")).stdout.trim());
    const [first, second] = [await date(), await date()];
    const start = Date.parse("2009-02-03");
    // Some sixteen minutes in each second.
    assert.ok(
      first > start && second > first + 20_000 && second < start + 7 * 86_400_000,
      `${first} ${second}`,
    );
    assert.equal((await cli("exec", "-u", "web", "kept", "set-id")).stdout, "0\n");
    assert.equal((await cli("exec", "kept", "no-such-program")).status, 127);
    assert.equal((await cli("stop", "kept")).status, 0);
    const [{ State, elements: kept }] = JSON.parse((await cli("inspect", "kept")).stdout);
    assert.equal(State.ExitCode, 3);
    assert.ok(Math.abs(Date.parse(State.FinishedAt) - Date.now()) < 60_000, State.FinishedAt);
    assert.ok(kept === undefined || kept.clock.rate === 1000);
    assert.equal((await cli("start", "kept")).status, 0);
    await until(async () => (await cli("logs", "kept")).stdout.match(/^2009$/gm)?.length === 2);
    assert.equal((await cli("rm", "--force", "kept")).status, 0);
  });

  it("reach callers of the vsyscall page too, unless the descriptor says off", async () => {
    const programs = [{ name: "main", command: ["/bin/page"] }];
    const made = { prepare: (tree: string) => makeOldProgram(join(tree, "bin/page")) };
    for (const vsyscall of ["auto", "off"] as const) {
      const descriptor = { programs, elements: { ...elements, clock: null, vsyscall } } as never;
      await makePackage(fixture.root, `page-${vsyscall}:1`, { ...made, descriptor });
    }
    const seen = async (vsyscall: "auto" | "off", ...flags: string[]): Promise<string> => {
      const words = ["run", "--rm", "--network", "none", ...flags, `page-${vsyscall}:1`];
      const { stdout, stderr } = await cli(...words);
      const [, time, day] = /^time (\d+) same\ngettimeofday 0 (\d+)\n/.exec(stdout) ?? [];
      assert.ok(time !== undefined && day !== undefined, `${stdout}${stderr}`);
      return [time, day].map((one) => new Date(Number(one) * 1000).getUTCFullYear()).join(" ");
    };
    assert.equal(await seen("auto", "--clock", "-3650d"), `${year} ${year}`);
    assert.equal(await seen("auto"), `${now} ${now}`);
    // The kernel's page executes, and nobody stands in its way.
    assert.equal(await seen("off", "--clock", "-3650d"), `${now} ${now}`);
  });

  it("put connections on loopback over AF_UNIX where the descriptor says so, under both engines", async () => {
    const fast = { ...plain.elements, loopback: "fast" };
    await makePackage(fixture.root, "fast:1", { descriptor: { elements: fast } as never });
    const led = {
      ...plain.redirections,
      network: [{ kind: "connect", from: "192.0.2.1:1", to: "127.0.0.1:1" }],
    };
    await makePackage(fixture.root, "led:1", { descriptor: { elements: fast, redirections: led } as never });
    const port = 20_000 + Math.trunc(Math.random() * 10_000);
    const script = `busybox nc -l -p ${port} -e busybox cat & sleep 0.5
      (echo there and back; sleep 1) | busybox nc 127.0.0.1 ${port} & sleep 0.5; grep -q tranship-tcp /proc/net/unix && echo fast; wait`;
    for (const flags of [
      ["--network", "none"],
      ["--engine", "inprocess"],
    ]) {
      const said = await cli("run", "--rm", ...flags, "fast:1", "/bin/sh", "-c", script);
      assert.equal(said.stdout, "there and back\nfast\n", said.stderr);
    }
    for (const reference of ["led:1", "new:1"])
      assert.equal((await inside(reference, script)).stdout, "there and back\n", reference);
  });

  it("run under a filter of learned calls too", async () => {
    const file = join(fixture.root.path, "learned.yaml");
    const calls =
      "arch_prctl brk clock_gettime close dup2 execve exit_group fcntl fstat getcwd getdents64 getegid geteuid getgid getpid getppid gettid getuid ioctl lseek mmap mprotect munmap newfstatat openat pipe2 poll prctl prlimit64 read readlink rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait set_robust_list set_tid_address setpgid setsid signalfd4 stat uname vfork wait4 waitid write writev".split(
        " ",
      );
    const descriptor = { ...plain, elements, syscalls: { profile: "learned", calls } } as never;
    writeFileSync(file, printDescriptor(descriptor));
    const { stdout, stderr } = await inside(
      "old:1",
      "busybox date +%Y; dynamic-date +%Y; read name < /proc/sys/kernel/osrelease; echo $name",
      "--descriptor",
      file,
    );
    assert.equal(stdout, `${year}\n${year}\n2.6.32-old\n`, stderr);
  });
});
