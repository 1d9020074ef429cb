// What an instance runs on is its package's: libraries, root, mounts and the filter of calls. Each is also looked for where it must be
// found, so that what is not there says something.
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  type Fixture,
  makeFixture,
  makePackage,
  removeInstances,
  until,
  whyNot,
} from "../integration/runtime-fixture.ts";
import { makeSmallRoot } from "../support/small-root.ts";

const skip = whyNot() ?? (existsSync("/usr/bin/gcc") ? false : "needs gcc");

describe("an instance's own system", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let work: string;
  let libraries: string[];

  before(async () => {
    work = mkdtempSync(join(tmpdir(), "tranship-system-"));
    const stay = join(work, "stay");
    execFileSync("gcc", ["-O1", "-x", "c", "-o", stay, "-"], {
      input: "#include <unistd.h>\nint main(void) { return pause(); }\n",
    });
    libraries = [...execFileSync("ldd", [stay], { encoding: "utf8" }).matchAll(/(?<==> |^\t)\/\S+/gm)].map(
      ([path]) => path,
    );
    fixture = await makeFixture();
    const prepare = (tree: string): void => {
      for (const path of libraries) {
        mkdirSync(join(tree, dirname(path)), { recursive: true });
        copyFileSync(path, join(tree, path));
      }
      copyFileSync(stay, join(tree, "bin/stay"));
    };
    const files = { "etc/os-release": "ID=older\n", "etc/fstab": "/dev/old-disk / ext3 defaults 0 1\n" };
    await makePackage(fixture.root, "box:1", { prepare, files });
  });
  after(async () => {
    await removeInstances(fixture);
    await fixture.remove();
    rmSync(work, { recursive: true, force: true });
  });

  const done = async (...words: string[]): Promise<string> => {
    const result = await fixture.cli(words);
    assert.equal(result.status, 0, `${words.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  const initOf = async (name: string): Promise<number> =>
    Number(await done("inspect", "-f", "{{.State.Pid}}", name));
  const start = async (name: string, ...words: string[]): Promise<number> => {
    await done("run", "-d", "--name", name, "--network", "none", ...words);
    return await initOf(name);
  };

  it("runs on the package's libraries, and leaves the host's alone that have the same names", async () => {
    const digests = (): string[] =>
      libraries.map((path) => createHash("sha256").update(readFileSync(path)).digest("hex"));
    const before = digests();
    const init = await start("own", "box:1", "stay");
    assert.deepEqual(await mappedFromHost(init, "stay"), []);
    const [libc = ""] = libraries.filter((path) => /\/libc\.so/.test(path));
    // The controls: one library of the host's within it, and the same program on the host.
    const mixed = await start("mixed", "-v", `${libc}:${libc}:ro`, "box:1", "stay");
    assert.deepEqual(await mappedFromHost(mixed, "stay"), [libc]);
    const native = spawn(join(work, "stay"), { stdio: "ignore" });
    try {
      assert.ok((await mappedFromHost(native.pid ?? 0, undefined)).length >= libraries.length);
    } finally {
      await ended(native);
    }
    await done("rm", "-f", "own", "mixed");
    assert.deepEqual(digests(), before);
  });

  it("has a root of its own and the source's system in it, whatever else runs", async () => {
    const seen = "stat -c %d:%i / && cat /etc/os-release";
    await start("left", "box:1", "sleep", "1000");
    await start("right", "box:1", "sleep", "1000");
    const left = await done("exec", "left", "sh", "-c", seen);
    const right = await done("exec", "right", "sh", "-c", seen);
    const host = (await fixture.inside(["sh", "-c", seen])).stdout;
    assert.equal(new Set([left, right, host].map((text) => text.split("\n", 1)[0])).size, 3);
    assert.match(left, /\nID=older\n$/);
    assert.match(right, /\nID=older\n$/);
    assert.doesNotMatch(host, /^ID=older$/m);
    assert.equal(await done("exec", "left", "sh", "-c", seen), left, "the control: one root is one root");
    await done("exec", "left", "sh", "-c", "echo ID=changed >/etc/os-release");
    assert.equal(await done("exec", "right", "sh", "-c", seen), right);
    await done("rm", "-f", "left", "right");
  });

  it("shows the mounts of the instance, and none of the host nor its paths", async () => {
    const shown = async (...flags: string[]): Promise<string> =>
      await done(
        "run",
        "--rm",
        "--network",
        "none",
        ...flags,
        "box:1",
        "cat",
        "/proc/self/mounts",
        "/etc/fstab",
      );
    const points = (text: string): string[] => text.split("\n").map((line) => line.split(" ")[1] ?? "");
    const own = await shown();
    const hostText = (await fixture.inside(["cat", "/proc/self/mounts"])).stdout;
    const known = ["/", "/proc", "/sys", "/dev"];
    const ofHost = points(hostText).filter(
      (point) => !known.includes(point) && !/^\/(proc|sys|dev)\//.test(point),
    );
    assert.deepEqual(
      points(own).filter((point) => point !== "" && ofHost.includes(point)),
      [],
    );
    assert.doesNotMatch(own, new RegExp(fixture.root.path));
    assert.match(own, /\/dev\/old-disk \/ ext3/);
    // A host without DMI has no directory to bind the values to: what is mounted there names no path either, with either runtime.
    for (const runtime of ["crun", "runc"]) {
      const flags = ["--rm", "--network", "none", "--dmi", "product_serial=OLD-1"];
      const files = ["/sys/class/dmi/id/product_serial", "/proc/self/mounts"];
      const words = ["run", ...flags, "box:1", "cat", ...files];
      const { stdout, stderr } = await fixture.cli(words, { env: { TRANSHIP_RUNTIME: runtime } });
      assert.match(stdout, /^OLD-1\n/, stderr);
      assert.doesNotMatch(stdout, new RegExp(fixture.root.path), runtime);
    }
    // The control: what a person lends is seen.
    const lent = await shown("-v", `${work}:${work}`);
    assert.ok(points(lent).includes(work));
  });

  it("holds every process to the filter and tells its refused calls: children, late programs, what exec starts", async () => {
    const script =
      "sh -c 'mount -t tmpfs a /tmp; exec sleep 1001' & cp /bin/busybox /tmp/busybox-late; (sleep 0.2; exec /tmp/busybox-late mount -t tmpfs b /tmp); exec sleep 1002";
    const attempt = ["mount", "-t", "tmpfs", "c", "/tmp"];
    const seen = async (name: string, ...flags: string[]): Promise<{ modes: string[]; told: string[] }> => {
      const init = await start(name, ...flags, "box:1", "sh", "-c", script);
      await until(() => readFileSync(`/proc/${init}/task/${init}/children`, "utf8").trim() !== "");
      await until(async () => (await done("top", name, "-o", "pid,args")).includes("sleep 1002"));
      await fixture.cli(["exec", name, ...attempt]);
      const modes = processesOf(init).map(
        (pid) => /^Seccomp:\s+(\d)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "gone",
      );
      const told = JSON.parse(await done("refused", name, "--format", "json")) as {
        exe: string;
        syscall: string;
        pid: number;
      }[];
      await done("rm", "-f", name);
      assert.equal(new Set(told.map(({ pid }) => pid)).size, told.length);
      return { modes, told: told.map(({ exe, syscall }) => `${exe} ${syscall}`).sort() };
    };
    const held = await seen("held");
    assert.ok(held.modes.length >= 3, held.modes.join(" "));
    assert.deepEqual(new Set(held.modes), new Set(["2"]));
    assert.deepEqual(held.told, ["/bin/busybox mount", "/bin/busybox mount", "/tmp/busybox-late mount"]);
    const free = await seen("free", "--syscalls", "off");
    assert.deepEqual(new Set(free.modes), new Set(["0"]));
    assert.deepEqual(free.told, []);
  });

  it("is cloned as it runs: what was changed in it comes along, and both go on at once", async () => {
    const serve = "mkdir /srv/www; echo first >/srv/www/page; exec httpd -f -p 8080 -h /srv/www";
    const init = await start("first", "--hostname", "old-shop", "box:1", "sh", "-c", serve);
    await until(
      async () => (await fixture.cli(["exec", "first", "cat", "/srv/www/page"])).stdout === "first\n",
    );
    await done("exec", "first", "sh", "-c", "echo changed >/srv/www/page");
    const seen = JSON.parse(await done("discover", `rootfs:/proc/${init}/root`, "--format", "json")) as {
      os: { id: string };
    };
    assert.equal(seen.os.id, "older", "its root, and not the one that the link shows");
    const [main] = readFileSync(`/proc/${init}/task/${init}/children`, "utf8").trim().split(" ");
    const capture = ["capture", "process", "-t", "clone", "--pid", main ?? "", "--for", "1s"];
    await done(...capture, "--include", "/srv/www/**", "--include", "/bin/wget");
    const second = await start("second", "clone");
    const page = ["wget", "-q", "-O", "-", "http://127.0.0.1:8080/page"];
    for (const name of ["first", "second"]) {
      await until(async () => (await fixture.cli(["exec", name, ...page])).status === 0, 30);
      assert.equal(await done("exec", name, ...page), "changed\n");
    }
    assert.equal(
      execFileSync("nsenter", ["-t", String(second), "-u", "uname", "-n"], { encoding: "utf8" }),
      "old-shop\n",
    );
    await done("exec", "first", "sh", "-c", "echo later >/srv/www/page");
    assert.equal(await done("exec", "second", ...page), "changed\n", "the control: they are two");
    await done("rm", "-f", "first", "second");
  });

  it("is made by running a service, which goes on: its files stay as they were, and both answer at once", async () => {
    const machine = join(work, "machine");
    makeSmallRoot(machine);
    const before = listing(machine);
    const capture = ["capture", "run", "-m", `rootfs:${machine}`, "-t", "copy", "--include", "/srv/www/**"];
    const serve = ["/bin/httpd", "-f", "-h", "/srv/www", "-p"];
    await done(...capture, "--until-port", "8080", "--", ...serve, "8080");
    assert.equal(listing(machine), before);
    const original = spawn("nsenter", [...fixture.enter.slice(1), "chroot", machine, ...serve, "8081"], {
      stdio: "ignore",
    });
    await done("run", "-d", "--name", "copy", "-p", "8082:8080", "copy");
    const page = (port: number) =>
      fixture.inside(["busybox", "wget", "-q", "-O", "-", `http://127.0.0.1:${port}/index.html`]);
    for (const port of [8081, 8082]) await until(async () => (await page(port)).status === 0, 60);
    assert.deepEqual(
      [(await page(8081)).stdout, (await page(8082)).stdout],
      ["<h1>hello</h1>\n", "<h1>hello</h1>\n"],
    );
    await ended(original);
    // The controls: each answered for itself, and a file that is written to is noticed.
    assert.notEqual((await page(8081)).status, 0);
    assert.equal((await page(8082)).status, 0);
    await done("rm", "-f", "copy");
    writeFileSync(join(machine, "srv/www/index.html"), "<h1>hello</h1>\n");
    assert.notEqual(listing(machine), before);
    await fixture.clean();
  });
});

