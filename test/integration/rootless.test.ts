// Instances of an ordinary user: a real one, made for these tests, without any capability, with state where XDG has it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { hostHierarchies } from "../../src/host/cgroup.ts";
import { installRoot } from "../../src/host/native.ts";
import { rangeOf } from "../../src/host/rootless/needs.ts";
import { openStateRoot } from "../../src/host/state-root.ts";
import { instanceGroup } from "../../src/runtime/limits/groups.ts";
import { makePackage, until, whyNot } from "./runtime-fixture.ts";

function whyNotRootless(): string | undefined {
  const missing = ["newuidmap", "useradd", "userdel", "setpriv", "unshare"].filter(
    (name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0,
  );
  if (missing.length > 0) return `needs ${missing.join(", ")}`;
  if (readFileSync("/proc/sys/user/max_user_namespaces", "latin1").trim() === "0")
    return "no user namespaces here";
  for (let path = installRoot; path !== "/"; path = join(path, ".."))
    if ((statSync(path).mode & 0o5) !== 0o5) return `${path} cannot be read by ordinary users`;
  return undefined;
}

const skip = whyNot() ?? whyNotRootless() ?? false;
const idle = ["box:1", "sh", "-c", "while :; do sleep 0.1; done"];
/** Where the memory of processes is limited, in cgroup v1. */
const placeOf = (controller: string): string | undefined =>
  hostHierarchies().find((one) => one.version === 1 && one.controllers.includes(controller))?.path;
const memory = placeOf("memory");

const unified = hostHierarchies().find((one) => one.version === 2)?.path;

/** A group in each hierarchy of v1, as the manual has it. */
function giveGroups(user: string, name: string): string[] {
  return hostHierarchies()
    .filter((one) => one.version === 1)
    .map(({ path, controllers }) => {
      const group = join(path, name);
      mkdirSync(group, { recursive: true });
      for (const file of controllers.includes("cpuset") ? ["cpuset.cpus", "cpuset.mems"] : [])
        writeFileSync(join(group, file), readFileSync(join(path, file)));
      execFileSync("chown", [user, group]);
      return group;
    });
}

const noSlirp = existsSync("/usr/bin/slirp4netns") ? false : "needs slirp4netns";

it("takes the largest range of ids of a user, by name or number", () => {
  const text = "# comment\nann:100000:10\nann:200000:65536\n1001:300000:70000\nbob:1:2\n";
  assert.deepEqual(rangeOf(text, "ann", 5), { first: 200_000, count: 65_536 });
  assert.deepEqual(rangeOf(text, "eve", 1001), { first: 300_000, count: 70_000 });
  assert.equal(rangeOf(text, "eve", 5), undefined);
});

describe("an ordinary user", { skip, timeout: 300_000 }, () => {
  const user = `trl${process.pid}`;
  let home: string;
  let state: string;
  let given: string;
  before(async () => {
    home = mkdtempSync(join(tmpdir(), "tranship-rootless-"));
    chmodSync(home, 0o755);
    state = join(home, ".local/share/tranship");
    execFileSync("useradd", ["-M", "-d", home, "-s", "/bin/sh", user]);
    given = `tranship-${execFileSync("id", ["-u", user], { encoding: "utf8" }).trim()}`;
    if (rangeOf(readFileSync("/etc/subuid", "latin1"), user, -1) === undefined)
      execFileSync("usermod", ["--add-subuids", "700000-765535", "--add-subgids", "700000-765535", user]);
    execFileSync("mkdir", ["-p", state]);
    const root = openStateRoot(state);
    await makePackage(root, "box:1");
    const metadata = (id: string) => ({ id, name: id, version: "1", publisher: "" });
    const leads = { from: "/usr/driver", to: "/opt/driver", match: "folder", mode: "full" } as const;
    await makePackage(root, "driver:1", {
      files: { "opt/driver/data": "driver\n" },
      descriptor: {
        metadata: metadata("driver"),
        redirections: { files: [leads], network: [], registry: [] },
      },
    });
    await makePackage(root, "app:1", { descriptor: { metadata: metadata("app"), links: ["driver"] } });
    execFileSync("chown", ["-R", `${user}:`, home]);
    // The launcher may be started by one first who cannot write down that its Node runs here.
    for (const arch of ["x64", "arm64"])
      rmSync(join(installRoot, `node_modules/node-linux-${arch}/.runs-here`), { force: true });
  });
  after(async () => {
    endHolder();
    await until(() => processesOf().length === 0);
    execFileSync("userdel", [user], { stdio: "ignore" });
    rmSync(home, { recursive: true, force: true });
  });

  function endHolder(): void {
    const file = join(state, "rootless.json");
    if (!existsSync(file)) return;
    try {
      process.kill((JSON.parse(readFileSync(file, "utf8")) as { pid: number }).pid, "SIGKILL");
    } catch {} // killed by a test
  }
  const processesOf = (): string[] =>
    spawnSync("pgrep", ["-u", user], { encoding: "utf8" }).stdout.split("\n").filter(Boolean);
  /** `tun`: with a node of tunnels that everybody may use, as distributions have it; else with one that only root may. */
  function cli(
    args: readonly string[],
    tun = true,
    session = "",
  ): { status: number; stdout: string; stderr: string } {
    const node = `mknod ${home}/tun$$ c 10 200 && chmod ${tun ? 666 : 600} ${home}/tun$$ && mount --bind ${home}/tun$$ /dev/net/tun && rm -f ${home}/tun$$`;
    const { NODE_EXTRA_CA_CERTS: _, TRANSHIP_ROOT: __, ...env } = process.env;
    const result = spawnSync(
      "unshare",
      [
        ...[
          "-m",
          "sh",
          "-c",
          `${node} && ${session === "" ? "" : `echo $$ >${session}/cgroup.procs &&`} exec "$@"`,
          "sh",
        ],
        ...["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--inh-caps=-all"],
        ...[join(installRoot, "bin/tranship"), ...args],
      ],
      { encoding: "utf8", cwd: "/", env: { ...env, HOME: home, PATH: "/usr/bin:/bin", XDG_DATA_HOME: "" } },
    );
    return { status: result.status ?? -1, stdout: result.stdout, stderr: result.stderr };
  }
  function works(...args: string[]): string {
    const result = cli(args);
    assert.equal(result.status, 0, result.stderr);
    return result.stdout;
  }

  it("runs, lists, looks into, stops and removes instances, and publishes their ports", {
    skip: noSlirp,
  }, async () => {
    works(
      "run",
      "-d",
      "--name",
      "web",
      "-p",
      "18473:80",
      "-v",
      "data:/srv/data",
      "box:1",
      "sh",
      "-c",
      "echo hello >/tmp/page; exec httpd -f -p 80 -h /tmp",
    );
    assert.match(works("ps"), /18473->80\/tcp +web/);
    const answer = await fetch("http://127.0.0.1:18473/page");
    assert.equal(await answer.text(), "hello\n");
    assert.match(works("exec", "web", "id"), /^uid=0\(root\)/);
    assert.equal(
      works("exec", "-u", "web", "web", "sh", "-c", "id -u; cat /srv/data/seed.txt"),
      "33\nfrom the image\n",
    );
    assert.match(works("exec", "web", "cat", "/proc/self/uid_map"), /^ +0 +\d+ +1\n +1 +\d+ +\d+\n$/);
    assert.match(
      works(
        "run",
        "--rm",
        "--network",
        "none",
        "box:1",
        "sh",
        "-c",
        "rm -r /srv/data; mkdir /srv/data; ls /srv/data; echo gone",
      ),
      /^gone$/m,
    );
    works("stop", "-t", "20", "web");
    assert.match(works("ps", "-a"), /Exited/);
    works("start", "web");
    works("rm", "-f", "-v", "web");
    assert.doesNotMatch(works("ps", "-a"), /web/);
    assert.equal(cli(["run", "--rm", "box:1", "sh", "-c", "exit 7"]).status, 7);
    works("volume", "rm", "data");
    await assert.rejects(fetch("http://127.0.0.1:18473/page"));
    // What the kernel knows of flows is the user's own too.
    const udp = cli(["run", "--rm", "-p", "18473:53/udp", "box:1", "true"]);
    assert.deepEqual([udp.status, udp.stderr], [0, ""]);
  });

  it("runs packages that link to others, with their files and redirections", () => {
    const words = ["--network", "none", "app:1", "sh", "-c"];
    works("run", "--name", "linked", ...words, "cat /usr/driver/data; echo mine >/usr/driver/data");
    assert.equal(works("start", "-a", "linked").trim(), "mine", "what it wrote is its own");
    assert.match(works("diff", "linked"), /^C \/opt\/driver\/data$/m);
    assert.equal(works("run", "--rm", ...words, "cat /usr/driver/data"), "driver\n");
    assert.match(works("why", "app:1", "/usr/driver/data"), /files\[0\] of driver:1/);
    works("rm", "linked");
  });

  it("is no more to the host than it was: its root touches nothing of others", () => {
    const result = cli([
      "run",
      "--rm",
      "--network",
      "none",
      "-v",
      "/etc:/host",
      "--cap-add",
      "ALL",
      "box:1",
      "sh",
      "-c",
      "echo x >>/host/passwd; cat /host/shadow; mknod /tmp/m c 1 3 && echo made; hostname other",
    ]);
    assert.match(result.stderr, /host\/passwd: Permission denied/);
    assert.match(result.stderr, /host\/shadow.*Permission denied/);
    assert.doesNotMatch(result.stdout, /made/);
  });

  it("has ulimits, and is told what is missing for limits by control groups", () => {
    assert.match(
      works("run", "--rm", "--ulimit", "nofile=64", "box:1", "cat", "/proc/self/limits"),
      /^Max open files +64 +64 /m,
    );
    const refused = cli(["run", "--rm", "--memory", "20m", "box:1", "true"]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /E_LIMIT_UNSUPPORTED.*--memory/);
    if (memory === undefined) return;
    assert.match(
      refused.stderr,
      new RegExp(`${memory}/${given} is not there or not yours \\(as root: mkdir`),
    );
    assert.match(
      cli(["doctor"]).stdout,
      /^warn +rootless: limits by control groups .*not there or not yours/m,
    );
  });

  it("has limits in control groups that root gave", {
    skip: memory === undefined ? "the controller memory is not one of cgroup v1 here" : false,
  }, async () => {
    const groups = giveGroups(user, given);
    try {
      const killed = cli([
        "run",
        "--rm",
        "--memory",
        "32m",
        "box:1",
        "dd",
        "if=/dev/zero",
        "of=/dev/null",
        "bs=64M",
        "count=1",
      ]);
      assert.equal(killed.status, 137, killed.stderr);
      works("run", "-d", "--name", "held", "--memory", "64m", "--cpus", "0.5", "--pids-limit", "20", ...idle);
      const id = works("inspect", "--format", "{{.Id}}", "held").trim();
      const group = (controller: string): string => join(placeOf(controller) ?? "", given, instanceGroup(id));
      assert.equal(readFileSync(join(group("memory"), "memory.limit_in_bytes"), "latin1"), `${64 << 20}\n`);
      assert.equal(readFileSync(join(group("cpu"), "cpu.cfs_quota_us"), "latin1"), "50000\n");
      const script = "for i in $(seq 40); do sleep 1 & done; wait; echo all";
      const forks = cli(["exec", "held", "sh", "-c", script]);
      assert.match(forks.stderr, /fork: Resource temporarily unavailable/);
      assert.doesNotMatch(forks.stdout, /all/);
      works("update", "--memory", "80m", "held");
      assert.equal(readFileSync(join(group("memory"), "memory.limit_in_bytes"), "latin1"), `${80 << 20}\n`);
      assert.match(works("stats", "--no-stream", "held"), /\/ 80MiB/);
      works("pause", "held");
      works("unpause", "held");
      works("rm", "-f", "held");
      await until(() => groups.every((path) => !existsSync(join(path, instanceGroup(id)))));
    } finally {
      cli(["rm", "-f", "held"]);
      for (const path of groups) rmdirSync(path);
    }
  });

  it("goes into the group of cgroup v2 that its session stands in, where that was given", {
    skip: unified === undefined ? "no cgroup v2 here" : false,
  }, async () => {
    const whole = join(unified ?? "", given);
    mkdirSync(join(whole, "session"), { recursive: true });
    for (const path of [whole, join(whole, "session")])
      for (const name of ["", "cgroup.procs", "cgroup.subtree_control"])
        execFileSync("chown", [user, join(path, name)]);
    const inSession = (...args: string[]): string => {
      const result = cli(args, true, join(whole, "session"));
      assert.equal(result.status, 0, result.stderr);
      return result.stdout;
    };
    try {
      inSession("run", "-d", "--name", "placed", "--network", "none", ...idle);
      const [id = "", pid] = inSession("inspect", "--format", "{{.Id}} {{.State.Pid}}", "placed")
        .trim()
        .split(" ");
      const groups = (of: string | undefined): string => readFileSync(`/proc/${of}/cgroup`, "latin1");
      assert.match(groups(pid), new RegExp(`^0::/${given}/${instanceGroup(id)}$`, "m"));
      const offered = readFileSync(join(whole, "cgroup.controllers"), "latin1");
      assert.equal(readFileSync(join(whole, "cgroup.subtree_control"), "latin1"), offered);
      assert.match(
        inSession("exec", "placed", "cat", "/proc/self/cgroup"),
        new RegExp(`^0::.*/${instanceGroup(id)}$`, "m"),
      );
      // From a session beside it the group cannot be reached: that is said, with what to do.
      const beside = cli(["run", "--rm", "--memory", "20m", "box:1", "true"]);
      assert.match(beside.stderr, /E_LIMIT_UNSUPPORTED/);
      inSession("rm", "-f", "placed");
      await until(() => !existsSync(join(whole, instanceGroup(id))));
    } finally {
      cli(["rm", "-f", "placed"], true, join(whole, "session"));
      endHolder();
      await until(() => processesOf().length === 0);
      for (const path of [join(whole, "session"), whole]) rmdirSync(path);
    }
  });

  it("reaches its instances also when the process that kept the namespaces was killed", async () => {
    works("run", "-d", "--name", "kept", "--network", "none", "box:1", "sleep", "1000");
    endHolder();
    assert.equal(works("exec", "kept", "echo", "still here"), "still here\n");
    works("rm", "-f", "kept");
    await until(() => processesOf().length === 0);
  });

  it("gets a network without the outside where tunnels are root's, and is told why", async () => {
    const first = cli(
      [
        "run",
        "-d",
        "--name",
        "one",
        "box:1",
        "sh",
        "-c",
        "echo inner >/tmp/page; exec httpd -f -p 80 -h /tmp",
      ],
      false,
    );
    assert.equal(first.status, 0, first.stderr);
    assert.match(first.stderr, /instances reach each other, but not the outside/);
    const address = works("inspect", "--format", "{{.NetworkSettings.IPAddress}}", "one").trim();
    assert.equal(works("run", "--rm", "box:1", "wget", "-q", "-O", "-", `http://${address}/page`), "inner\n");
    const published = cli(["run", "-d", "-p", "18474:80", "box:1", "true"], false);
    assert.match(published.stderr, /E_NETWORK.*slirp4netns/);
    works("rm", "-f", "one");
    assert.equal(works("ps", "-aq"), "");
    const doctor = cli(["doctor"], false).stdout;
    assert.match(doctor, /^warn +rootless: network outside +\/dev\/net\/tun may not be opened/m);
    endHolder();
    await until(() => processesOf().length === 0);
  });

  it("is told exactly what is missing", () => {
    const { first, count } = rangeOf(readFileSync("/etc/subuid", "latin1"), user, -1) ?? {
      first: 0,
      count: 1,
    };
    execFileSync("usermod", ["--del-subuids", `${first}-${first + count - 1}`, user], { stdio: "ignore" });
    const result = cli(["run", "--rm", "box:1", "true"]);
    assert.equal(result.status, 125);
    assert.match(result.stderr, new RegExp(`E_NEEDS_ROOT.*range of ids: none for ${user} in /etc/subuid`));
    assert.match(result.stderr, /hint: as root: usermod --add-subuids/);
    const doctor = cli(["doctor"]);
    assert.equal(doctor.status, 1);
    assert.match(doctor.stdout, /^fail +rootless: range of ids/m);
  });
});
