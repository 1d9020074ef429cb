// init --seed: an empty volume gets what the image has at a path; the tree is compared field by field.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cannotRun } from "../support/init-package.ts";
import { fill, program, seed, tree, volume } from "../support/seed.ts";
import { judge } from "../support/tree.ts";

/** In a mount namespace of its own: the shell text, with what it needs as $INIT, $SOURCE and $TARGET. */
function mounted(script: string, source: string, target: string) {
  const env = { ...process.env, INIT: program, SOURCE: source, TARGET: target };
  return spawnSync("unshare", ["-m", "sh", "-c", script], { encoding: "latin1", env });
}

describe("init --seed", { skip: cannotRun }, () => {
  test("copies every kind of object with all that it has", (t) => {
    const { source, target } = volume(t);
    fill(source);
    const before = judge(source, "stat", ["-c", "%x", "large"]);
    const result = seed(`${source}//`, `${target}/`);
    assert.equal(result.stderr, `tranship: seed: ${target} is filled from ${source}\n`);
    assert.equal(result.status, 0);
    assert.equal(judge(target, "stat", ["-c", "%x", "large"]), before);
    assert.deepEqual(tree(target), tree(source));
    assert.equal(tree(target).length, judge(source, "find", [".", "-printf", "x"]).length);
    for (const name of ["sparse", "hole"]) assert.ok(fs.statSync(join(target, name)).blocks < 64, name);
    for (const name of ["first", "linked", "null"]) {
      assert.equal(fs.lstatSync(join(target, name)).nlink, fs.lstatSync(join(source, name)).nlink, name);
    }
    assert.equal(fs.readlinkSync(join(target, "link")), "dir");
  });

  test("leaves a volume alone that has anything in it but lost+found", (t) => {
    const { source, target } = volume(t);
    fs.writeFileSync(join(source, "a"), "image");
    fs.mkdirSync(join(source, "lost+found"));
    fs.mkdirSync(join(target, "lost+found"), { mode: 0o700 });
    assert.equal(seed(source, target).status, 0);
    assert.deepEqual(fs.readdirSync(target).sort(), ["a", "lost+found"]);
    assert.equal(fs.statSync(join(target, "lost+found")).mode & 0o777, 0o700);
    fs.writeFileSync(join(target, "a"), "mine");
    fs.writeFileSync(join(source, "b"), "new");
    const before = tree(target);
    const again = seed(source, target);
    assert.deepEqual(
      [again.status, again.stderr],
      [0, `tranship: seed: ${target} is not empty and stays as it is\n`],
    );
    assert.deepEqual(tree(target), before);
  });

  test("does nothing beside data, also where an earlier call was killed", (t) => {
    const { source, target } = volume(t);
    fs.writeFileSync(join(source, "a"), "image");
    fs.mkdirSync(join(target, ".tranship-seed/content"), { recursive: true });
    fs.writeFileSync(join(target, "data"), "mine");
    assert.match(seed(source, target).stderr, /is not empty/);
    assert.deepEqual(fs.readdirSync(target).sort(), [".tranship-seed", "data"]);
    fs.renameSync(join(target, ".tranship-seed/content"), join(target, ".tranship-seeded"));
    fs.writeFileSync(join(target, ".tranship-seeded/data"), "image");
    const refused = seed(source, target);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /cannot move .*\/data up: File exists; remove one of the two/);
    assert.equal(fs.readFileSync(join(target, "data"), "utf8"), "mine");
  });

  test("names what is missing, what it is, and what to do", (t) => {
    const { top, source, target } = volume(t);
    fs.writeFileSync(join(top, "file"), "");
    fs.symlinkSync(source, join(top, "link"));
    const cases: [from: string, to: string, message: RegExp][] = [
      [join(top, "absent"), target, /cannot copy .*\/absent: No such file/],
      [join(top, "file"), target, /cannot copy .*\/file: Not a directory/],
      [
        `${join(top, "link")}/`,
        target,
        /link, which is to be copied, is a symbolic link: name the directory/,
      ],
      [source, join(top, "absent"), /cannot fill .*\/absent: No such file.*; mount the volume/],
      [source, join(top, "file"), /cannot fill .*\/file: Not a directory; mount the volume/],
      [source, source, /are the same directory/],
    ];
    for (const [from, to, message] of cases) {
      const result = seed(from, to);
      assert.equal(result.status, 1, result.stderr);
      assert.match(result.stderr, message);
    }
    const usage = spawnSync(program, ["--seed", source], { encoding: "utf8" });
    assert.deepEqual([usage.status, usage.stderr], [125, "tranship: usage: init --seed SOURCE TARGET\n"]);
  });

  test("leaves out sockets, and what is mounted below, which is told", (t) => {
    const { source, target } = volume(t);
    judge(source, "python3", ["-c", "import socket; socket.socket(socket.AF_UNIX).bind('socket')"]);
    for (const name of ["mount", "plain"]) fs.mkdirSync(join(source, name));
    for (const name of ["file", "plain/file"]) fs.writeFileSync(join(source, name), "x");
    const script = `mount -t tmpfs none $SOURCE/mount && echo x > $SOURCE/mount/x &&
      mount --bind /etc/passwd $SOURCE/file && $INIT --seed $SOURCE $TARGET`;
    const result = mounted(script, source, target);
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /is mounted there and left out/);
    assert.deepEqual(fs.readdirSync(target, { recursive: true }).sort(), ["plain", "plain/file"]);
  });

  test("a target inside of the source does not copy itself", (t) => {
    const { source } = volume(t);
    fs.mkdirSync(join(source, "a/target"), { recursive: true });
    fs.writeFileSync(join(source, "a/b"), "x");
    assert.equal(seed(source, join(source, "a/target")).status, 0);
    const got = fs.readdirSync(join(source, "a/target"), { recursive: true }).sort();
    assert.deepEqual(got, ["a", "a/b"]);
  });

  test("a default ACL and the group of the volume are not inherited", (t) => {
    const { top, source, target } = volume(t);
    fill(source);
    judge(top, "sh", ["-c", "setfacl -d -m u:99:rwx target; chgrp 4321 target; chmod 2777 target"]);
    assert.equal(seed(source, target).status, 0);
    assert.deepEqual(tree(target).slice(1), tree(source).slice(1));
  });

  test("depth has no limit: neither paths nor descriptors nor the stack", (t) => {
    const { source, target } = volume(t);
    const make = `
import os
for i in range(600):
    n = "%03d" % (i % 1000) + "d" * 60; os.mkdir(n); os.chdir(n)
    if i == 300: open("half", "w").write("half"); os.chmod(".", 0o711)
open("bottom", "w").write("bottom")`;
    judge(source, "python3", ["-c", make]);
    const limits = ["prlimit", "--nofile=90", "--stack=131072"];
    // Killed with all of it copied, so that the next call has to remove it first.
    const killed = seed(source, target, [...limits, "strace", "-o/dev/null", "-einject=syncfs:signal=KILL"]);
    assert.equal(killed.signal, "SIGKILL");
    assert.deepEqual(fs.readdirSync(target), [".tranship-seed"]);
    const result = seed(source, target, limits);
    assert.equal(result.status, 0, result.stderr);
    const look = `
import os
for i in range(600):
    os.chdir("%03d" % (i % 1000) + "d" * 60)
    if i == 300: print(open("half").read(), oct(os.stat(".").st_mode))
print(open("bottom").read(), os.listdir("."))`;
    assert.equal(judge(target, "python3", ["-c", look]), "half 0o40711\nbottom ['bottom']\n");
    assert.equal(fs.readdirSync(target).length, 1);
  });

  test("a full disk is told with the path, and the next call begins anew", (t) => {
    const { source, target } = volume(t);
    fs.mkdirSync(join(source, "dir"));
    fs.writeFileSync(join(source, "dir/large"), Buffer.alloc(3 << 20, 7));
    judge(source, "sh", [
      "-c",
      "truncate -s 7M sparse; printf x | dd of=sparse bs=1 seek=4M conv=notrunc status=none",
    ]);
    const script = `mount -t tmpfs -o size=1M none $TARGET || exit 99
      $INIT --seed $SOURCE $TARGET; echo $?; ls -A $TARGET
      mount -o remount,size=8M $TARGET; $INIT --seed $SOURCE $TARGET; echo $?; ls -A $TARGET
      cmp $SOURCE/dir/large $TARGET/dir/large && cmp $SOURCE/sparse $TARGET/sparse && stat -c %b $TARGET/sparse`;
    const result = mounted(script, source, target);
    assert.equal(result.stdout, "1\n.tranship-seed\n0\ndir\nsparse\n8\n", result.stderr);
    assert.match(
      result.stderr,
      /cannot copy .*source\/dir\/large in .*: No space left on device; make the volume larger/,
    );
  });

  test("without root's rights: losses are told once, and no rights of another owner are given", (t) => {
    const { source, target } = volume(t);
    fill(source);
    judge(source, "sh", [
      "-c",
      "chmod 755 . empty owned; chmod 644 inherits/below; chmod 444 readonly/file; rm null null-too block",
    ]);
    fs.chownSync(target, 65_534, 65_534);
    const ids = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const result = seed(source, target, ids);
    assert.equal(result.status, 0, result.stderr);
    const lines = result.stderr.split("\n").slice(0, -1);
    assert.deepEqual(lines.map((line) => /owner|attribute|filled/.exec(line)?.[0]).sort(), [
      "attribute",
      "filled",
      "owner",
    ]);
    const mode = (name: string) => fs.statSync(join(target, name)).mode & 0o7777;
    assert.deepEqual([mode("dir/setuid"), mode("readonly"), mode("readonly/file")], [0o755, 0o555, 0o444]);
    const content = (lines: string[]) => lines.map((line) => line.split(" ")[0]);
    assert.deepEqual(content(tree(target)), content(tree(source)));
  });

  test("devices that may not be made are left out", (t) => {
    const { source, target } = volume(t);
    fill(source);
    const result = seed(source, target, ["setpriv", "--bounding-set=-mknod"]);
    assert.equal(result.status, 0, result.stderr);
    assert.match(
      result.stderr,
      /(null|block).*a device or pipe may not be made and is left out: Operation not permitted/,
    );
    assert.ok(!fs.existsSync(join(target, "null")) && !fs.existsSync(join(target, "null-too")));
    assert.equal(tree(target).length, tree(source).length - 3);
  });

  test("callers of one volume wait for each other; PID 1 ends at SIGTERM while it waits", async (t) => {
    const { source, target } = volume(t);
    fill(source);
    const args = ["unshare", "-pf", "--kill-child", program, "--seed", source, target];
    const held = spawn("flock", [target, ...args], { stdio: "ignore" });
    const ended = new Promise((resolve) => held.on("exit", resolve));
    let pid = "";
    for (let tries = 0; pid === "" && tries < 500; tries++) {
      await sleep(20);
      pid = waiting(held.pid ?? 0);
    }
    assert.notEqual(pid, "");
    process.kill(Number(pid), "SIGTERM");
    assert.equal(await ended, 143);
    assert.deepEqual(fs.readdirSync(target), []);
    const both = [0, 1].map(
      () => new Promise((resolve) => spawn(program, ["--seed", source, target]).on("exit", resolve)),
    );
    assert.deepEqual(await Promise.all(both), [0, 0]);
    assert.deepEqual(tree(target), tree(source));
  });
});

/** The init below @above that catches SIGTERM, once it does. */
function waiting(above: number): string {
  for (let pid = String(above); ; ) {
    const at = `/proc/${pid}`;
    if (!fs.existsSync(at)) return "";
    const status = fs.readFileSync(`${at}/status`, "latin1");
    const caught = BigInt(`0x${/^SigCgt:\s*(\w+)/m.exec(status)?.[1] ?? "0"}`);
    if (status.startsWith("Name:\tinit\n") && caught & (1n << 14n)) return pid;
    const [child = ""] = fs.readFileSync(`${at}/task/${pid}/children`, "latin1").split(" ");
    if (child === "") return "";
    pid = child;
  }
}
