// run --engine inprocess --users view: an ordinary user stands for root and the package's users. The same package without the view is the negative control.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openStateRoot, type StateRoot } from "../../src/host/state-root.ts";
import { bring } from "../support/bring.ts";
import { cannotRun } from "../support/engine.ts";
import { makePackage, programWords, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? cannotRun;
const stranger = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"];

function prepare(tree: string): void {
  bring(tree, "/usr/bin/id", "/usr/bin/set-id");
  chmodSync(join(tree, "usr/bin/set-id"), 0o4755);
  bring(tree, "/usr/bin/chown", "/usr/bin/chown");
  bring(tree, "/usr/bin/setpriv", "/usr/bin/setpriv");
  writeFileSync(join(tree, "etc/closed"), "closed\n", { mode: 0o440 });
  writeFileSync(join(tree, "etc/webs"), "web's\n");
  chownSync(join(tree, "etc/webs"), 33, 44);
}

describe("run --engine inprocess --users view", { skip, timeout: 240_000 }, () => {
  let home: string;
  let root: StateRoot;

  before(async () => {
    home = mkdtempSync(join(tmpdir(), "tranship-in-process-users-"));
    chmodSync(home, 0o755);
    root = openStateRoot(join(home, "state"));
    const show = "id -u; id -G; ls -nd /run/job; echo x > /run/job/made; ls -n /run/job/made";
    const programs = [
      { name: "job", command: ["/bin/sh", "-c", show], user: "web" },
      { name: "main", command: ["/bin/sh", "-c", "id -u"] },
    ];
    const directories = [{ path: "/run/job", mode: "0700", uid: 33, gid: 44 }];
    await makePackage(root, "box:1", { prepare, descriptor: { programs, directories } });
    spawnSync("chown", ["-R", "54321:54321", root.path]);
  });
  after(() => rmSync(home, { recursive: true, force: true }));

  const { NODE_EXTRA_CA_CERTS: _, ...host } = process.env;
  const env = (): NodeJS.ProcessEnv => ({ ...host, HOME: home, TRANSHIP_ROOT: root.path });
  function cli(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    const [program = "", ...rest] = [...stranger, ...programWords(args[0] === "run"), ...args];
    return spawnSync(program, rest, { cwd: "/", encoding: "utf8", env: env() });
  }
  const inside = (script: string, ...flags: string[]): string => {
    const words = ["--engine", "inprocess", "--rm", ...flags, "box:1", "/bin/sh", "-c", script];
    const { stdout, stderr } = cli("run", ...words);
    return `${stdout}${stderr}`;
  };

  it("shows root, and files as the package has them", () => {
    const script =
      "id -u; ls -n /etc/closed /etc/webs /usr/bin/set-id; grep -E '^(Uid|CapEff)' /proc/self/status";
    const lines = inside(script, "--users", "view").split("\n");
    assert.equal(lines[0], "0");
    assert.match(lines[1] ?? "", /^-r--r----- +1 0 +0 /);
    assert.match(lines[2] ?? "", /^-rw-r--r-- +1 33 +44 /);
    assert.match(lines[3] ?? "", /^-rwsr-xr-x +1 0 +0 /);
    assert.deepEqual(lines.slice(4, 6), ["Uid:\t0\t0\t0\t0", "CapEff:\t000001ffffffffff"]);
    const plain = inside(script).split("\n");
    assert.equal(plain[0], "54321");
    assert.match(plain[2] ?? "", /^-rw-r--r-- +1 54321 +54321 /);
  });

  it("lets root write what nobody may, give files away, and become another user who may not", () => {
    const script = `echo more >> /etc/closed; cat /etc/closed; touch /tmp/a; chown web /tmp/a; chmod 2640 /tmp/a; ls -n /tmp/a
      /usr/bin/setpriv --reuid 33 --regid 44 --init-groups sh -c 'id -u; id -G; touch /tmp/b; ls -n /tmp/b; chown root /tmp/b; chmod 600 /etc/closed; /usr/bin/setpriv --reuid 0 true; /usr/bin/set-id -u'`;
    const lines = inside(script, "--users", "view").trim().split("\n");
    assert.deepEqual(lines.slice(0, 2), ["closed", "more"]);
    assert.match(lines[2] ?? "", /^-rw-r-S--- +1 33 +0 /);
    assert.deepEqual(lines.slice(3, 5), ["33", "44 55"]);
    assert.match(lines[5] ?? "", /^-rw-r--r-- +1 33 +44 /);
    assert.equal(lines.filter((line) => /not permitted/.test(line)).length, 3, lines.join("\n"));
    assert.ok(lines.includes("0"), "set-id");
    assert.match(inside("chown web /etc/webs"), /not permitted/i);
  });

  it("runs programs and commands as whom the package or the caller names", () => {
    const job = (...flags: string[]): string =>
      cli("run", "--engine", "inprocess", "--rm", ...flags, "box:1", "@job").stdout;
    assert.match(job("--users", "view"), /^33\n44 55\ndrwx------ +2 33 +44 .*\n-rw-r--r-- +1 33 +44 /);
    assert.match(job(), /^54321\n54321\ndrwx------ +2 54321 +54321 /);
    assert.match(inside("id -u; id -g; id -G", "--users", "view", "--user", "web"), /^33\n44\n44 55\n/);
    assert.match(inside("id -u", "--user", "web"), /--user needs root.*--users view/s);
  });

  it("keeps owners over a stop, shows them to exec, and calls nothing a change that is none", async () => {
    const script = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
    const args = ["run", "-d", "--engine", "inprocess", "--users", "view", "--name", "kept", "box:1"];
    assert.equal(cli(...args, "/bin/sh", "-c", script).status, 0);
    const exec = (...words: string[]): string => cli("exec", ...words).stdout;
    await until(() => exec("kept", "id", "-u") === "0\n");
    assert.equal(cli("diff", "kept").stdout, "C /run\nA /run/job\n");
    assert.equal(exec("--user", "web", "kept", "id", "-u"), "33\n");
    exec("kept", "chown", "33:0", "/etc/closed");
    assert.equal(cli("stop", "kept").status, 0);
    assert.equal(cli("start", "kept").status, 0);
    await until(() => /^-r--r----- +1 33 +0 /.test(exec("kept", "ls", "-n", "/etc/closed")));
    assert.equal(cli("inspect", "--format", "{{.HostConfig.UsernsMode}}", "kept").stdout.trim(), "view");
    assert.equal(cli("rm", "-f", "kept").status, 0);
  });

  it("is refused where users are the kernel's", () => {
    assert.match(inside("true", "--users", "nobody"), /--users/);
    const asRoot = (...words: string[]): string => {
      const [program = "", ...rest] = [...programWords(true), "run", ...words, "--users", "view", "box:1"];
      return spawnSync(program, rest, { encoding: "utf8", env: env() }).stderr;
    };
    assert.match(asRoot(), /--users view is for --engine inprocess/);
    assert.match(asRoot("--engine", "inprocess"), /--users view is for ordinary users/);
  });
});
