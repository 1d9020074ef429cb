// run --engine inprocess --confine: what the kernel holds where a program goes round the engine. The same instance without the option is the negative control.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { nativePath } from "../../src/host/native.ts";
import { newDescriptor } from "../../src/package/descriptor.ts";
import { cannotRun } from "../support/engine.ts";
import { type Outcome, TwoUsers, type Who } from "../support/two-users.ts";
import { makePackage, programWords, until, whyNot } from "./runtime-fixture.ts";

const plain = newDescriptor(
  { id: "", name: "", version: "", publisher: "" },
  { os: { id: "", version: "" }, kernel: "", architecture: "" },
);

/** Why this host cannot hold an instance. */
function noLandlock(): string | false {
  const { stdout } = spawnSync(nativePath("supervise"), ["--landlock-abi"], { encoding: "utf8" });
  return Number(stdout) > 0 ? false : "needs a kernel with Landlock";
}

describe("run --confine", { skip: whyNot() ?? (cannotRun || noLandlock()), timeout: 600_000 }, () => {
  let users: TwoUsers;
  let home: string;
  let roots: TwoUsers["roots"];
  /** Of another program of this host. */
  const shared = `/dev/shm/tranship-confined-${process.pid}`;
  before(async () => {
    users = new TwoUsers("confined");
    ({ home, roots } = users);
    const probe = join(home, "probe");
    const source = join(import.meta.dirname, "../fixtures/confine-probe.c");
    const made = spawnSync("gcc", ["-D_GNU_SOURCE", "-static", "-O1", "-o", probe, source], {
      encoding: "utf8",
    });
    assert.equal(made.status, 0, made.stderr);
    const files = [{ from: "/opt/copied", to: "/srv/data", match: "folder", mode: "write-copy" }] as const;
    const loop = "echo up; id -u; while :; do sleep 0.2; done";
    const programs = [
      { name: "one", command: ["/bin/sh", "-c", `echo one > /data/one; ${loop}`] },
      { name: "two", command: ["/bin/sh", "-c", loop], user: "web" },
    ];
    const services = ["one", "two"].map((name) => ({ name, program: name }));
    const prepare = (tree: string): void => copyFileSync(probe, join(tree, "bin/probe"));
    const elements = { ...plain.elements, loopback: "fast" } as const;
    for (const root of Object.values(roots)) {
      await makePackage(root, "box:1", {
        prepare,
        descriptor: { programs, services, redirections: { ...plain.redirections, files: [...files] } },
      });
      await makePackage(root, "more:1", { prepare, descriptor: { elements, excludes: ["uname"] } });
    }
    writeFileSync(shared, "");
    for (const name of ["given", "read-only", "apart"]) {
      mkdirSync(join(home, name));
      chmodSync(join(home, name), 0o777);
      writeFileSync(join(home, name, "file"), `${name}\n`);
      chmodSync(join(home, name, "file"), 0o666);
    }
    users.handOver();
  });
  after(() => {
    for (const who of ["root", "user"] as const) cli(who, "rm", "-f", "shop");
    rmSync(shared, { force: true });
    users.remove();
  });

  const cli = (who: Who, ...args: string[]): Outcome => users.cli(who, ...args);
  const done = (who: Who, ...args: string[]): string => users.done(who, ...args);
  const confine = ["--confine"];
  function inside(who: Who, flags: readonly string[], script: string): string[] {
    const volumes = ["-v", `${home}/given:/given`, "-v", `${home}/read-only:/ro:ro`];
    const words = ["run", "--rm", "--engine", "inprocess", ...flags, ...volumes, "box:1"];
    return done(who, ...words, "/bin/sh", "-c", script)
      .trim()
      .split("\n");
  }

  for (const who of ["root", "user"] as const) {
    it(`runs services, volumes, write-copy, exec and later starts (${who})`, async () => {
      const flags = ["--engine", "inprocess", "--confine", "--name", "shop", "-v", "data:/data"];
      done(who, "run", "-d", ...flags, "box:1");
      const up = (n: number) => (): boolean =>
        (done(who, "logs", "shop").match(/ up$|^up$/gm) ?? []).length === n;
      await until(up(2));
      const script =
        "cat /data/one; echo b > /opt/copied/b; mv /opt/copied/b /opt/copied/c; cat /opt/copied/c; echo s > /dev/shm/s; mkdir /tmp/d; echo > /tmp/f; mv /tmp/f /tmp/d; ls /tmp/d; ls /dev/shm";
      assert.equal(done(who, "exec", "shop", "/bin/sh", "-c", script), "one\nb\nf\ns\n");
      const open = (path: string): string => done(who, "exec", "shop", "/bin/probe", "open", path).trim();
      assert.equal(open(`${home}/apart/file`), "EACCES");
      assert.equal(open(shared), "EACCES");
      done(who, "update", "--redirect", "/opt/new=/srv/data", "shop");
      assert.equal(done(who, "exec", "shop", "/bin/cat", "/opt/new/seed.txt"), "from the image\n");
      done(who, "restart", "-t", "1", "shop");
      await until(up(4));
      assert.equal(open(`${home}/apart/file`), "EACCES");
      assert.equal(done(who, "exec", "shop", "/bin/cat", "/opt/copied/c"), "b\n");
      assert.match(done(who, "inspect", "--format", "{{json .HostConfig.SecurityOpt}}", "shop"), /landlock/);
      if (who === "root") assert.equal(done(who, "exec", "-u", "web", "shop", "/bin/id", "-u"), "33\n");
      done(who, "rm", "-f", "shop");
    });

    it(`holds a program that goes round the engine, and nothing does without it (${who})`, () => {
      const script = [
        `probe open ${home}/apart/file`,
        "probe open /etc/passwd",
        `probe open ${shared}`,
        `probe open ${home}/given/file`,
        `probe write ${home}/given/made-${who}`,
        `probe open ${home}/read-only/file`,
        `probe write ${home}/read-only/file`,
        `probe write ${home}/apart/made`,
        `probe kill ${process.pid}`,
      ].join("; ");
      const held = ["EACCES", "EACCES", "EACCES", "done", "done", "done", "EACCES", "EACCES", "EPERM"];
      assert.deepEqual(inside(who, confine, script), held);
      const free = Array<string>(8).fill("done");
      assert.deepEqual(inside(who, [], script), [...free, who === "root" ? "done" : "EPERM"]);
      rmSync(join(home, "apart/made"));
      rmSync(join(home, `given/made-${who}`));
      assert.equal(readFileSync(join(home, "read-only/file"), "utf8"), "read-only\n");
    });
  }

  for (const who of ["root", "user"] as const)
    it(`holds beside merged folders, fast loopback and programs that it excludes (${who})`, () => {
      const folder = join(home, `exchange-${who}`);
      mkdirSync(folder);
      chmodSync(folder, 0o777);
      writeFileSync(join(folder, "theirs"), "host\n");
      const merged = ["--redirect", `${folder}=/srv:merged`, "--allow-host", folder];
      const port = 20_000 + Math.trunc(Math.random() * 10_000);
      const script = [
        `cat ${folder}/theirs; ls ${folder}/data; echo new > ${folder}/ours; mv ${folder}/ours ${folder}/mine; cat ${folder}/mine`,
        `probe write ${folder}/direct; probe open ${home}/apart/file; /usr/bin/uname -r 2>/dev/null || echo refused`,
        `busybox nc -l -p ${port} -e busybox cat & sleep 0.5`,
        `(echo there and back; sleep 1) | busybox nc 127.0.0.1 ${port} & sleep 0.5; grep -q tranship-tcp /proc/net/unix && echo fast; wait`,
      ].join("\n");
      const run = (...flags: string[]): Outcome =>
        cli(who, "run", "--rm", "--engine", "inprocess", ...flags, "more:1", "/bin/sh", "-c", script);
      const [listed, looped] = [
        ["host", "seed.txt", "new", "done"],
        ["there and back", "fast"],
      ];
      const held = run(...confine, ...merged);
      assert.deepEqual(
        held.stdout.trim().split("\n"),
        [...listed, "EACCES", "refused", ...looped],
        held.stderr,
      );
      assert.match(held.stderr, /programs are the host's own.*: uname/);
      rmSync(join(folder, "direct"));
      const free = run(...merged);
      assert.deepEqual(
        free.stdout.trim().split("\n"),
        [...listed, "done", release(), ...looped],
        free.stderr,
      );
      assert.equal(readFileSync(join(folder, "mine"), "utf8"), "new\n");
    });

  it("refuses what the filter of containers refuses, and has no rights that they do not have", () => {
    const script =
      "probe namespace; probe write /proc/sys/kernel/hostname; probe open /proc/kmsg; mknod /tmp/m c 1 1 2>&1 || true";
    const held = inside("root", confine, script);
    assert.deepEqual(held.slice(0, 2), ["EPERM", "EACCES"]);
    assert.equal(held[2], "EPERM");
    assert.match(held[3] ?? "", /not permitted/);
    const calls = `probe namespace; probe write /proc/sys/kernel/hostname; probe open /proc/${process.pid}/environ`;
    assert.deepEqual(inside("root", [], calls), ["done", "done", "done"]);
    assert.deepEqual(inside("root", confine, calls), ["EPERM", "EACCES", "EACCES"]);
  });

  it("keeps the package's tree from being written where it is read-only", () => {
    const script =
      "probe write $TREE/etc/made; echo x > /etc/made 2>/dev/null || echo refused; cat /etc/hostname";
    const place = 'TREE=$(cat /proc/self/maps | grep -m1 -o "/[^ ]*/instances/[0-9a-f]*"); ';
    const shell = `${place.replace("$(cat", "$(/bin/cat")}`;
    const find = `${shell}TREE=$TREE/root; `;
    assert.deepEqual(inside("root", ["--confine", "--read-only"], find + script), [
      "EACCES",
      "refused",
      "old-web",
    ]);
    assert.deepEqual(inside("root", confine, find + script), ["done", "old-web"]);
  });

  it("is refused where nothing would hold it", () => {
    const under = cli("root", "run", "--rm", "--confine", "box:1", "true");
    assert.match(under.stderr, /E_USAGE.*--confine is for --engine inprocess/);
    const program = [
      "import ctypes, os, struct, sys",
      "libc = ctypes.CDLL(None)",
      "code = struct.pack('HBBIHBBIHBBIHBBI', 0x20,0,0,0, 0x15,0,1,444, 6,0,0,0x50026, 6,0,0,0x7fff0000)",
      "text = ctypes.create_string_buffer(code)",
      "prog = struct.pack('HxxxxxxQ', 4, ctypes.addressof(text))",
      "assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.c_char_p(prog), 0, 0) == 0",
      "os.execvp(sys.argv[1], sys.argv[1:])",
    ].join("\n");
    const words = [
      ...programWords(true),
      "run",
      "--rm",
      "--engine",
      "inprocess",
      "--confine",
      "box:1",
      "true",
    ];
    const env = { ...process.env, HOME: home, TRANSHIP_ROOT: roots.root.path };
    const { status, stderr } = spawnSync("python3", ["-c", program, ...words], { env, encoding: "utf8" });
    assert.equal(status, 2, stderr);
    assert.match(stderr, /--confine: this kernel has no Landlock/);
  });
});
