// Mode write-copy in the process: what a copy is like, that nothing else is changed, and that the layer is one of overlayfs.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { makeTable } from "../../src/redirect/rules.ts";
import { soaking } from "../support/counts.ts";
import { all, cannotRun, compile, engine, place, run } from "../support/engine.ts";
import { aRule, enginePolicy } from "../support/engine-policy.ts";

const root = process.getuid?.() === 0;
const tree = join(place, "tree");
const inPackage = join(place, "package");
const app = join(inPackage, "srv/app");
const copies = join(place, "copies");
const policy = join(place, "policy.bin");
const under = [engine, `--policy=${policy}`, `--package=${inPackage}`, `--copies=${copies}`];

const sh = (text: string): Promise<{ status: number; stdout: string; stderr: string }> =>
  run([...under, "/bin/sh", "-c", text], { cwd: tree });

/** All of the package that a change would show in. */
function manifest(): string {
  const list = `find . -printf '%p %y %m %U:%G %s %T@ %l\\n' | sort; find . -type f | sort | xargs md5sum`;
  return execFileSync("sh", ["-c", list], { cwd: inPackage, encoding: "utf8" });
}

describe("write-copy in the process", { skip: cannotRun }, () => {
  before(() => {
    mkdirSync(place, { recursive: true });
    const rule = aRule({ from: join(tree, "app"), to: "/srv/app", mode: "write-copy", match: "folder" }, 0);
    writeFileSync(policy, encodePolicy(enginePolicy({ files: makeTable([rule]) })));
  });

  beforeEach(() => {
    for (const folder of [tree, inPackage, copies]) rmSync(folder, { recursive: true, force: true });
    for (const folder of [tree, copies, join(app, "dir/inner")]) mkdirSync(folder, { recursive: true });
    writeFileSync(join(app, "file"), "text\n", { mode: 0o640 });
    writeFileSync(join(app, "dir/inner/deep"), "deep\n");
    chmodSync(join(app, "dir"), 0o710);
    utimesSync(join(app, "file"), 1_000_000_000, 1_000_000_001);
    utimesSync(join(app, "dir/inner"), 1_000_000_002, 1_000_000_003);
    utimesSync(join(app, "dir"), 1_000_000_004, 1_000_000_005);
  });

  test("a copy is as what it was copied from; the package stays as it is", async () => {
    if (root) execFileSync("chown", ["12:34", join(app, "file"), join(app, "dir")]);
    execFileSync("setfattr", ["-n", "user.k", "-v", "value", join(app, "file")]);
    const was = manifest();
    const told = await sh(
      `chmod u+x app/file && stat -c '%a %u:%g %Y' app/file && getfattr --only-values -n user.k app/file && echo &&
       echo more >> app/dir/inner/deep && stat -c '%a %u:%g' app/dir && cat app/dir/inner/deep`,
    );
    const owner = root ? "12:34" : `${process.getuid?.()}:${process.getgid?.()}`;
    assert.equal(told.stdout, `740 ${owner} 1000000001\nvalue\n710 ${owner}\ndeep\nmore\n`, told.stderr);
    assert.equal(manifest(), was);
    assert.deepEqual(readdirSync(join(copies, "0/work")), []);
  });

  test("a copy keeps what a file may do, and its holes", { skip: root ? false : "needs root" }, async () => {
    const may = "0100000200200000000000000000000000000000";
    const sparse = join(app, "sparse");
    writeFileSync(sparse, "begin");
    truncateSync(sparse, 64 << 20);
    writeFileSync(sparse, "end", { flag: "a" });
    for (const name of ["file", "dir/inner/deep"])
      execFileSync("setfattr", ["-n", "security.capability", "-v", `0x${may}`, join(app, name)]);
    const script = `
import os
os.rename("app/file", "app/moved")
os.chmod("app/dir/inner/deep", 0o711)
for name in ("app/moved", "app/dir/inner/deep"): print(os.getxattr(name, "security.capability").hex())
os.utime("app/sparse", (1, 1))
st = os.stat("app/sparse")
text = open("app/sparse").read()
print(st.st_size, st.st_blocks < 2048, len(text), text[:6] == "begin\\0", text[-4:] == "\\0end")`;
    const { stdout, stderr } = await run([...under, "/usr/bin/python3", "-c", script], { cwd: tree });
    const size = (64 << 20) + 3;
    assert.equal(stdout, `${may}\n${may}\n${size} True ${size} True True\n`, stderr);
  });

  test("what overlayfs refuses is refused, and nothing moves", async () => {
    const script = `
import ctypes, errno, os, stat
libc = ctypes.CDLL(None, use_errno=True)
def move(a, b, flags):
    done = libc.renameat2(-100, a, -100, b, flags)
    return "done" if done == 0 else errno.errorcode[ctypes.get_errno()]
for flags in (3, 4, 5, 6, 7, 8, 1 << 31): print(flags & 255, move(b"app/file", b"app/new", flags), move(b"app/none", b"app/file", flags))
print(move(b"app/file", b"app/dir", 5), move(b"app/file", b"app/dir", 4))
print(sorted(os.listdir("app")))
for name in ("app/white", "app/file", "app/none/white"):
    try: os.mknod(name, stat.S_IFCHR | 0o600, 0)
    except OSError as e: print(errno.errorcode[e.errno])`;
    const { stdout, stderr } = await run([...under, "/usr/bin/python3", "-c", script], { cwd: tree });
    const wrong = [3, 6, 7, 8, 0].map((flags) => `${flags} EINVAL EINVAL\n`);
    const whiteouts = ["4 EINVAL ENOENT\n", "5 EINVAL ENOENT\n"];
    const flags = [wrong[0], ...whiteouts, ...wrong.slice(1)].join("");
    assert.equal(stdout, `${flags}EEXIST EISDIR\n['dir', 'file']\nEPERM\nEEXIST\nENOENT\n`, stderr);
  });

  test("a directory that is watched tells of what the instance makes in it", {
    skip: root ? false : "needs root",
  }, async () => {
    const script = `
import ctypes, os, struct
libc = ctypes.CDLL(None, use_errno=True)
queue = libc.inotify_init1(os.O_NONBLOCK)
def events():
    try: data = os.read(queue, 65536)
    except BlockingIOError: return []
    names = []
    while data:
        _, mask, _, size = struct.unpack_from("iIII", data)
        names.append(data[16:16 + size].strip(b"\\0").decode() or mask)
        data = data[16 + size:]
    return sorted(set(names))
os.symlink("dir", "app/way")
os.chdir("app")
print(libc.inotify_add_watch(queue, b"dir", 0x3c2), libc.inotify_add_watch(queue, b".", 0x3c2), libc.inotify_add_watch(queue, b"dir/inner", 0x3c2))
open("dir/inner/deep", "a").close(); open("dir/new", "w").close(); os.unlink("file"); print(events())
print(libc.inotify_add_watch(queue, b"way", 0x3c2), libc.inotify_add_watch(queue, b"way", 0x02000004))
os.chmod("dir", 0o700); print(events()); os.lchown("way", 1, 1); print(events())`;
    const { stdout, stderr } = await run([...under, "/usr/bin/python3", "-c", script], { cwd: tree });
    assert.equal(stdout, "1 2 3\n['deep', 'file', 'inner', 'new']\n1 4\n[]\n[4]\n", stderr);
  });

  test("what is open already changes the copy, not the package", async () => {
    const was = manifest();
    const script = `
import os
fd = os.open("app/file", os.O_RDONLY)
os.fchmod(fd, 0o604)
os.utime(fd, (5, 7))
os.setxattr(fd, "user.k", b"v")
name = "/proc/self/fd/%d" % fd
open(name, "a").write("more\\n")
os.chmod(name, 0o606)
st = os.stat("app/file")
print(oct(st.st_mode), os.getxattr("app/file", "user.k"), open("app/file").read().split())
d = os.open("app/dir", os.O_RDONLY)
os.fchmod(d, 0o777)
os.unlink("inner/deep", dir_fd=d)
os.rename("inner", "moved", src_dir_fd=d, dst_dir_fd=d)
print(oct(os.stat("app/dir").st_mode), os.listdir(d), os.listdir("app/dir/moved"))
`;
    const { stdout, stderr } = await run([...under, "/usr/bin/python3", "-c", script], { cwd: tree });
    assert.equal(stdout, "0o100606 b'v' ['text', 'more']\n0o40777 ['moved'] []\n", stderr);
    assert.equal(manifest(), was);
  });

  test("flags of a file (chattr) are the copy's", async (t) => {
    const flags = `
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
if len(sys.argv) > 2: fcntl.ioctl(fd, 0x40086602, struct.pack("l", 0x40 | struct.unpack("l", fcntl.ioctl(fd, 0x80086601, bytes(8)))[0]))
print(struct.unpack("l", fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x80086601, bytes(8)))[0] & 0x40)`;
    const python = ["/usr/bin/python3", "-c", flags];
    writeFileSync(join(app, "tried"), "");
    if ((await run([...python, join(app, "tried"), "set"])).stdout !== "64\n")
      return t.skip("this file system keeps no flags");
    const set = await run([...under, ...python, "app/file", "set"], { cwd: tree });
    assert.equal(set.stdout, "64\n", set.stderr);
    assert.equal((await run([...python, join(app, "file")])).stdout, "0\n");
    assert.equal((await run([...under, ...python, "app/dir", "set"], { cwd: tree })).stdout, "64\n");
    assert.equal((await run([...python, join(app, "dir")])).stdout, "0\n");
  });

  test("a directory is read to its end while names go away, and by its offsets", async () => {
    mkdirSync(join(app, "many"));
    for (let i = 0; i < 1000; i++) writeFileSync(join(app, "many", `n${i}`), "");
    const { stdout } = await run([...under, compile("listing", "static"), "app/many", "1000"], { cwd: tree });
    assert.equal(stdout, "right\n");
    assert.equal((await sh("ls app/many | wc -l; rm -r app/many; ls app")).stdout.split("\n").length, 4);
    assert.equal(readdirSync(join(app, "many")).length, 1000);
  });

  test("what another process changes is seen at once, also after one was killed", async () => {
    writeFileSync(join(app, "dir/other"), "other\n");
    const script = `
import os, sys
def look(path):
    try: return open(path).read().strip()
    except OSError as e: return os.strerror(e.errno)
for line in sys.stdin:
    for _ in range(20): now = [look("app/file"), look("app/dir/other"), ",".join(sorted(os.listdir("app/dir")))]
    print(*now, sep=";", flush=True)
`;
    const [program = "", ...words] = under;
    const reader = spawn(program, [...words, "/usr/bin/python3", "-c", script], { cwd: tree });
    const lines = createInterface({ input: reader.stdout })[Symbol.asyncIterator]();
    const look = async (): Promise<string> => {
      reader.stdin.write("\n");
      return String((await lines.next()).value);
    };
    try {
      assert.equal(await look(), "text;other;inner,other");
      await sh("echo changed > app/file; rm app/dir/other");
      assert.equal(await look(), "changed;No such file or directory;inner");
      await sh("rm app/file; mkdir app/file; mv app/dir/inner app/dir/other");
      assert.equal(await look(), "Is a directory;Is a directory;other");
      // Killed with the lock, as the count of changes then has it.
      writeFileSync(join(copies, "changes"), Buffer.from([0xff, 0xff]), { flag: "r+" });
      await sh("rmdir app/file; echo again > app/file");
      assert.equal(await look(), "again;Is a directory;other");
      await sh("echo twice > app/file");
      assert.equal(await look(), "twice;Is a directory;other");
    } finally {
      reader.kill("SIGKILL");
    }
  });

  test("of many that make a removed name anew one wins", async () => {
    const names = Array.from({ length: soaking ? 300 : 30 }, (_, i) => `n${i}`);
    for (const name of names) writeFileSync(join(app, name), "");
    await sh("rm app/n*");
    const won: string[] = [];
    await all([1, 2, 3, 4], 4, async () => {
      const each = `for n in ${names.join(" ")}; do (set -C; : > app/$n) 2>/dev/null && echo $n; done; :`;
      won.push(...(await sh(each)).stdout.split("\n").slice(0, -1));
    });
    assert.deepEqual(won.sort(), [...names].sort());
  });

  test("what another process removes and makes anew is no device in between", async () => {
    const script = `
import errno, os, sys, time
end = time.time() + ${soaking ? 20 : 2}
if os.fork() == 0:
    while time.time() < end:
        for _ in range(20):
            try: os.unlink("app/file")
            except FileNotFoundError: pass
            os.close(os.open("app/file", os.O_CREAT | os.O_WRONLY))
    os._exit(0)
said = set()
while time.time() < end:
    for call in (lambda: os.close(os.open("app/file", os.O_RDONLY)), lambda: os.close(os.open("app/file", os.O_RDWR)),
                 lambda: os.close(os.open("app/file", os.O_RDWR | os.O_CREAT)), lambda: os.truncate("app/file", 0),
                 lambda: os.setxattr("app/file", "user.k", b"v")):
        try: call()
        except FileNotFoundError: pass
        except OSError as e: said.add(errno.errorcode[e.errno])
os.wait()
print(said)`;
    const { stdout, stderr } = await run([...under, "/usr/bin/python3", "-c", script], { cwd: tree });
    assert.equal(stdout, "set()\n", stderr);
  });

  test("a copy that is cut short is none", async () => {
    const big = Buffer.alloc(48 << 20, "x");
    writeFileSync(join(app, "big"), big);
    for (let n = 0; n < (soaking ? 200 : 6); n++) {
      rmSync(copies, { recursive: true, force: true });
      mkdirSync(copies);
      const [program = "", ...words] = under;
      const args = [...words, "/bin/sh", "-c", "echo end >> app/big"];
      const child = spawn(program, args, { cwd: tree, stdio: "ignore" });
      const ended = new Promise((resolve) => child.on("close", resolve));
      await sleep(Math.random() * 40);
      child.kill("SIGKILL");
      await ended;
      const size = Number((await sh("cat app/big | wc -c")).stdout);
      assert.ok(size === big.length || size === big.length + 4, `${size} bytes`);
      assert.equal((await sh("echo end >> app/big; tail -c 4 app/big")).stdout, "end\n");
      // What was killed left nothing that stays.
      const work = readdirSync(join(copies, "0/work"));
      assert.ok(work.length <= 1, work.join(" "));
    }
  });

  test("overlayfs reads the layer, and the engine one of overlayfs", {
    skip: root ? false : "needs root for mounts",
  }, async () => {
    const script = join(place, "both");
    const list = `find . -printf '%P %y %m %l\\n' | sort; find . -type f | sort | xargs md5sum`;
    const change = `rm file; mkdir file; echo a > file/a; rm dir/inner/deep; echo new > dir/new; ln -s new dir/link; chmod 700 dir;
      rm -r more; mkdir more; echo b > more/b; mv away/one away/two`;
    writeFileSync(
      script,
      `set -e; mount -t tmpfs none "${copies}"; mkdir -p "${copies}/0/upper" "${copies}/0/work"; mkdir app
      over() { mount -t overlay none -o "lowerdir=${app},upperdir=${copies}/0/upper,workdir=${copies}/0/work" app; }
      look() { ${under.join(" ")} /bin/sh -c 'cd app; ${list.replaceAll("'", "'\\''")}'; }
      case $1 in
      ours) ${under.join(" ")} /bin/sh -c 'cd app; ${change}'; look; echo ==; over; cd app; ${list} ;;
      kernel) over; (cd app; ${change}; ${list}); umount app; echo ==; look ;;
      esac`,
    );
    for (const which of ["ours", "kernel"]) {
      for (const name of ["more", "away"]) mkdirSync(join(app, name), { recursive: true });
      for (const name of ["more/old", "away/one"]) writeFileSync(join(app, name), "old\n");
      const { stdout, stderr } = await run(["unshare", "-m", "sh", script, which], { cwd: tree });
      rmSync(join(tree, "app"), { recursive: true, force: true });
      const [one, other] = stdout.split("==\n");
      assert.equal(other, one, stderr);
      assert.match(one ?? "", /^more\/b f 644 $/m, stderr);
      assert.doesNotMatch(one ?? "", /old|deep|one/);
    }
    assert.equal(readFileSync(join(app, "file"), "utf8"), "text\n");
  });
});
