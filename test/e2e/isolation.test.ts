// What an instance cannot reach. Each try is also made where it must work, so that a refusal says something.
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { knownCalls } from "../../src/formats/syscall-numbers.ts";
import { capabilitySet } from "../../src/runtime/oci/capabilities.ts";
import { defaultRules } from "../../src/runtime/oci/seccomp.ts";
import {
  type Fixture,
  mainProgram,
  makeFixture,
  makePackage,
  until,
  whyNot,
} from "../integration/runtime-fixture.ts";
import { makeSmallRoot } from "../support/small-root.ts";

/** Tries of test/fixtures/escape.c, with the name of what they are given: see argumentsOf(). */
const tries: readonly (readonly [string, string?])[] = [
  ["sysrq"], ["core-pattern"], ["proc-sys"], ["modprobe"], ["binfmt"], ["kcore"], ["keys"], ["timer-list"], ["sysfs"], ["firmware"],
  ["irq"], ["mknod"], ["shipped-node", "node"], ["release-agent"], ["ptrace", "pid"], ["kill", "pid"], ["host-root", "pid"], ["keyctl"],
  ["userfaultfd"], ["bpf"], ["open-by-handle"], ["abstract-socket", "socket"], ["unshare-user"], ["clone-user"], ["clone3-user"],
  ["setns"], ["remount-proc"], ["mount-proc"], ["module"], ["kexec"], ["clock"], ["io-ports"], ["io-uring"], ["perf"], ["kernel-log"],
  ["sethostname"], ["fanotify"], ["vsock"], ["page-zero"], ["chroot", "marker"], ["descriptor", "marker"],
]; // biome-ignore format: a table

const schemas = "/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema";

/** What the schema of the runtime specification has against a configuration. */
async function specification(): Promise<(config: unknown) => unknown[]> {
  const { Ajv } = await import("ajv");
  const ajv = new Ajv({ strict: false, validateSchema: false, validateFormats: false });
  for (const file of readdirSync(schemas).filter((name) => name.endsWith(".json"))) {
    // Of an older draft of JSON Schema, whose words here mean the same.
    const { $schema: _, ...schema } = JSON.parse(readFileSync(join(schemas, file), "utf8")) as Record<
      string,
      unknown
    >;
    ajv.addSchema({ ...schema, $id: `file:///${file}` });
  }
  const check = ajv.getSchema("file:///config-schema.json");
  assert.ok(check !== undefined);
  return (config) => (check(config) ? [] : (check.errors ?? []));
}

/** As many as these have to work on a host; a kernel may lack some. */
const mostAbsent = 11;

const skip = whyNot() ?? (existsSync("/usr/bin/gcc") ? false : "needs gcc");
const runtimes = ["/usr/bin/crun", "/usr/sbin/runc"].filter((path) => existsSync(path));

