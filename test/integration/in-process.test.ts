// run --engine inprocess: packages in processes of this host, without namespaces, as root and as an ordinary user. What the host has is the negative control.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openStateRoot, type StateRoot } from "../../src/host/state-root.ts";
import { newDescriptor } from "../../src/package/descriptor.ts";
import { bring } from "../support/bring.ts";
import { cannotRun } from "../support/engine.ts";
import { makePackage, programWords, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? (cannotRun || (existsSync("/usr/bin/date") ? false : "needs /usr/bin/date"));
const plain = newDescriptor(
  { id: "", name: "", version: "", publisher: "" },
  { os: { id: "", version: "" }, kernel: "", architecture: "" },
);
/** Ten years back, so that a mistake of a time zone cannot hide it. */
const elements = { ...plain.elements, clock: { offset: "-3650d" }, uname: { release: "2.6.32-old" } };
const year = String(new Date(Date.now() - 3650 * 86_400_000).getUTCFullYear());
/** Not even in /etc/passwd, as in many containers. */
const stranger = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"];

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

function prepare(tree: string): void {
  bring(tree, "/usr/bin/date", "/usr/bin/dynamic-date");
  writeFileSync(join(tree, "bin/set-id"), "#!/bin/sh\n", { mode: 0o755 });
  chmodSync(join(tree, "bin/set-id"), 0o6755);
}

describe("run --engine inprocess", { skip, timeout: 240_000 }, () => {
  let home: string;
  let roots: Record<"root" | "user", StateRoot>;

  before(async () => {
    home = mkdtempSync(join(tmpdir(), "tranship-in-process-"));
    chmodSync(home, 0o755);
    roots = { root: openStateRoot(join(home, "root")), user: openStateRoot(join(home, "user")) };
    const programs = [{ name: "main", command: ["/bin/sh", "-c", "echo main; cat /etc/hostname"] }];
    const job = { name: "job", command: ["/bin/sh", "-c", "id -u; ls -nd /run/job"], user: "web" };
    const directories = [{ path: "/run/job", mode: "0700", uid: 33, gid: 44 }];
    for (const root of Object.values(roots)) {
      await makePackage(root, "job:1", { descriptor: { programs: [job], directories } });
      await makePackage(root, "box:1", { prepare, descriptor: { elements, programs } });
    }
    spawnSync("chown", ["-R", "54321:54321", roots.user.path]);
  });
  after(() => {
    assert.deepEqual(processesOf(), []);
    rmSync(home, { recursive: true, force: true });
  });

  /** All that run an engine of ours. */
  function processesOf(): string[] {
    return readdirSync("/proc").filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/exe`).startsWith(home);
      } catch {
        return false; // gone
      }
    });
  }

  function environment(who: "root" | "user"): NodeJS.ProcessEnv {
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
    return { ...env, HOME: home, TRANSHIP_ROOT: roots[who].path, SECRET_OF_THE_HOST: "1" };
  }
  const words = (who: "root" | "user", args: readonly string[]): string[] => [
    ...(who === "user" ? stranger : []),
    ...programWords(args[0] === "run"),
    ...args,
  ];
  function cli(who: "root" | "user", args: readonly string[], before: readonly string[] = []): Outcome {
    const [program = "", ...rest] = [...before, ...words(who, args)];
    return spawnSync(program, rest, { cwd: "/", encoding: "utf8", env: environment(who) });
  }
  const inside = (who: "root" | "user", script: string, ...flags: string[]): Outcome =>
    cli(who, ["run", "--engine", "inprocess", "--rm", ...flags, "box:1", "/bin/sh", "-c", script]);

  for (const who of ["root", "user"] as const) {
    it(`gives static and dynamic programs its files, names and clock, and the caller their status (${who})`, () => {
      writeFileSync(join(home, "of-the-host"), "");
      const script = [
        "cat /etc/hostname",
        "uname -nr",
        "/usr/bin/dynamic-date +%Y",
        "busybox date +%Y",
        `ls ${home}/of-the-host /etc/shadow 2>/dev/null | wc -l`,
        "env | grep -c SECRET_OF_THE_HOST",
        "pwd; id -u; echo w > /etc/written-inside; cat /etc/written-inside",
        "ls -d /srv; ls / | grep -c -x -e srv -e boot -e opt",
        "exit 7",
      ].join("; ");
      const { status, stdout, stderr } = inside(who, script.replace("busybox date", "/bin/busybox date"));
      assert.equal(status, 7, stderr);
      const uid = who === "root" ? "0" : "54321";
      const lines = ["old-web", "old-web 2.6.32-old", year, year, "0", "0", "/", uid, "w", "/srv", "1"];
      assert.deepEqual(stdout.trim().split("\n"), lines);
      assert.notEqual(readFileSync("/etc/hostname", "utf8").trim(), "old-web");
      assert.equal(existsSync("/etc/written-inside"), false);
      assert.equal(cli(who, ["ps", "-aq"]).stdout, "");
      assert.deepEqual(readdirSync(roots[who].instances), []);
    });

    it(`stops, is told as one in process, and is kept without --rm (${who})`, async () => {
      const script = "trap 'exit 5' TERM; sleep 1000 & while :; do sleep 0.05; done";
      const args = ["run", "--engine", "inprocess", "--name", "kept", "box:1", "/bin/sh", "-c", script];
      const [program = "", ...rest] = words(who, args);
      const child = spawn(program, rest, { cwd: "/", stdio: "ignore", env: environment(who) });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      const row = (): string => cli(who, ["ps", "--format", "{{.Engine}} {{.Status}}"]).stdout;
      await until(() => row().includes("Up"));
      assert.match(row(), /^inprocess Up .*\(in process\)$/m);
      assert.equal(cli(who, ["stop", "kept"]).status, 0);
      assert.equal(await ended, 5);
      assert.match(cli(who, ["ps", "-a"]).stdout, /Exited \(5\) .*second/);
      assert.deepEqual(processesOf(), []);
      assert.equal(cli(who, ["rm", "kept"]).status, 0);
      assert.deepEqual(readdirSync(roots[who].instances), []);
    });
  }

  it("runs programs as whom the package names, and all as the one user where there is no other", () => {
    const jobOf = (who: "root" | "user"): Outcome =>
      cli(who, ["run", "--engine", "inprocess", "--rm", "job:1", "@job"]);
    assert.match(jobOf("root").stdout, /^33\ndrwx------ +2 33 +44 /);
    assert.match(jobOf("user").stdout, /^54321\ndrwx------ +2 54321 +54321 /);
  });

  it("leaves nothing of one whose command was killed: the next one ends it", async () => {
    const args = [
      "run",
      "--engine",
      "inprocess",
      "--rm",
      "box:1",
      "/bin/sh",
      "-c",
      "sleep 1000 & sleep 1000",
    ];
    const [program = "", ...rest] = words("root", args);
    const child = spawn(program, rest, { cwd: "/", stdio: "ignore", env: environment("root") });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await until(() => processesOf().length >= 3);
    child.kill("SIGKILL");
    await ended;
    assert.equal(inside("root", "true").status, 0);
    assert.deepEqual(processesOf(), []);
    assert.deepEqual(readdirSync(roots.root.instances), []);
  });

  it("mounts directories and secrets by rules, and begins where it is told, as whom it is told", () => {
    const data = join(home, "data");
    mkdirSync(data, { recursive: true });
    chmodSync(data, 0o777);
    writeFileSync(join(data, "given"), "given\n");
    const script = "pwd; id -u; cat given /etc/key; echo $KEY; echo new > made; echo x > /ro/made || echo ro";
    const flags = ["-v", `${data}:/data`, "-v", `${data}:/ro:ro`, "-w", "/data", "-u", "web"];
    const secrets = ["--secret", `/etc/key=${data}/given`, "--secret", `KEY=${data}/given`];
    const { stdout } = inside("root", script, ...flags, ...secrets);
    assert.deepEqual(stdout.trim().split("\n"), ["/data", "33", "given", "given", "given", "ro"]);
    assert.equal(readFileSync(join(data, "made"), "utf8"), "new\n");
  });

  for (const who of ["root", "user"] as const)
    it(`is the machine that flags say, until a start that takes nothing on (${who})`, async () => {
      const id = "0123456789abcdef0123456789abcdef";
      const mac = "02:00:5e:10:20:30";
      const script = [
        "cat /etc/machine-id",
        "od -An -tx1 /etc/hostid",
        "cat /sys/class/dmi/id/product_name",
        "for d in /sys/class/net/*; do [ $(cat $d/type) != 1 ] || cat $d/address; done",
        "cat /sys/class/net/lo/address",
      ];
      const flags = [
        "--mac-address",
        mac,
        "--machine-id",
        id,
        "--hostid",
        "0a0b0c0d",
        "--dmi",
        "product_name=Old",
      ];
      const args = ["run", "--engine", "inprocess", "--name", `is-${who}`, ...flags, "box:1"];
      const { status, stdout, stderr } = cli(who, [...args, "/bin/sh", "-c", script.join("; ")]);
      assert.equal(status, 0, stderr);
      const lo = "00:00:00:00:00:00";
      const lines = stdout.trimEnd().split("\n");
      assert.deepEqual([...lines.slice(0, 3), lines.at(-1)], [id, " 0d 0c 0b 0a", "Old", lo]);
      // As many as there were: other tests make devices meanwhile.
      const addresses = lines.slice(3, -1);
      assert.ok(addresses.length > 0 || !existsSync("/sys/class/net/eth0"), stderr);
      for (const address of addresses) assert.equal(address, mac);
      assert.equal(cli(who, ["start", "--new-identity", `is-${who}`]).status, 0);
      await until(() => cli(who, ["ps", "--format", "{{.Names}}"]).stdout === "");
      const later = cli(who, ["logs", `is-${who}`]).stdout.slice(stdout.length);
      for (const line of [id, "Old", mac]) assert.ok(!later.includes(line), later);
      assert.ok(later.endsWith(`${lo}\n`), later);
      assert.equal(cli(who, ["rm", `is-${who}`]).status, 0);
    });

  it("removes what an ordinary user's program has closed, and gives nobody set-id programs", () => {
    const script = "ls -l /bin/set-id | cut -c1-10; mkdir -p /srv/x/y; touch /srv/x/y/z; chmod 0 /srv/x";
    const { stdout, stderr } = inside("user", script);
    assert.equal(stdout, "-rwxr-xr-x\n", stderr);
    assert.deepEqual(readdirSync(roots.user.instances), []);
  });

  it("is chosen where a filter keeps root from namespaces", () => {
    const filter = join(home, "no-namespaces");
    execFileSync("gcc", ["-w", "-o", filter, join(import.meta.dirname, "../fixtures/no-namespaces.c")]);
    const { status, stdout, stderr } = cli("root", ["run", "--engine", "auto", "--rm", "box:1"], [filter]);
    assert.match(stderr, /engine inprocess: this host refuses them: enter: cannot make namespaces/);
    assert.equal(stdout, "main\nold-web\n");
    assert.equal(status, 0);
    assert.match(
      cli("root", ["doctor"], [filter]).stdout,
      /run --engine auto +inprocess: this host refuses them/,
    );
  });

  it("is chosen with its reason where namespaces are forbidden, and runs what the package has to run", () => {
    const without = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"];
    const { status, stdout, stderr } = cli("root", ["run", "--engine", "auto", "--rm", "box:1"], without);
    assert.match(stderr, /engine inprocess: .*no CAP_SYS_ADMIN/);
    assert.equal(stdout, "main\nold-web\n");
    assert.equal(status, 0);
    assert.equal(cli("root", ["run", "--rm", "box:1"], without).status, 125);
    const other = cli("user", ["run", "--engine", "auto", "--rm", "box:1"]);
    assert.match(
      other.stderr,
      /engine inprocess: an ordinary user gets no namespaces here: .*none for 54321/,
    );
    assert.equal(other.stdout, "main\nold-web\n");
  });

  it("names what it cannot hold, and does it not half", () => {
    const flags = ["-p", "80:80", "-m", "64m", "--cap-add", "ALL", "--read-only"];
    const { status, stderr } = cli("root", ["run", "--engine", "inprocess", ...flags, "box:1"]);
    assert.equal(status, 2);
    for (const flag of ["publish", "memory", "cap-add", "read-only"])
      assert.match(stderr, new RegExp(`--${flag}: `));
    assert.match(
      cli("user", ["run", "--engine", "inprocess", "-u", "web", "box:1"]).stderr,
      /--user needs root/,
    );
    assert.equal(cli("root", ["run", "--engine", "inprocess", "--name", "held", "box:1"]).status, 0);
    for (const verb of [
      ["pause", "held"],
      ["top", "held"],
      ["update", "--memory", "64m", "held"],
    ])
      assert.match(cli("root", verb).stderr, /E_INSTANCE_STATE.*in process/);
    assert.equal(cli("root", ["logs", "held"]).stdout, "main\nold-web\n");
    assert.equal(cli("root", ["rm", "held"]).status, 0);
  });

  it("writes nothing of its own where a package's links lead out", async () => {
    const outside = join(home, "outside");
    mkdirSync(outside);
    await makePackage(roots.root, "hostile:1", {
      prepare: (tree) => {
        rmSync(join(tree, "etc"), { recursive: true });
        symlinkSync(outside, join(tree, "etc"));
      },
    });
    const args = [
      "run",
      "--engine",
      "inprocess",
      "--rm",
      "-w",
      "/etc",
      "hostile:1",
      "/bin/sh",
      "-c",
      "echo x > /etc/x",
    ];
    cli("root", args);
    assert.deepEqual(readdirSync(outside), []);
  });

  it("runs Node, which makes code while it runs, with threads and a clock of its own", async () => {
    await makePackage(roots.root, "node:1", {
      prepare: (tree) => bring(tree, process.execPath, "/bin/node"),
      descriptor: { elements },
    });
    const script =
      "const { Worker } = require('node:worker_threads'); new Worker('require(\"node:worker_threads\").parentPort.postMessage(new Date().getFullYear())', { eval: true }).on('message', (y) => console.log(y, require('node:os').release(), require('node:fs').readFileSync('/etc/hostname', 'latin1').trim()))";
    const args = ["run", "--engine", "inprocess", "--rm", "node:1", "/bin/node", "-e", script];
    const { stdout, stderr } = cli("root", args);
    assert.equal(stdout, `${year} 2.6.32-old old-web\n`, stderr);
  });
});
