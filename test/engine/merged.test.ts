// Mode merged of a folder in the process: what only one side has, and that neither the package nor anything outside of the host's folder is changed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { before, beforeEach, describe, test } from "node:test";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { makeTable } from "../../src/redirect/rules.ts";
import { cannotRun, compile, engine, place, run } from "../support/engine.ts";
import { aRule, enginePolicy } from "../support/engine-policy.ts";

const tree = join(place, "tree");
const host = join(tree, "app");
const inPackage = join(place, "package");
const app = join(inPackage, "srv/app");
const policy = join(place, "policy.bin");
const under = [engine, `--policy=${policy}`, `--package=${inPackage}`, `--allow-host=${host}`];

const sh = (text: string): Promise<{ status: number; stdout: string; stderr: string }> =>
  run([...under, "/bin/sh", "-c", text], { cwd: tree });

function manifest(): string {
  const list = `find . -printf '%p %y %m %U:%G %s %T@ %l\\n' | sort; find . -type f | sort | xargs md5sum`;
  return execFileSync("sh", ["-c", list], { cwd: inPackage, encoding: "utf8" });
}

describe("a merged folder in the process", { skip: cannotRun }, () => {
  let was: string;
  before(() => {
    mkdirSync(place, { recursive: true });
    const rules = [
      aRule({ from: host, to: "/srv/app", mode: "merged", match: "folder" }, 0),
      aRule({ from: join(host, "hidden"), to: "", mode: "hide", match: "folder" }, 1),
    ];
    writeFileSync(policy, encodePolicy(enginePolicy({ files: makeTable(rules) })));
  });

  beforeEach(() => {
    for (const folder of [tree, inPackage]) rmSync(folder, { recursive: true, force: true });
    for (const folder of [host, join(app, "conf/deep"), join(app, "way")])
      mkdirSync(folder, { recursive: true });
    for (const name of ["file", "conf/own"]) writeFileSync(join(app, name), "package\n");
    chmodSync(join(app, "conf"), 0o750);
    for (const name of ["theirs", "hidden"]) writeFileSync(join(host, name), "host\n");
    mkdirSync(join(tree, "outside"));
    symlinkSync("../outside", join(host, "way"));
    was = manifest();
  });

  test("what the package alone has is read, and neither changed nor moved nor removed", async () => {
    const script = `
import os, errno
def tried(what):
    try: return what() and "done"
    except OSError as e: return errno.errorcode[e.errno]
file, fd = "app/file", os.open("app/file", os.O_RDONLY)
for what in (lambda: open(file, "a"), lambda: open(file, "w"), lambda: os.truncate(file, 1), lambda: os.chmod(file, 0o777),
             lambda: os.fchmod(fd, 0o777), lambda: os.utime(fd, (1, 2)), lambda: open("/proc/self/fd/%d" % fd, "w"),
             lambda: os.rename(file, "app/moved"), lambda: os.unlink(file), lambda: os.link(file, "app/linked"),
             lambda: os.rename("app/theirs", file), lambda: os.rmdir("app/conf/deep"), lambda: os.mkdir("app/conf"),
             lambda: os.open(file, os.O_CREAT | os.O_EXCL), lambda: os.access(file, os.W_OK) or os.unlink(file)):
    print(tried(what))
print(open(file).read())`;
    const { stdout, stderr } = await run([...under, "/usr/bin/python3", "-c", script], { cwd: tree });
    const refused = [
      ...Array.from({ length: 9 }, () => "EROFS"),
      "EXDEV",
      "EROFS",
      "EROFS",
      "EEXIST",
      "EEXIST",
    ];
    assert.equal(stdout, [...refused, "EROFS", "package", "", ""].join("\n"), stderr);
    assert.equal(manifest(), was);
    assert.deepEqual(readdirSync(host).sort(), ["hidden", "theirs", "way"]);
  });

  test("new names are made on the host, with the directories that they need", async () => {
    const told = await sh(
      "[ -w app/conf/deep ] && echo new > app/conf/deep/new; mkdir -p app/more/less; mv app/theirs app/conf/theirs; ls -R app; cat app/conf/*s app/conf/own",
    );
    const list =
      "app:\nconf\nfile\nmore\nway\n\napp/conf:\ndeep\nown\ntheirs\n\napp/conf/deep:\nnew\n\napp/more:\nless\n\napp/more/less:\n\napp/way:\n";
    assert.equal(told.stdout, `${list}host\npackage\n`, told.stderr);
    assert.equal(readFileSync(join(host, "conf/deep/new"), "utf8"), "new\n");
    assert.equal(statSync(join(host, "conf")).mode & 0o7777, 0o750);
    assert.equal(manifest(), was);
  });

  test("no link of the host stands for a directory of the package", async () => {
    const told = await sh(
      "echo new > app/way/new; mkdir app/way/made; ls app/way; cat app/hidden; echo x > app/hidden",
    );
    assert.match(
      told.stderr,
      /way\/new: Directory nonexistent.*way\/made.*Not a directory.*hidden: No such file/s,
    );
    assert.deepEqual(readdirSync(join(tree, "outside")), []);
    assert.equal(readFileSync(join(host, "hidden"), "utf8"), "host\n");
  });

  test("a directory is read to its end while names go away, and by its offsets", async () => {
    for (const side of [host, app]) mkdirSync(join(side, "many"));
    for (let i = 0; i < 1000; i++) writeFileSync(join(host, "many", `n${i}`), "");
    const read = await run([...under, compile("listing", "static"), "app/many", "1000"], { cwd: tree });
    assert.equal(read.stdout, "right\n", read.stderr);
    for (let i = 0; i < 500; i++) writeFileSync(join(host, "many", `n${i}`), "");
    for (let i = 400; i < 1000; i++) writeFileSync(join(app, "many", `n${i}`), "");
    const told = await sh("ls app/many | wc -l; rm app/many/* 2>/dev/null; ls app/many | wc -l");
    assert.equal(told.stdout, "1000\n600\n", told.stderr);
    // Where the package has the name too, the host keeps its own: n400 to n499, and what was left behind them.
    assert.equal(readdirSync(join(host, "many")).length, 350);
    assert.ok(existsSync(join(app, "many/n999")));
  });
});