describe("isolation of an instance", { skip, timeout: 400_000 }, () => {
  let fixture: Fixture;
  let work: string;
  let victim: ChildProcess;
  let server: Server;
  const socket = `tranship-test-${process.pid}`;
  const env = (runtime: string) => ({ TRANSHIP_RUNTIME: runtime });

  before(async () => {
    work = mkdtempSync(join(tmpdir(), "tranship-isolation-"));
    const program = join(import.meta.dirname, "../fixtures/escape.c");
    execFileSync("gcc", ["-O1", "-static", "-w", "-o", join(work, "escape"), program]);
    writeFileSync(join(work, "marker"), "outside\n");
    execFileSync("mknod", ["-m", "666", join(work, "node"), "c", "1", "11"]);
    fixture = await makeFixture();
    await makePackage(fixture.root, "base:1");
    victim = spawn("sleep", ["1000"]);
    await once(victim, "spawn");
    // In the fixture's network namespace, as the instance's own must hide it: see the control.
    server = createServer();
    mkdirSync(join(work, "root"));
    for (const name of ["bin", "tmp", "proc", "dev"]) mkdirSync(join(work, "root", name));
    copyFileSync(join(work, "escape"), join(work, "root/bin/escape"));
  });
  after(async () => {
    server?.close();
    victim?.kill("SIGKILL");
    await fixture?.remove();
    rmSync(work, { recursive: true, force: true });
  });

  const argumentsOf = (kind: string | undefined): string => {
    if (kind === undefined) return "";
    if (kind === "pid") return String(victim.pid);
    return kind === "socket" ? socket : kind === "node" ? "/dev-shipped" : join(work, kind);
  };

  /** "NAME: what it said", a line a try. */
  const parse = (text: string): Map<string, string> =>
    new Map(
      text.split("\n").flatMap((line) => {
        const cut = line.indexOf(": ");
        return cut < 0 ? [] : [[line.slice(0, cut), line.slice(cut + 2)]];
      }),
    );
  const script = (program: string): string =>
    tries.map(([name, kind]) => `printf '${name}: '; ${program} ${name} ${argumentsOf(kind)}`).join("\n");

  /** The same tries where nothing holds them: as root of the host, in namespaces of their own only so far as a try changes something. */
  async function controls(): Promise<Map<string, string>> {
    const list = script(join(work, "escape"))
      .replace("/dev-shipped", join(work, "node"))
      .replace(
        /.*printf 'chroot: '.*/,
        `printf 'chroot: '; chroot ${join(work, "root")} /bin/escape chroot ${join(work, "marker")}`,
      )
      .replace(
        /.*printf 'descriptor: '.*/,
        `printf 'descriptor: '; exec 9</; ${join(work, "escape")} descriptor ${join(work, "marker")}`,
      );
    const result = await fixture.inside([
      "unshare",
      "-m",
      "-u",
      "sh",
      "-c",
      `mount --make-rprivate /\n${list}\ntrue`,
    ]);
    return parse(result.stdout);
  }

  /** One run of all tries inside. A descriptor of the host's root is open in the process that starts it. */
  async function insideInstance(runtime: string, userns: string): Promise<Map<string, string>> {
    const words = [
      process.execPath,
      mainProgram,
      "run",
      "--rm",
      "--userns",
      userns,
      "-v",
      `${join(work, "bin")}:/opt/tries:ro`,
      "base:1",
      "sh",
      "-c",
    ];
    mkdirSync(join(work, "bin"), { recursive: true });
    copyFileSync(join(work, "escape"), join(work, "bin/escape"));
    execFileSync("sh", [
      "-c",
      `test -e ${join(work, "bin/node")} || mknod -m 666 ${join(work, "bin/node")} c 1 11`,
    ]);
    const list = script("/opt/tries/escape").replace("/dev-shipped", "/opt/tries/node");
    const result = await fixture.inside(
      ["sh", "-c", 'exec 9</; exec "$@"', "sh", ...words, `${list}\ntrue`],
      { env: env(runtime) },
    );
    assert.equal(result.status, 0, result.stderr);
    return parse(result.stdout);
  }

  async function withAbstractSocket<T>(use: () => Promise<T>): Promise<T> {
    const code = `require("node:net").createServer().listen("\\0${socket}", () => console.log("up"))`;
    const child = spawn(fixture.enter[0] ?? "", [...fixture.enter.slice(1), process.execPath, "-e", code]);
    const ended = once(child, "exit");
    try {
      await once(child.stdout, "data");
      return await use();
    } finally {
      child.kill("SIGKILL");
      await ended;
    }
  }

  const holders = [
    ...runtimes.map((runtime) => [runtime, "host"] as const),
    [runtimes[0] ?? "", "auto"] as const,
  ];
  for (const [runtime, userns] of holders) {
    it(`refuses every try to reach out of it, each of which works on the host (${basename(runtime)}, --userns ${userns})`, async (t: TestContext) => {
      const { live, inside } = await withAbstractSocket(async () => ({
        live: await controls(),
        inside: await insideInstance(runtime, userns),
      }));
      const absent: string[] = [];
      for (const [name] of tries) {
        assert.match(inside.get(name) ?? "", /^refused: /, `${name} inside: ${inside.get(name)}`);
        const control = live.get(name) ?? "";
        if (control === "reached") continue;
        assert.match(
          control,
          /No such file|not implemented|No such device|Operation not supported|Invalid|not supported by protocol/,
          name,
        );
        absent.push(`${name} (${control})`);
      }
      assert.ok(absent.length <= mostAbsent, absent.join(", "));
      t.diagnostic(
        `${tries.length - absent.length} of ${tries.length} tries refused and live; this kernel lacks ${absent.join(", ")}`,
      );
    });
  }

  it("tells each refused call with instance, process, program, name and arguments, and not those that are allowed", async () => {
    const started = await fixture.cli(["run", "-d", "--name", "told", "base:1", "sleep", "1000"]);
    assert.equal(started.status, 0, started.stderr);
    await fixture.cli(["exec", "told", "mount", "-t", "tmpfs", "none", "/tmp"]);
    await fixture.cli(["exec", "told", "mkdir", "/tmp/allowed"]);
    const shown = await fixture.cli(["refused", "told", "--format", "json"]);
    const calls = JSON.parse(shown.stdout) as Record<string, unknown>[];
    assert.deepEqual(
      calls.map(({ instance, exe, syscall, abi, count }) => ({ instance, exe, syscall, abi, count })),
      [{ instance: "told", exe: "/bin/busybox", syscall: "mount", abi: "amd64", count: 1 }],
    );
    assert.equal((calls[0]?.arguments as string[] | undefined)?.length, 6);
    assert.ok(Number(calls[0]?.pid) > 1);
    // Whoever answered is gone: what is refused stays so, and a new command has somebody to ask again.
    const pids = execFileSync(
      "sh",
      ["-c", `grep -ls ${fixture.root.path} /proc/[0-9]*/cmdline | cut -d/ -f3`],
      { encoding: "utf8" },
    );
    for (const pid of pids.split("\n").filter(Boolean)) {
      try {
        if (readFileSync(`/proc/${pid}/comm`, "utf8") === "refusals\n") process.kill(Number(pid), "SIGKILL");
      } catch {} // gone
    }
    const again = await fixture.cli(["exec", "told", "mount", "-t", "tmpfs", "none", "/tmp"]);
    assert.notEqual(again.status, 0);
    assert.match(again.stderr, /permission denied|not permitted/i);
    const table = await fixture.cli(["refused", "told"]);
    assert.match(table.stdout, /^TIME +PID +PROGRAM +CALL +COUNT\n(.*\/bin\/busybox +mount\(0x.*\n){2}$/);
    await fixture.cli(["rm", "-f", "told"]);
    await fixture.clean();
  });

  it("holds an instance to the calls that its capture saw, and tells the others", async () => {
    const machine = join(work, "machine");
    makeSmallRoot(machine);
    const capture = [
      "capture",
      "run",
      "-m",
      `rootfs:${machine}`,
      "--no-witness",
      "-t",
      "learned",
      "--learn-syscalls",
    ];
    const captured = await fixture.cli([...capture, "--", "/bin/sh", "-c", "echo hello; sleep 0.1"]);
    assert.equal(captured.status, 0, captured.stderr);
    const { syscalls } = JSON.parse(
      (await fixture.cli(["package", "show", "learned", "--format", "json"])).stdout,
    ) as {
      syscalls: { profile: string; calls: string[] };
    };
    assert.equal(syscalls.profile, "learned");
    assert.ok(syscalls.calls.includes("execve") && syscalls.calls.includes("write"));
    assert.ok(!syscalls.calls.includes("sync"), "the control makes a call that was not learned");
    const calls = async (profile: string) => {
      const run = [
        "run",
        "-d",
        "--name",
        profile,
        "--syscalls",
        profile,
        "learned",
        "/bin/sh",
        "-c",
        "busybox sync; echo done; sleep 1000",
      ];
      assert.equal((await fixture.cli(run)).status, 0);
      await until(async () => (await fixture.cli(["logs", profile])).stdout.includes("done"));
      const told = JSON.parse((await fixture.cli(["refused", profile, "--format", "json"])).stdout) as {
        syscall: string;
      }[];
      await fixture.cli(["rm", "-f", profile]);
      return told.map(({ syscall }) => syscall);
    };
    assert.deepEqual(await calls("learned"), ["sync"]);
    assert.deepEqual(await calls("default"), []);
    const main = await fixture.cli(["run", "--rm", "learned"]);
    assert.deepEqual([main.status, main.stdout], [0, "hello\n"], main.stderr);
    assert.match(
      (await fixture.cli(["run", "--rm", "--syscalls", "learned", "base:1", "true"])).stderr,
      /no learned profile/,
    );
  });

  it("lets everything through with --syscalls off, as far as capabilities do", async () => {
    const mount = ["base:1", "sh", "-c", "mount -t tmpfs none /tmp && echo mounted"];
    const refused = await fixture.cli([
      "run",
      "--rm",
      "--cap-add",
      "SYS_ADMIN",
      "--cap-drop",
      "SYS_ADMIN",
      ...mount,
    ]);
    assert.doesNotMatch(refused.stdout, /mounted/);
    const without = await fixture.cli([
      "run",
      "--rm",
      "--syscalls",
      "off",
      "--cap-add",
      "SYS_ADMIN",
      ...mount,
    ]);
    assert.match(without.stdout, /mounted/, without.stderr);
    const status = await fixture.cli([
      "run",
      "--rm",
      "--syscalls",
      "off",
      "base:1",
      "grep",
      "Seccomp:",
      "/proc/self/status",
    ]);
    assert.match(status.stdout, /Seccomp:\s+0/);
    assert.match(
      (await fixture.cli(["run", "--rm", "base:1", "grep", "Seccomp:", "/proc/self/status"])).stdout,
      /Seccomp:\s+2/,
    );
  });

  for (const runtime of runtimes) {
    it(`is not led out by a working directory below /proc/self/fd, nor by links in the package (${basename(runtime)})`, async () => {
      const marker = join(work, "marker");
      const leaking = ["sh", "-c", 'exec 7</ 8</; exec "$@"', "sh", process.execPath, mainProgram];
      for (const fd of [7, 9]) {
        const words = [
          "run",
          "--rm",
          "-w",
          `/proc/self/fd/${fd}`,
          "base:1",
          "sh",
          "-c",
          `cat ../../../../..${marker} .${marker}`,
        ];
        const tried = await fixture.inside([...leaking, ...words], { env: env(runtime) });
        assert.doesNotMatch(tried.stdout, /outside/, `descriptor ${fd}`);
      }
      // The control: the descriptor does lead there for a program that has it.
      const control = await fixture.inside(["sh", "-c", `exec 7</; cd /proc/self/fd/7 && cat .${marker}`]);
      assert.equal(control.stdout, "outside\n");
      const inside = await fixture.cli([
        "run",
        "--rm",
        "-v",
        `${work}:/link/inner:ro`,
        "base:1",
        "ls",
        "/link/inner",
      ]);
      assert.match(inside.stdout, /marker/);
    });
  }

  it("takes no annotation and no hook from an image, and shows no mount point through a link of the package", async () => {
    const trap = join(work, "trap");
    mkdirSync(trap);
    const labels = {
      "run.oci.hooks.stdout": join(trap, "hook"),
      "run.oci.keep_original_groups": "1",
      "run.oci.systemd.force_cgroup_v1": "/x",
    };
    await makePackage(fixture.root, "hostile:1", { config: { Labels: labels } });
    const started = await fixture.cli(["run", "-d", "--name", "hostile", "hostile:1", "sleep", "1000"]);
    assert.equal(started.status, 0, started.stderr);
    const id = execFileSync("readlink", [join(fixture.root.path, "names/hostile")], {
      encoding: "utf8",
    }).trim();
    const config = JSON.parse(
      readFileSync(join(fixture.root.instances, id, "bundle/config.json"), "utf8"),
    ) as {
      annotations?: Record<string, string>;
      hooks?: unknown;
    };
    assert.deepEqual(
      Object.keys(config.annotations ?? {}).filter((name) => name !== "run.oci.seccomp_bpf_data"),
      [],
    );
    assert.equal(config.hooks, undefined);
    const own = await fixture.cli([
      "exec",
      "hostile",
      "sh",
      "-c",
      "cat /proc/self/cgroup; ls /proc/self/fd | wc -l; readlink /proc/1/ns/pid",
    ]);
    // Own cgroup namespace: no path of the host; ls itself has a descriptor for the listing.
    assert.doesNotMatch(own.stdout, /tranship/);
    assert.match(own.stdout, /^4$/m);
    await fixture.cli(["rm", "-f", "hostile"]);
    await fixture.clean();
  });

  for (const runtime of runtimes) {
    it(`writes bundles that the schema of the runtime specification takes, as runc's own (${basename(runtime)})`, async (t: TestContext) => {
      if (!existsSync(schemas)) return t.skip(`needs ${schemas}`);
      const valid = await specification();
      const name = `bundle-${basename(runtime)}`;
      const started = await fixture.cli(
        ["run", "-d", "--name", name, "--memory", "64m", "-v", `${work}:/mnt:ro`, "base:1", "sleep", "1000"],
        {
          env: env(runtime),
        },
      );
      assert.equal(started.status, 0, started.stderr);
      const bundle = join(fixture.root.instances, started.stdout.trim(), "bundle/config.json");
      const config = JSON.parse(readFileSync(bundle, "utf8")) as Record<string, unknown>;
      assert.deepEqual(valid(config), []);
      assert.notDeepEqual(valid({ ...config, linux: { namespaces: [{ type: "nonsense" }] } }), []);
      if (existsSync("/usr/sbin/runc")) {
        execFileSync("/usr/sbin/runc", ["spec", "--bundle", work]);
        assert.deepEqual(valid(JSON.parse(readFileSync(join(work, "config.json"), "utf8"))), []);
        rmSync(join(work, "config.json"));
      }
      await fixture.cli(["rm", "-f", name]);
    });
  }

  it("allows what the table of podman's authors allows, but for what the decision record names", async (t: TestContext) => {
    const file = "/usr/share/containers/seccomp.json";
    if (!existsSync(file)) return t.skip(`needs ${file}`);
    const rules = defaultRules(capabilitySet([], []));
    const theirs = new Set<string>();
    for (const one of JSON.parse(readFileSync(file, "utf8")).syscalls as {
      names: string[];
      action: string;
      includes?: { caps?: string[]; arches?: string[] };
    }[])
      if (one.action === "SCMP_ACT_ALLOW" && one.includes?.caps === undefined)
        for (const name of one.names) theirs.add(name);
    const ours = (name: string) => rules.allowed.has(name) || rules.conditional.has(name);
    const known = new Set(knownCalls());
    // What reaches for namespaces, mounts, keys, memory policies and other processes' descriptors takes a capability here.
    const tighter = [...theirs].filter((name) => known.has(name) && !ours(name) && !rules.errno.has(name));
    assert.deepEqual(tighter.sort(), [
      "fsconfig", "fsmount", "fsopen", "fspick", "get_mempolicy", "idle", "keyctl", "mbind", "mount", "mount_setattr", "move_mount",
      "open_tree", "pidfd_getfd", "pivot_root", "reboot", "set_mempolicy", "setns", "syslog", "umount", "umount2", "unshare",
    ].filter((name) => theirs.has(name))); // biome-ignore format: a table
  });
});
