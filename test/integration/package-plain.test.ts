// A package exported as a plain tree starts by its script on a machine that has nothing but a shell and a few small programs.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { installRoot } from "../../src/host/native.ts";
import { openStateRoot } from "../../src/host/state-root.ts";
import { makePackage, whyNot } from "./runtime-fixture.ts";

const once7 =
  'echo "$GREETING $(id -u)"; echo kept >/srv/data/written; read line; echo "heard $line"; exit 7';

describe("a package as a plain tree", { skip: whyNot() ?? false }, () => {
  let base: string;
  let top: string;
  before(async () => {
    base = mkdtempSync(join(tmpdir(), "tranship-plain-"));
    const root = openStateRoot(join(base, "state"));
    await makePackage(root, "box:1", {
      prepare: (tree) => {
        execFileSync("ln", [join(tree, "bin/busybox"), join(tree, "bin/second-name")]);
        execFileSync("truncate", ["-s", "1M", join(tree, "srv/hole")]);
      },
      descriptor: {
        environment: { GREETING: "it's here" },
        limits: { memory: "64MiB", cpus: null, pids: null, disk: null, network: null },
        programs: [
          {
            name: "who",
            command: ["/bin/sh", "-c", once7],
            workingDirectory: "/",
            user: "web",
            environment: {},
          },
          {
            name: "serve",
            command: ["/bin/sh", "-c", "echo up; exec sleep 1000"],
            workingDirectory: "/",
            user: "root",
            environment: {},
          },
        ],
        services: [
          {
            name: "serve", program: "serve", startup: "auto", essential: true, after: [], type: "simple",
            restart: { policy: "no", attempts: 1, backoff: "1s" }, stop: { signal: "SIGTERM", timeout: "2s" },
          },
        ], // biome-ignore format: a table
      },
    });
    const file = join(base, "box.tar.gz");
    const words = ["--root", root.path, "package", "export", "--type", "tar", "-o", file, "box:1"];
    execFileSync(join(installRoot, "bin/tranship"), words, { stdio: "pipe" });
    execFileSync("tar", ["--xattrs", "-xpf", file, "-C", base]);
    top = join(base, "box");
  });
  after(() => {
    if (base !== undefined) execFileSync("rm", ["-rf", "--one-file-system", base]);
  });

  const start = (words: readonly string[], input = "") =>
    spawnSync(join(top, "start"), words, { encoding: "utf8", input });

  it("has every object, and a page that says what is lost", () => {
    assert.deepEqual(readdirSync(top).sort(), ["README", "rootfs", "start"]);
    const tree = join(top, "rootfs");
    const state = (path: string): string =>
      execFileSync("stat", ["-c", "%F %a %u:%g %h %s", join(tree, path)], { encoding: "utf8" }).trim();
    assert.match(state("bin/second-name"), /^regular file 755 0:0 2 /);
    assert.equal(state("bin/second-name"), state("bin/busybox"));
    assert.equal(state("srv/hole"), "regular file 644 0:0 1 1048576");
    assert.equal(state("srv/data"), "directory 750 33:44 2 4096");
    assert.match(readFileSync(join(top, "README"), "utf8"), /not carried out: limits\.memory\.$/m);
  });

  it("runs a program with its user, environment, input and status, and keeps what it writes", () => {
    const { status, stdout, stderr } = start(["@who"], "a word\n");
    assert.equal(stdout, "it's here 33\nheard a word\n", stderr);
    assert.equal(status, 7);
    assert.equal(readFileSync(join(top, "rootfs/srv/data/written"), "utf8"), "kept\n");
    assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(base), "no mount is left");
  });

  it("starts the services, and SIGTERM stops them", async () => {
    const child = spawn(join(top, "start"), [], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit");
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    const [status] = await ended;
    assert.notEqual(status, 125);
    const left = spawnSync("sh", ["-c", `grep -l ${base} /proc/[0-9]*/mountinfo 2>/dev/null`], {
      encoding: "utf8",
    });
    assert.equal(left.stdout, "");
  });

  for (const without of [undefined, "unshare"]) {
    it(`works where there is busybox alone${without === undefined ? "" : `, and no ${without}`}`, () => {
      const machine = join(base, "machine");
      for (const name of ["bin", "proc", "sys", "dev", "tmp"])
        mkdirSync(join(machine, name), { recursive: true });
      cpSync("/bin/busybox", join(machine, "bin/busybox"));
      const applets =
        "sh mount umount mknod env chroot dirname id uname ln mkdir cat hostname unshare true".split(" ");
      for (const name of applets) if (name !== without) symlinkSync("busybox", join(machine, "bin", name));
      cpSync(top, join(machine, "box"), {
        recursive: true,
        verbatimSymlinks: true,
        preserveTimestamps: true,
      });
      execFileSync("chown", ["33:44", join(machine, "box/rootfs/srv/data")]);
      const script = `mount -t proc proc ${machine}/proc; exec chroot ${machine} /bin/sh -c '/box/start @who; echo "status $?"; cat /proc/mounts'`;
      const words = ["-m", "-p", "-f", "sh", "-c", script];
      const { stdout, stderr } = spawnSync("unshare", words, {
        encoding: "utf8",
        input: "a word\n",
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      });
      assert.match(stdout, /^it's here 33\nheard a word\nstatus 7\n/, stderr);
      assert.ok(!stdout.includes("/box/rootfs"), `a mount is left: ${stdout}`);
      if (without !== undefined) assert.match(stderr, /shared with this machine/);
      rmSync(machine, { recursive: true });
      assert.ok(!existsSync(machine));
    });
  }
});
