// docker's flags for what more or less an instance may use: --device, --group-add, --security-opt, --volumes-from, --pull. By what the programs see.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { cgroupMode } from "../../src/host/cgroup.ts";
import {
  type CliResult,
  type Fixture,
  makeFixture,
  makePackage,
  programWords,
  until,
  whyNot,
} from "./runtime-fixture.ts";

const skip = whyNot() ?? false;
/** A device of this host that no instance has by itself. */
const device = ["/dev/loop-control", "/dev/net/tun", "/dev/fuse", "/dev/kvm"].find((path) =>
  existsSync(path),
);

describe("what an instance may use", { skip, timeout: 600_000 }, () => {
  let fixture: Fixture;
  let scratch: string;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
    scratch = mkdtempSync(join(tmpdir(), "tranship-access-"));
  });
  after(async () => {
    await fixture.cli(["rm", "-f", "-v", "lender", "borrower", "placed"]);
    await fixture.cli(["volume", "rm", "kept"]);
    await fixture.clean();
    await fixture.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  const run = (...words: string[]): Promise<CliResult> => fixture.cli(["run", "--rm", ...words]);
  async function printed(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await run(...words);
    assert.equal(status, 0, `${words.join(" ")}: ${stderr}`);
    return stdout.trim();
  }
  async function ok(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await fixture.cli(words);
    assert.equal(status, 0, `${words.join(" ")}: ${stderr}`);
    return stdout.trim();
  }
  async function ends(wanted: number, message: RegExp, ...words: string[]): Promise<void> {
    const { status, stderr } = await run(...words);
    assert.equal(status, wanted, `${words.join(" ")}: ${stderr}`);
    assert.match(stderr, message);
  }
  const refused = (message: RegExp, ...words: string[]): Promise<void> => ends(2, message, ...words);

  const numbers = (path: string): string => {
    const { rdev } = statSync(path);
    return `${((rdev >> 8) & 0xfff).toString(16)} ${(rdev & 0xff).toString(16)}`;
  };

  it("a caller that was put into another root by chroot has instances as others have", async () => {
    const other = join(scratch, "other-root");
    mkdirSync(other);
    // What is needed is seen in the other root alone.
    const script =
      'mount --rbind / "$1" && mount -t tmpfs none "$2" && cd "$1" && shift 2 && exec chroot . "$@"';
    const places = [other, fixture.root.path];
    const within = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", ...places];
    const words = ["run", "--rm", "--network", "none", "box:1", "echo", "there"];
    const { status, stdout, stderr } = await fixture.inside([...within, ...programWords(false), ...words]);
    assert.deepEqual([status, stdout], [0, "there\n"], stderr);
  });

  for (const runtime of ["crun", "runc"])
    it(`--device under ${runtime}: is there and can be opened as far as that was given`, {
      skip: device === undefined ? "needs a device like /dev/loop-control" : false,
    }, async () => {
      const own = device ?? "";
      const env = { TRANSHIP_RUNTIME: runtime };
      const cli = async (...words: string[]): Promise<CliResult> =>
        await fixture.cli(["run", "--rm", ...words], { env });
      const open = (path: string, sign: string): string[] => ["box:1", "sh", "-c", `: ${sign} ${path}`];
      // The control: it is not there, and a node of the same numbers is refused.
      assert.notEqual((await cli(...open(own, "<"))).status, 0);
      const [major, minor] = numbers(own)
        .split(" ")
        .map((part) => Number.parseInt(part, 16));
      const made = ["box:1", "sh", "-c", `mknod /tmp/x c ${major} ${minor} && : < /tmp/x`];
      assert.match((await cli(...made)).stderr, /not permitted|denied/);

      const shown = await cli("--device", own, "box:1", "stat", "-c", "%t %T", own);
      assert.equal(shown.stdout.trim(), numbers(own), shown.stderr);
      const there = await cli("--device", `${own}:/dev/mine`, ...open("/dev/mine", "<>"));
      assert.equal(there.status, 0, there.stderr);
      if (cgroupMode().hierarchies.length === 0) return;
      const read = await cli("--device", `${own}:/dev/mine:r`, ...open("/dev/mine", "<"));
      assert.equal(read.status, 0, read.stderr);
      const written = await cli("--device", `${own}:/dev/mine:r`, ...open("/dev/mine", "<>"));
      assert.notEqual(written.status, 0);
      assert.match(written.stderr, /not permitted|denied/);
    });

  it("--device: a directory stands for the devices in it; a user namespace is shown the host's own", {
    skip: device === undefined ? "needs a device like /dev/loop-control" : false,
  }, async () => {
    const own = device ?? "";
    const nodes = join(scratch, "nodes");
    await fixture.inside(["mkdir", nodes]);
    const [major, minor] = numbers(own)
      .split(" ")
      .map((part) => String(Number.parseInt(part, 16)));
    for (const name of ["a", "b"])
      await fixture.inside(["mknod", "-m", "666", join(nodes, name), "c", major ?? "", minor ?? ""]);
    writeFileSync(join(nodes, "note"), "no device\n");
    assert.equal(await printed("--device", `${nodes}:/dev/many`, "box:1", "ls", "/dev/many"), "a\nb");
    const userns = ["--userns", "auto", "--device", `${join(nodes, "a")}:/dev/mine`];
    assert.equal(await printed(...userns, "box:1", "stat", "-c", "%t %T", "/dev/mine"), numbers(own));
    await refused(/this host has no \/dev\/nowhere/, "--device", "/dev/nowhere", "box:1", "true");
    await refused(/note is no device/, "--device", join(nodes, "note"), "box:1", "true");
    await refused(/not a device: "dev\/null"/, "--device", "dev/null", "box:1", "true");
    await refused(/vendor describes \(CDI\)/, "--device", "vendor.com/gpu=all", "box:1", "true");
    assert.deepEqual(readdirSync(fixture.root.instances), []);
  });

  it("--net is --network; docker's flags that are not taken say why", async () => {
    assert.equal(await printed("--net", "none", "box:1", "ls", "/sys/class/net"), "lo");
    await refused(/--ipc is not taken: each instance has/, "--ipc", "host", "box:1", "true");
    await refused(/--gpus is not taken: name the devices/, "--gpus=all", "box:1", "true");
    await refused(/unknown option '--none-of-docker'/, "--none-of-docker", "box:1", "true");
  });

  it("--group-add: groups of the command and of what is executed in it", async () => {
    const added = ["--group-add", "extra", "--group-add", "4711"];
    assert.equal(await printed("--user", "33", "box:1", "id", "-G"), "44 55");
    assert.equal(await printed("--user", "33:44", ...added, "box:1", "id", "-G"), "44 55 4711");
    assert.match(await printed(...added, "box:1", "id", "-G"), /55 4711$/);
    await ok("run", "-d", "--name", "placed", "--user", "33:44", ...added, "box:1", "sleep", "600");
    assert.equal(await ok("exec", "placed", "id", "-G"), "44 55 4711");
    assert.equal(await ok("inspect", "-f", "{{json .HostConfig.GroupAdd}}", "placed"), '["extra","4711"]');
    await ok("rm", "-f", "placed");
    await refused(/the package has no group "nobodys"/, "--group-add", "nobodys", "box:1", "true");
  });

  it("--security-opt no-new-privileges: for the command and for what is executed in it", async () => {
    const status = ["grep", "NoNewPrivs", "/proc/self/status"];
    assert.match(await printed("box:1", ...status), /0$/);
    for (const word of ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"])
      assert.match(await printed("--security-opt", word, "box:1", ...status), /1$/, word);
    const undone = ["--security-opt", "no-new-privileges", "--security-opt", "no-new-privileges=false"];
    assert.match(await printed(...undone, "box:1", ...status), /0$/);
    await ok("run", "-d", "--name", "placed", "--security-opt", "no-new-privileges", "box:1", "sleep", "600");
    assert.match(await ok("exec", "placed", ...status), /1$/);
    await ok("rm", "-f", "placed");
  });

  for (const runtime of ["crun", "runc"])
    it(`--security-opt seccomp under ${runtime}: a profile in docker's format, or none`, async () => {
      const env = { TRANSHIP_RUNTIME: runtime };
      const cli = (...words: string[]): Promise<CliResult> => fixture.cli(["run", "--rm", ...words], { env });
      const file = join(scratch, "profile.json");
      const write = (profile: object): void => writeFileSync(file, JSON.stringify(profile));
      const given = ["--security-opt", `seccomp=${file}`];
      const change = ["box:1", "chmod", "700", "/tmp"];
      assert.equal((await cli(...change)).status, 0);
      const denied = { names: ["chmod", "fchmodat", "fchmodat2"], action: "SCMP_ACT_ERRNO", errnoRet: 28 };
      write({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [denied] });
      const told = await cli(...given, ...change);
      assert.equal(told.status, 1, told.stderr);
      assert.match(told.stderr, /No space left/);
      // A rule that waits for a capability which this instance does not have.
      write({
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ ...denied, includes: { caps: ["CAP_SYS_ADMIN"] } }],
      });
      assert.equal((await cli(...given, ...change)).status, 0);
      assert.equal((await cli(...given, "--cap-add", "SYS_ADMIN", ...change)).status, 1);
      const open = await cli(
        "--security-opt",
        "seccomp=unconfined",
        "box:1",
        "grep",
        "Seccomp:",
        "/proc/1/status",
      );
      assert.match(open.stdout, /0$/m);
    });

  it("--security-opt: what is no profile, and what is not given, is refused with the reason", async () => {
    const file = join(scratch, "profile.json");
    for (const [content, message] of [
      ["{", /is no seccomp profile: it is no JSON/],
      ["{}", /defaultAction: not an action: undefined/],
      [
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_ERRNO"}]}',
        /syscalls\[0\] has no names/,
      ],
      ['{"defaultAction":"SCMP_ACT_NOTIFY"}', /SCMP_ACT_NOTIFY asks for somebody who answers/],
    ] as const) {
      writeFileSync(file, content);
      await refused(message, "--security-opt", `seccomp=${file}`, "box:1", "true");
    }
    await ends(125, /cannot read the seccomp profile/, "--security-opt", "seccomp=/nowhere", "box:1", "true");
    await refused(/--security-opt apparmor: no profile/, "--security-opt", "apparmor=mine", "box:1", "true");
    await refused(/--security-opt systempaths/, "--security-opt", "systempaths=unconfined", "box:1", "true");
    await refused(/not an option of security: "x"/, "--security-opt", "x", "box:1", "true");
    for (const word of ["apparmor=unconfined", "label=disable", "label:disable", "seccomp=builtin"])
      await printed("--security-opt", word, "box:1", "true");
    const both = ["--security-opt", "seccomp=unconfined", "--syscalls", "default"];
    await refused(/conflicting options/, ...both, "box:1", "true");
  });

  it("--volumes-from: what another instance has mounted, which goes with the last of them", async () => {
    const folder = join(scratch, "folder");
    const own = [
      "-v",
      "/srv/data",
      "-v",
      "kept:/srv/kept",
      "-v",
      `${folder}:/srv/host`,
      "--tmpfs",
      "/srv/quick",
    ];
    await ok("create", "--name", "lender", ...own, "box:1", "sleep", "600");
    // It has not started yet: the content of its package is there all the same.
    const from = ["--volumes-from", "lender"];
    assert.equal(await printed(...from, "box:1", "ls", "/srv/data"), "seed.txt");
    await printed(...from, "box:1", "touch", "/srv/data/mine", "/srv/kept/mine", "/srv/host/mine");
    assert.equal((await run(...from, "box:1", "ls", "/srv/quick")).status, 1);
    assert.equal((await run("--volumes-from", "lender:ro", "box:1", "touch", "/srv/data/x")).status, 1);
    // Its own mounts go before.
    assert.equal(await printed(...from, "-v", "/srv/kept", "box:1", "ls", "/srv/kept"), "");

    await ok("run", "-d", "--name", "borrower", ...from, "box:1", "sleep", "600");
    const volumes = (): string[] => readdirSync(fixture.root.volumes).filter((name) => name !== "kept");
    assert.equal(volumes().length, 1);
    await ok("rm", "-f", "-v", "lender");
    assert.equal(await ok("exec", "borrower", "ls", "/srv/data"), "mine\nseed.txt");
    await ok("rm", "-f", "-v", "borrower");
    assert.deepEqual(volumes(), []);
    await ends(125, /no such instance: nobody/, "--volumes-from", "nobody", "box:1", "true");
    await refused(/not an instance: "a:b"/, "--volumes-from", "a:b", "box:1", "true");
    await ok("volume", "rm", "kept");
  });

  it("--pull: missing fetches what is not here, always what is newer, never nothing", async () => {
    const registry = await serve();
    const env = { TRANSHIP_REGISTRY_MIRRORS: `registry.example.com=http://${registry.host}` };
    const name = "registry.example.com/box:1";
    try {
      await ok("push", "--plain-http", "box:1", `${registry.host}/box:1`);
      const asked = (when: string): Promise<CliResult> =>
        fixture.cli(["run", "--rm", "--pull", when, name, "cat", "/etc/release"], { env });
      const none = await asked("never");
      assert.equal(none.status, 125);
      assert.match(none.stderr, /no such image/);
      const fetched = await asked("missing");
      assert.match(fetched.stderr, /pulled registry\.example\.com\/box:1 sha256:/);
      assert.notEqual(fetched.status, 125, fetched.stderr);
      await makePackage(fixture.root, "box:2", { files: { "etc/release": "2\n" } });
      await ok("push", "--plain-http", "box:2", `${registry.host}/box:1`);
      assert.notEqual((await asked("missing")).stdout, "2\n");
      assert.equal((await asked("always")).stdout, "2\n");
      await refused(/--pull/, "--pull", "sometimes", "box:1", "true");
    } finally {
      await registry.end();
    }
  });

  /** A registry of ours in the fixture's network. */
  async function serve(): Promise<{ host: string; end(): Promise<void> }> {
    const host = "127.0.0.1:5001";
    const words = ["registry", "serve", "--listen", host, "--root", join(scratch, "registry")];
    const [file = "", ...rest] = [...fixture.enter, ...programWords(false), ...words];
    const child = spawn(file, rest, { stdio: "ignore" });
    const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    await until(
      async () => (await fixture.inside(["wget", "-q", "-O", "-", `http://${host}/v2/`])).status === 0,
    );
    return {
      host,
      async end() {
        child.kill("SIGTERM");
        await exit;
      },
    };
  }
});
