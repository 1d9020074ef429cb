// Limits of instances on a real OCI runtime: in force from the first program on, changed while it runs, kept by the errors that programs know,
// and refused with the reason where this host cannot hold them.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { cgroupDirectories, cgroupMode } from "../../src/host/cgroup.ts";
import { mayRaiseLimits } from "../../src/host/rlimits.ts";
import { instanceGroup } from "../../src/runtime/limits/groups.ts";
import { soaking } from "../support/counts.ts";
import { type CliResult, type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;
const mode = cgroupMode();
const noDisk = existsSync("/dev/loop-control") ? false : "no loop devices here";
const disk = readdirSync("/sys/block").find((name) => /^(vd|sd|nvme|xvd)/.test(name));

describe("limits", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
    await makePackage(fixture.root, "lean:1", {
      descriptor: {
        limits: { memory: "48MiB", cpus: 0.5, pids: 30, disk: null, network: null, files: 77 },
      },
    });
  });
  after(async () => {
    await fixture.clean();
    await fixture.remove();
  });

  const cli = (...args: string[]): Promise<CliResult> => fixture.cli(args);
  const once = (flags: readonly string[], script: string): Promise<CliResult> =>
    cli("run", "--rm", "--network", "none", ...flags, "box:1", "sh", "-c", script);
  async function detached(...args: string[]): Promise<string> {
    const result = await cli("run", "-d", ...args);
    assert.equal(result.status, 0, result.stderr);
    return result.stdout.trim();
  }
  /** The first of some files of its control groups that is there. */
  function group(id: string, ...files: string[]): string {
    for (const directory of cgroupDirectories(instanceGroup(id)))
      for (const file of files)
        if (existsSync(join(directory, file))) return readFileSync(join(directory, file), "latin1").trim();
    return "absent";
  }

  it("are in force in its control groups, its processes and its mounts, and change while it runs", {
    skip: mode.kind === "none" ? "no control groups here" : false,
  }, async () => {
    const rates =
      disk === undefined
        ? []
        : ["--device-write-bps", `/dev/${disk}:1mb`, "--device-read-iops", `/dev/${disk}:50`];
    const id = await detached(
      ...["--name", "held", "--network", "none", "--memory", "64m", "--memory-swap", "96m"],
      ...["--memory-reservation", "32m", "--cpus", "0.5", "--cpu-shares", "512", "--cpuset-cpus", "0"],
      ...["--cpuset-mems", "0", "--pids-limit", "40", "--shm-size", "3m", "--oom-score-adj", "700"],
      ...["--ulimit", "nofile=100:200", "--ulimit", "core=0", ...rates],
      ...["box:1", "sh", "-c", "sleep 1000"],
    );
    assert.equal(group(id, "memory.limit_in_bytes", "memory.max"), String(64 << 20));
    assert.match(group(id, "memory.memsw.limit_in_bytes", "memory.swap.max"), /^(100663296|33554432)$/);
    assert.equal(group(id, "memory.soft_limit_in_bytes", "memory.low"), String(32 << 20));
    assert.match(group(id, "cpu.cfs_quota_us", "cpu.max"), /^50000( 100000)?$/);
    assert.match(group(id, "cpu.shares", "cpu.weight"), /^(512|20)$/);
    assert.equal(group(id, "cpuset.cpus"), "0");
    assert.equal(group(id, "pids.max"), "40");
    if (disk !== undefined) {
      const number = readFileSync(`/sys/block/${disk}/dev`, "latin1").trim();
      assert.match(group(id, "blkio.throttle.write_bps_device", "io.max"), new RegExp(`${number} .*1000000`));
      assert.match(group(id, "blkio.throttle.read_iops_device", "io.max"), new RegExp(`${number} .*50`));
    }
    const inside = await cli(
      "exec",
      "held",
      "sh",
      "-c",
      "cat /proc/1/limits /proc/1/oom_score_adj; df -k /dev/shm",
    );
    assert.match(inside.stdout, /^Max open files +100 +200 /m);
    assert.match(inside.stdout, /^Max core file size +0 +0 /m);
    assert.match(inside.stdout, /^700$/m);
    assert.match(inside.stdout, /^shm +3072 /m);
    const view = JSON.parse((await cli("inspect", "held")).stdout)[0].HostConfig;
    assert.deepEqual(
      [view.MemorySwap, view.CpuShares, view.CpusetCpus, view.ShmSize, view.OomScoreAdj, view.Ulimits[0]],
      [96 << 20, 512, "0", 3 << 20, 700, { Name: "nofile", Soft: 100, Hard: 200 }],
    );
    const lower = await cli(
      "update",
      "--memory",
      "48m",
      "--memory-swap",
      "48m",
      "--cpu-shares",
      "256",
      "--pids-limit",
      "-1",
      "held",
    );
    assert.equal(lower.status, 0, lower.stderr);
    assert.equal(group(id, "memory.limit_in_bytes", "memory.max"), String(48 << 20));
    assert.match(group(id, "memory.memsw.limit_in_bytes", "memory.swap.max"), /^(50331648|0)$/);
    assert.match(group(id, "cpu.shares", "cpu.weight"), /^(256|10)$/);
    assert.equal(group(id, "pids.max"), "max");
    const more = await cli("update", "--cpuset-cpus", "0", "--memory", "200m", "held");
    assert.match(more.stderr, /error\[E_USAGE\].*memory with swap/);
    assert.equal(group(id, "memory.limit_in_bytes", "memory.max"), String(48 << 20));
    await cli("rm", "-f", "held");
  });

  it("of a descriptor hold where the command line has none", async () => {
    const id = await detached(
      "--name",
      "lean",
      "--network",
      "none",
      "--pids-limit",
      "33",
      "lean:1",
      "sleep",
      "1000",
    );
    assert.equal(group(id, "memory.limit_in_bytes", "memory.max"), String(48 << 20));
    assert.equal(group(id, "pids.max"), "33");
    assert.match((await cli("exec", "lean", "cat", "/proc/1/limits")).stdout, /^Max open files +77 +77 /m);
    await cli("rm", "-f", "lean");
  });

  it("that are passed are answered with the error that programs know", async () => {
    const forks = await once(["--pids-limit", "6"], "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait");
    assert.match(forks.stderr, /fork: Resource temporarily unavailable/);
    const open =
      'i=3; while [ $i -lt 40 ]; do eval "exec $i</etc/passwd" || exit 1; i=$((i+1)); done; cat /etc/group';
    const files = await once(["--ulimit", "nofile=40"], open);
    assert.match(files.stderr, /Too many open files|Bad file descriptor|Invalid argument/);
    const memory = await once(
      ["--ulimit", "as=16777216"],
      "head -c 64m /dev/zero | sort >/dev/null || dd if=/dev/zero of=/dev/null bs=64M count=1",
    );
    assert.match(memory.stderr, /out of memory|Cannot allocate memory/);
    const large = await once(
      ["--ulimit", "fsize=4096"],
      "trap '' XFSZ; dd if=/dev/zero of=/large bs=1k count=9",
    );
    assert.match(large.stderr, /File too large/);
  });

  it("of the disk hold what it writes outside of volumes, over restarts, and leave nothing", {
    skip: noDisk,
  }, async () => {
    const loops = (): string[] =>
      execFileSync("losetup", ["-a"], { encoding: "utf8" })
        .split("\n")
        .filter((line) => line.includes(fixture.root.path));
    await detached(
      "--name",
      "small",
      "--network",
      "none",
      "--storage-opt",
      "size=8m",
      "-v",
      "/srv/free",
      "box:1",
      "sleep",
      "1000",
    );
    const inSmall = (script: string): Promise<CliResult> => cli("exec", "small", "sh", "-c", script);
    assert.equal(loops().length, 1);
    const full = await inSmall("echo one > /kept; rm /etc/group; dd if=/dev/zero of=/big bs=1M count=20");
    assert.match(full.stderr, /No space left on device/);
    assert.equal(
      (await inSmall("rm /big; dd if=/dev/zero of=/srv/free/big bs=1M count=20; rm /srv/free/big")).status,
      0,
    );
    assert.equal((await inSmall("echo 'late:x:77:77::/:/bin/sh' >> /etc/passwd")).status, 0);
    assert.equal((await cli("exec", "-u", "late", "small", "id", "-u")).stdout, "77\n");
    assert.match((await cli("diff", "small")).stdout, /^A \/kept$/m);
    assert.equal((await cli("restart", "-t", "20", "small")).status, 0);
    assert.equal((await inSmall("cat /kept")).stdout, "one\n");
    await cli("stop", "-t", "20", "small");
    assert.match((await cli("diff", "small")).stdout, /^D \/etc\/group$/m);
    const work = mkdtempSync(join(tmpdir(), "tranship-limits-"));
    try {
      writeFileSync(join(work, "new"), "two\n");
      assert.equal((await cli("cp", "small:/kept", `${work}/kept`)).status, 0);
      assert.equal(readFileSync(join(work, "kept"), "utf8"), "one\n");
      assert.equal((await cli("cp", join(work, "new"), "small:/new")).status, 0);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
    await cli("start", "small");
    assert.equal((await inSmall("cat /new")).stdout, "two\n");
    assert.equal(
      JSON.parse((await cli("inspect", "small")).stdout)[0].HostConfig.StorageOpt.size,
      String(8 << 20),
    );
    await cli("rm", "-f", "-v", "small");
    assert.equal(loops().length, 0);
    const end = await once(["--storage-opt", "size=8m"], "dd if=/dev/zero of=/big bs=1M count=20");
    assert.match(end.stderr, /No space left on device/);
  });

  it("of the network are queues at both ends of its pair, and change while it runs", async (t) => {
    const id = await detached(
      "--name",
      "slow",
      "--ingress-bandwidth",
      "8mbit",
      "--egress-bandwidth",
      "1mbps",
      "box:1",
      "sleep",
      "1000",
    );
    const device = `ts${id.slice(0, 8)}`;
    const pid = JSON.parse((await cli("inspect", "slow")).stdout)[0].State.Pid;
    const ends = async (): Promise<[string, string]> => [
      (await fixture.inside(["tc", "qdisc", "show", "dev", device])).stdout,
      execFileSync("nsenter", ["-t", String(pid), "-n", "tc", "qdisc", "show", "dev", "eth0"], {
        encoding: "utf8",
      }),
    ];
    if ((await fixture.inside(["tc", "-V"])).status !== 0) t.skip("needs tc of iproute2");
    else {
      for (const end of await ends()) assert.match(end, /qdisc tbf .* rate 8Mbit/);
      const changed = await cli("update", "--ingress-bandwidth", "0", "--egress-bandwidth", "2mbit", "slow");
      assert.equal(changed.status, 0, changed.stderr);
      const [host, inside] = await ends();
      assert.doesNotMatch(host, /tbf/);
      assert.match(inside, /qdisc tbf .* rate 2Mbit/);
    }
    await cli("rm", "-f", "slow");
  });

  it("that it comes up against are events with its name, in history and in inspect", {
    skip: noDisk || (mode.kind === "none" ? "no control groups here" : false),
  }, async () => {
    const id = await detached(
      ...["--name", "busy", "--network", "none", "--memory", "24m", "--pids-limit", "12", "--cpus", "0.1"],
      ...["--ulimit", "nofile=40", "--storage-opt", "size=6m", "box:1", "sh", "-c", "while :; do :; done"],
    );
    const inBusy = (script: string): Promise<CliResult> => cli("exec", "busy", "sh", "-c", script);
    const told = async (limit: string): Promise<boolean> => {
      const view = JSON.parse((await cli("inspect", "busy")).stdout)[0];
      return view.Breaches.some((one: { limit: string }) => one.limit === limit);
    };
    assert.match((await inBusy("dd if=/dev/zero of=/dev/null bs=60M count=1")).stderr, /Killed|^$/);
    await until(() => told("memory"));
    await inBusy("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do sleep 1 & done; wait");
    await until(() => told("pids"));
    // Until the processes of before have ended no other fits beside them.
    await until(async () =>
      (await inBusy("dd if=/dev/zero of=/big bs=1M count=9")).stderr.includes("No space left"),
    );
    await until(() => told("disk"));
    const held = cli(
      "exec",
      "busy",
      "sh",
      "-c",
      'i=3; while [ $i -lt 40 ]; do eval "exec $i</etc/passwd"; i=$((i+1)); done; read x </srv/never; while :; do :; done',
    );
    await until(() => told("files"));
    await until(() => told("cpu"));
    await cli("rm", "-f", "busy");
    await held;
    const events = (await cli("events", "--since", "10m", "--until", "0s", "--format", "json")).stdout
      .trim()
      .split("\n")
      .map(
        (line) =>
          JSON.parse(line) as { Action: string; id: string; Actor: { Attributes: Record<string, string> } },
      )
      .filter((event) => event.id === id && ["oom", "breach"].includes(event.Action));
    const names = new Set(
      events.map((event) => `${event.Action} ${event.Actor.Attributes.limit} ${event.Actor.Attributes.name}`),
    );
    assert.deepEqual([...names].sort(), [
      "breach cpu busy",
      "breach disk busy",
      "breach files busy",
      "breach pids busy",
      "oom memory busy",
    ]);
    const [run] = JSON.parse((await cli("history", "busy", "--format", "json")).stdout);
    assert.deepEqual(Object.keys(run.breaches).sort(), ["cpu", "disk", "files", "memory", "pids"]);
    assert.equal(run.breaches.memory, 1);
  });

  it("whose control groups were removed under it are in force again after the next command", {
    skip: mode.hierarchies.some((one) => one.version === 1 && one.controllers.includes("memory"))
      ? false
      : "moves processes about in cgroup v1",
  }, async () => {
    const id = await detached(
      "--name",
      "bare",
      "--network",
      "none",
      "--memory",
      "40m",
      "box:1",
      "sleep",
      "1000",
    );
    const top = mode.hierarchies.find((one) => one.controllers.includes("memory"))?.path ?? "";
    const group = join(top, instanceGroup(id));
    const members = readFileSync(join(group, "cgroup.procs"), "latin1").trim().split("\n");
    for (const pid of members) writeFileSync(join(top, "cgroup.procs"), pid);
    rmdirSync(group);
    const next = await cli("update", "--restart", "no", "bare");
    assert.match(next.stderr, /control groups of bare were gone/);
    assert.equal(readFileSync(join(group, "memory.limit_in_bytes"), "latin1").trim(), String(40 << 20));
    assert.deepEqual(
      readFileSync(join(group, "cgroup.procs"), "latin1").trim().split("\n").sort(),
      members.sort(),
    );
    assert.equal((await cli("update", "--restart", "no", "bare")).stderr, "");
    await cli("rm", "-f", "bare");
  });

  if (soaking)
    it("of processors share them as asked for, within a tenth, while they are busy", async (t) => {
      const spin = ["box:1", "sh", "-c", "while :; do :; done"];
      const used = (id: string): number => Number(group(id, "cpuacct.usage") || 0);
      const ids = [];
      for (const [name, shares] of [
        ["much", "2048"],
        ["little", "512"],
      ] as const)
        ids.push(
          await detached(
            "--name",
            name,
            "--network",
            "none",
            "--cpuset-cpus",
            "0",
            "--cpu-shares",
            shares,
            ...spin,
          ),
        );
      const [much = "", little = ""] = ids;
      const before = [used(much), used(little)] as const;
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      const ratio = (used(much) - before[0]) / (used(little) - before[1]);
      t.diagnostic(`| shares 2048 to 512 on one processor, 20 s | ${ratio.toFixed(2)} |`);
      assert.ok(ratio > 3.6 && ratio < 4.4, `4 was asked for: ${ratio}`);
      await cli("rm", "-f", "much", "little");
      const half = await detached("--name", "half", "--network", "none", "--cpus", "0.3", ...spin);
      const start = [used(half), performance.now()] as const;
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      const share = (used(half) - start[0]) / 1e6 / (performance.now() - start[1]);
      t.diagnostic(`| --cpus 0.3, 20 s | ${share.toFixed(3)} |`);
      // How much it gets of that depends on who else is busy.
      assert.ok(share < 0.33, `at most 0.3 was asked for: ${share}`);
      await cli("rm", "-f", "half");
    });

  it("of an instance that keeps to them are told nothing of", async () => {
    const id = await detached(
      "--name",
      "calm",
      "--network",
      "none",
      "--memory",
      "64m",
      "--pids-limit",
      "50",
      "--cpus",
      "1",
      "box:1",
      "sleep",
      "1000",
    );
    assert.equal((await cli("exec", "calm", "true")).status, 0);
    await cli("rm", "-f", "calm");
    const events = await cli("events", "--since", "10m", "--until", "0s", "--filter", `instance=${id}`);
    assert.doesNotMatch(events.stdout, / (oom|breach) /);
  });

  it("that the runtime could not start with leave no control groups", async () => {
    const disks = ["--device-read-bps", `/dev/${disk}:1`];
    const bad = await once(["--memory", "4096", ...(disk === undefined ? [] : disks)], "true");
    assert.notEqual(bad.status, 0);
    const left = cgroupMode().hierarchies.flatMap((one) =>
      existsSync(`${one.path}/tranship`) ? readdirSync(`${one.path}/tranship`) : [],
    );
    const ours = readdirSync(join(fixture.root.path, "instances"));
    assert.deepEqual(ours, []);
    const history = JSON.parse((await cli("history", "--format", "json")).stdout) as { id: string }[];
    assert.deepEqual(
      history.filter((one) => left.includes(one.id)),
      [],
    );
  });

  it("that this host cannot hold are refused with the reason, and nothing is made", async () => {
    const refused = async (words: readonly string[], reason: RegExp, ...more: string[]): Promise<void> => {
      const result = await cli("create", ...words, ...more, "box:1", "true");
      assert.match(result.stderr, reason);
      assert.ok(result.status === 1 || result.status === 2);
    };
    await refused(["--cpus", "4096"], /E_LIMIT_UNSUPPORTED.*cannot hold --cpus: it has \d+ processors/);
    await refused(
      ["--cpuset-cpus", "0,4095"],
      /E_LIMIT_UNSUPPORTED.*--cpuset-cpus: (its processors are|it has no)/,
    );
    await refused(["--memory-reservation", "4096t"], /E_LIMIT_UNSUPPORTED.*--memory-reservation/);
    await refused(
      ["--egress-bandwidth", "1mbit"],
      /E_LIMIT_UNSUPPORTED.*--network none/,
      "--network",
      "none",
    );
    await refused(["--device-read-bps", "/dev/null:1mb"], /E_USAGE.*\/dev\/null is no disk/);
    const schedulers = readdirSync("/sys/block").map((name) => join("/sys/block", name, "queue/scheduler"));
    if (!schedulers.some((path) => existsSync(path) && readFileSync(path, "latin1").includes("[bfq]")))
      await refused(["--blkio-weight", "200"], /E_LIMIT_UNSUPPORTED.*--blkio-weight/);
    assert.equal((await cli("ps", "-aq")).stdout, "");
  });

  it("above what this process may give are lowered to it, which is said", {
    skip: mayRaiseLimits() ? "this process has CAP_SYS_RESOURCE" : false,
  }, async () => {
    const result = await once(
      ["--ulimit", "nofile=99999999", "--oom-score-adj", "-900"],
      "cat /proc/self/oom_score_adj",
    );
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /the ulimit nofile is \d+ and not 99999999: more needs CAP_SYS_RESOURCE/);
    assert.match(result.stderr, /the OOM score is adjusted by -?\d+ and not by -900/);
  });
});