/** Every object of a tree with its attributes and the time of its last change, of files the content too. */
function listing(top: string): string {
  const script =
    "find . -printf '%p %y %m %U:%G %s %l %T@ %C@\\n' | LC_ALL=C sort; find . -type f -exec sha256sum {} + | LC_ALL=C sort";
  return execFileSync("sh", ["-c", script], { cwd: top, encoding: "utf8" });
}

/** Files of the host that a process may execute from; of the child of `init` by that name, where one is given. */
async function mappedFromHost(init: number, name: string | undefined): Promise<string[]> {
  let pid = init;
  await until(() => {
    pid = name === undefined ? init : (processesOf(init).find((one) => commOf(one) === name) ?? 0);
    return pid > 0 && /libc/.test(readFileSync(`/proc/${pid}/maps`, "latin1"));
  }, 30);
  return readFileSync(`/proc/${pid}/maps`, "latin1")
    .split("\n")
    .flatMap((line) => {
      const [range = "", rights = "", , , , path = ""] = line.split(/ +/);
      if (!rights.includes("x") || !path.startsWith("/") || !existsSync(path)) return [];
      const mapped = statSync(`/proc/${pid}/map_files/${range}`);
      const here = statSync(path);
      return mapped.dev === here.dev && mapped.ino === here.ino ? [path] : [];
    });
}

const commOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return ""; // gone
  }
};

/** All that is in the PID namespace of `init`, seen from the host. */
function processesOf(init: number): number[] {
  const namespace = readlinkSync(`/proc/${init}/ns/pid`);
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/ns/pid`) === namespace;
      } catch {
        return false; // gone
      }
    });
}

async function ended(child: ChildProcess): Promise<void> {
  const end = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await end;
}
