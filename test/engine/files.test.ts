// Redirected files. The judge is the kernel: the same random calls on the same tree, once with bind mounts or an overlay in a mount namespace, once under
// the engine without any mount, have to say the same, result by result and errno by errno.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { before, beforeEach, describe, test } from "node:test";
import { soaking, times } from "../support/counts.ts";
import { cannotRun, compile, run } from "../support/engine.ts";
import {
  copies,
  inPackage,
  layered,
  makeOnHost,
  makeTree,
  mounts,
  overlay,
  setRules,
  tree,
  under,
  usual,
} from "../support/redirected-tree.ts";

const root = process.getuid?.() === 0;
/** Of each of the four tests with random calls: 10,000 together. */
const sequences = soaking ? 2500 : 12;

/** Whether `from` is also there on the host, below what the package shows. */
async function compareOnce(
  program: string,
  seed: number,
  there: boolean,
  script = mounts,
  below: readonly string[] = [],
): Promise<void> {
  const count = "300";
  makeTree();
  if (there && script === overlay) makeOnHost();
  const words = [
    "unshare",
    "-m",
    "sh",
    "-c",
    script,
    "sh",
    inPackage,
    program,
    String(seed),
    count,
    copies,
    ...below,
  ];
  const kernel = await run(words, { cwd: tree });
  assert.equal(kernel.status, 0, kernel.stderr);
  makeTree();
  if (there) makeOnHost();
  const ours = await run([...under, program, String(seed), count, ...below], { cwd: tree });
  const [expected, got] = [kernel.stdout.split("\n"), ours.stdout.split("\n")];
  const at = expected.findIndex((line, index) => line !== got[index]);
  assert.equal(
    at < 0 ? undefined : got[at],
    at < 0 ? undefined : expected[at],
    `seed ${seed}, line ${at}, there: ${there}`,
  );
  assert.equal(ours.status, 0, ours.stderr);
}

describe("redirected files", { skip: cannotRun }, () => {
  before(makeTree);
  beforeEach(() => setRules(usual));

  for (const linking of ["dynamic", "static"] as const) {
    test(`random calls say what they say on mounts (${linking})`, {
      skip: root ? false : "needs root for mounts",
    }, async () => {
      const program = compile("paths", linking);
      const first = Date.now() % 100_000;
      await times(sequences, `calls on mounts (${linking}), from seed ${first}`, (n) =>
        compareOnce(program, first + n, n % 3 === 2),
      );
    });
  }

  test("random calls below another root say what they say there", {
    skip: root ? false : "needs root for mounts",
  }, async () => {
    const program = compile("paths", "static");
    const first = Date.now() % 100_000;
    await times(sequences, `calls below another root, from seed ${first}`, (n) =>
      compareOnce(program, first + n, n % 3 === 2, mounts, ["below"]),
    );
  });

  test("random calls say what they say on an overlay", {
    skip: root ? false : "needs root for mounts",
  }, async () => {
    setRules(layered);
    const program = compile("paths", "static");
    const first = Date.now() % 100_000;
    await times(soaking ? sequences : 20, `calls on an overlay, from seed ${first}`, (n) =>
      compareOnce(program, first + n, n % 2 === 1, overlay),
    );
  });

  test("real programs find what is redirected, and what is hidden not", async () => {
    makeTree();
    writeFileSync(join(tree, "secret"), "s\n");
    const sh = async (text: string): Promise<string> => {
      const { stdout, stderr } = await run([...under, "/bin/sh", "-c", text], { cwd: tree });
      return (stdout + stderr).replaceAll(tree, "TREE");
    };
    assert.equal(
      await sh("ls; cat app/file one app/abs/deep"),
      "app\ndir\ninto\ninto-file\none\nplain\nro\napp-file\none-file\ndeep\n",
    );
    assert.equal(
      await sh("cd app/dir && pwd && /bin/pwd && readlink /proc/self/cwd && cat ../file ../../plain"),
      "TREE/app/dir\nTREE/app/dir\nTREE/app/dir\napp-file\nplain\n",
    );
    assert.equal(await sh("cat /proc/self/root$PWD/app/file"), "app-file\n");
    assert.equal(await sh("exec cat /proc/$$/root$PWD/one"), "one-file\n");
    assert.match(await sh("cat secret"), /No such file/);
    assert.match(await sh("echo x > ro/file"), /Read-only file system/);
    assert.equal(
      await sh(
        "echo new > app/new && cat app/new && find app -name new && rm app/new && ls app | grep -c new",
      ),
      "new\napp/new\n0\n",
    );
    assert.equal(
      await sh("tar c app | tar t | sort | head -3; cp -r app copy && cat copy/dir/deep; rm -r copy"),
      "app/\napp/abs\napp/dir/\ndeep\n",
    );
    const script = join(inPackage, "srv/app/run");
    writeFileSync(script, "#!/bin/sh\necho $0; cat ${0%/*}/file\n", { mode: 0o755 });
    assert.equal(await sh("app/run; exec app/run"), "app/run\napp-file\napp/run\napp-file\n");
    assert.equal(spawnSync("cat", [join(tree, "app/file")]).status, 1);
  });

  test("names that are only dots, and descriptors that are none, are what they are to the kernel", async () => {
    makeTree();
    const calls = `
import errno, os, sys
def say(name, call, *args, **more):
    try: call(*args, **more); print(name, 0)
    except OSError as e: print(name, errno.errorcode[e.errno])
os.chdir(sys.argv[1])
for path in (".", "..", "./", "../", "dir/.", "dir/.."):
    say("rmdir " + path, os.rmdir, path)
    say("mkdir " + path, os.mkdir, path)
    say("unlink " + path, os.unlink, path)
    say("rename " + path, os.rename, path, "new")
    say("onto " + path, os.rename, "dir", path)
    say("link " + path, os.link, "file", path)
    say("symlink " + path, os.symlink, "x", path)
    say("to nothing " + path, os.symlink, "", path)
say("to nothing in a loop", os.symlink, "", "loop/x")
d = os.open(".", os.O_DIRECTORY); f = os.open("file", os.O_RDONLY); r, w = os.pipe()
for fd in (d, f, r, 99):
    say("to", os.link, "file", "new", dst_dir_fd=fd)
    say("from", os.link, "file", "new", src_dir_fd=fd)
    say("moved", os.rename, "file", "other", dst_dir_fd=fd)
    say("back", os.rename, "other", "file", src_dir_fd=fd)
    say("stat", os.stat, "file", dir_fd=fd)
    say("made", os.mkdir, "made", dir_fd=fd)
    say("gone", os.rmdir, "made", dir_fd=fd)
    say("new", os.unlink, "new", dir_fd=fd)
`;
    const native = await run(["/usr/bin/python3", "-c", calls, join(inPackage, "srv/app")]);
    makeTree();
    const ours = await run([...under, "/usr/bin/python3", "-c", calls, join(tree, "app")]);
    assert.deepEqual(ours, native);
    assert.match(native.stdout, /rmdir \. EINVAL/);
  });

  test("a descriptor is linked to no name that is hidden, and the descriptor comes first", async () => {
    makeTree();
    // A path of a call before is what nobody may look at again.
    const calls = `
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def link(fd, name):
    done = libc.linkat(fd, b"", -100, name, 0x1000)
    print(name.decode(), errno.errorcode[ctypes.get_errno()] if done < 0 else 0)
os.chdir(sys.argv[1])
fd = os.open("plain", os.O_RDONLY)
for before in ("plain", "nothing-" * 20 + "/x"):
    for name in (b"secret", b"secret/x"):
        try: os.link(before, "ro/x")
        except OSError: pass
        link(fd, name)
        link(99, name)
`;
    const { stdout, stderr } = await run([...under, "/usr/bin/python3", "-c", calls, tree]);
    const once = "secret EROFS\nsecret EBADF\nsecret/x ENOENT\nsecret/x EBADF\n";
    assert.equal(stdout, once + once, stderr);
  });

  test("sockets are where rules lead, also where their real path is too long for an address", async () => {
    makeTree();
    const long = "l".repeat(100 - tree.length);
    mkdirSync(join(inPackage, "srv/app", long));
    const script = `
import os, socket, sys
for path in sys.argv[1:]:
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(1)
    if os.fork() == 0:
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        client.sendall(b"hello")
        os._exit(0)
    peer, address = server.accept()
    print(server.getsockname() == path, os.path.exists(path), peer.recv(9), repr(address))
    try: socket.socket(socket.AF_UNIX).bind(path)
    except OSError as e: print(e.strerror)
    datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagram.bind(path + "d")
    other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    other.sendto(b"one", path + "d")
    other.sendmsg([b"two"], [], 0, path + "d")
    print(datagram.recv(9), datagram.recv(9), len(os.listdir("/proc/self/fd")))
try: socket.socket(socket.AF_UNIX).bind("ro/s")
except OSError as e: print(e.strerror)
`;
    const names = ["app/s", join(tree, "into/dir/s"), `app/${long}/s`];
    const words = [...under, "/usr/bin/python3", "-c", script, ...names];
    const { stdout, stderr } = await run(words, { cwd: tree });
    const each = (n: number): string => `True True b'hello' ''\nAddress already in use\nb'one' b'two' ${n}\n`;
    const [first = ""] = /\d+(?=\n)/.exec(stdout) ?? [];
    assert.equal(stdout, `${each(Number(first)).repeat(3)}Read-only file system\n`, stderr);
    assert.ok(statSync(join(inPackage, "srv/app", long, "s")).isSocket());
  });

  test("a socket's path may fill all of an address, which is as long as its path", async () => {
    makeTree();
    const script = `
import ctypes, os, socket, sys
c = ctypes.CDLL(None)
for path in sys.argv[1:]:
    name = path.encode().ljust(108, b"\\0")
    given = ctypes.create_string_buffer(b"\\1\\0" + name, 110)
    server = socket.socket(socket.AF_UNIX)
    print(len(path), c.bind(server.fileno(), given, 110), end=" ")
    size = ctypes.c_uint(110)
    told = ctypes.create_string_buffer(111)
    print(c.getsockname(server.fileno(), told, ctypes.byref(size)), size.value, told.raw[2:110] == name, end=" ")
    server.listen(1)
    client = socket.socket(socket.AF_UNIX)
    print(c.connect(client.fileno(), given, 110))
    os.unlink(path)
`;
    const lengths = [50, 106, 107, 108];
    const names = (directory: string): string[] => lengths.map((length) => directory.padEnd(length, "n"));
    const words = ["/usr/bin/python3", "-c", script];
    const native = await run([...words, ...names(`${tree}/`)], { cwd: tree });
    assert.deepEqual(
      native.stdout.trim().split("\n"),
      lengths.map((n) => `${n} 0 0 ${n + 3} True 0`),
    );
    assert.deepEqual(await run([...under, ...words, ...names(`${tree}/app/`)], { cwd: tree }), native);
  });

  test("a directory of many names lists what rules add, whatever room there is", async () => {
    makeTree();
    setRules(usual);
    for (let i = 0; i < 3000; i++) writeFileSync(join(tree, `many-${i}`), "");
    const script = `
import ctypes, os, struct
libc = ctypes.CDLL(None)
for size in (320, 2048, 32768):
    fd, names, room = os.open(".", os.O_RDONLY), [], ctypes.create_string_buffer(size)
    while (n := libc.syscall(217, fd, room, size)) > 0:
        at = 0
        while at < n:
            (length,) = struct.unpack_from("<H", room.raw, at + 16)
            names.append(room.raw[at + 19:at + length].split(b"\\0")[0].decode())
            at += length
    print(len(names), len(set(names)), [name for name in ("app", "one", "ro", "secret", "plain") if name in names])`;
    const { stdout, stderr } = await run([...under, "/usr/bin/python3", "-c", script], { cwd: tree });
    // With "." and "..", and three that rules add.
    const count = readdirSync(tree).length + 5;
    assert.equal(stdout, `${count} ${count} ['app', 'one', 'ro', 'plain']\n`.repeat(3), stderr);
  });

  test("handles, attributes by newer calls, programs by descriptors and removed directories are as the kernel has them", async () => {
    const script = `
import ctypes, errno, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(*words):
    done = libc.syscall(*[ctypes.c_char_p(w) if isinstance(w, bytes) else ctypes.c_long(w) if isinstance(w, int) else w for w in words])
    return done if done >= 0 else errno.errorcode[ctypes.get_errno()]
def handle(path, flags):
    room, mount = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 140), ctypes.c_int()
    done = call(303, -100, path, room, ctypes.byref(mount), flags)
    return done or room.raw[:8 + struct.unpack_from("I", room.raw)[0]]
os.chdir(sys.argv[1])
print(handle(b"app/link", 0) == handle(b"app/file", 0), handle(b"app/link", 0x400) == handle(b"app/file", 0), handle(b"app/none", 0))
value = ctypes.create_string_buffer(b"v")
given = ctypes.create_string_buffer(struct.pack("QII", ctypes.addressof(value), 1, 0), 16)
room = ctypes.create_string_buffer(64)
for path in (b"app/link", b"app/none"):
    print(call(463, -100, path, 0, b"user.k", given, 16), call(465, -100, path, 0, room, 64), call(464, -100, path, 0, b"user.k", given, 16),
          call(466, -100, path, 0, b"user.k"), call(468, -100, path, room, 24, 0))
def start(fd, path, flags):
    r, w = os.pipe()
    if os.fork() == 0:
        os.dup2(w, 1)
        words = (ctypes.c_char_p * 3)(b"zero", b"one", None)
        os.write(1, str(call(322, fd, path, words, None, flags)).encode())
        os._exit(1)
    os.close(w)
    os.wait()
    return os.read(r, 4096)
open("app/script", "w").write('#!/bin/sh\\necho "$0" $*\\n')
os.chmod("app/script", 0o755)
script, app = os.open("app/script", os.O_RDONLY), os.open("app", os.O_RDONLY)
print(start(script, b"", 0x1000), start(app, b"script", 0), start(app, b"none", 0))
for fd in (script, app): os.set_inheritable(fd, True)
print(start(script, b"", 0x1000), start(app, b"script", 0))
os.mkdir("app/gone")
fd = os.open("app/gone", os.O_RDONLY)
os.rmdir("app/gone")
up = os.stat("..", dir_fd=fd).st_ino
print(os.stat(".", dir_fd=fd).st_nlink, up == os.stat("app").st_ino, os.listdir(fd), call(257, fd, b"new", 0o101), call(257, fd, b"../file", 0) != "ENOENT")`;
    makeTree();
    setRules(usual);
    const native = await run(["/usr/bin/python3", "-c", script, join(inPackage, "srv")]);
    makeTree();
    assert.deepEqual(await run([...under, "/usr/bin/python3", "-c", script, tree]), native);
    assert.match(native.stdout, /^False True ENOENT\n.*'\/dev\/fd\/\d+ one/s);
  });

  test("a file without a name gets one by its descriptor, where all but /proc is redirected", async () => {
    makeTree();
    setRules([
      { from: "/proc", to: "", mode: "host", match: "folder" },
      { from: "/", to: "/", mode: "full", match: "folder" },
    ]);
    const script = `
import os
here = os.open(".", os.O_RDONLY)
f = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
os.write(f, b"text")
os.link("/proc/self/fd/%d" % f, "name", dst_dir_fd=here)
print(os.stat("name").st_nlink, open("name").read())
try: os.link("/proc/self/status", "status", dst_dir_fd=here)
except OSError as e: print(e.strerror)
`;
    const [engine = "", rules = ""] = under;
    const words = [engine, rules, "--package=/", "/usr/bin/python3", "-c", script];
    const { stdout, stderr } = await run(words, { cwd: tree });
    assert.equal(stdout, "1 text\nInvalid cross-device link\n", stderr);
  });

  test("which program another process runs is told as start-stop-daemon asks it", async () => {
    makeTree();
    copyFileSync("/bin/sleep", join(inPackage, "srv/app/sleeper"));
    chmodSync(join(inPackage, "srv/app/sleeper"), 0o755);
    const script = `
for program in app/sleeper /bin/sleep; do
  $program 20 & pid=$!
  until [ "$(cat /proc/$pid/comm)" = "\${program##*/}" ]; do :; done
  readlink /proc/$pid/exe
  [ /proc/$pid/exe -ef $program ] && ! [ /proc/$pid/exe -ef /bin/sh ] && echo same
  /proc/$pid/exe 0 && echo runs
  kill $pid; wait $pid
done
[ "$(readlink /proc/$PPID/exe)" = "$(readlink /proc/$$/exe)" ] || echo outside`;
    const { stdout, stderr } = await run([...under, "/bin/bash", "-c", script], { cwd: tree });
    const each = (path: string): string => `${path}\nsame\nruns\n`;
    assert.equal(
      stdout,
      `${each(`${tree}/app/sleeper`)}${each(realpathSync("/bin/sleep"))}outside\n`,
      stderr,
    );
  });

  test("which program a process runs is told by descriptors of its directory and of its threads too", async () => {
    makeTree();
    const script = `
import os, subprocess
child = subprocess.Popen(["/bin/sleep", "20"])
while open("/proc/%d/comm" % child.pid).read() != "sleep\\n": pass
its = os.open("/proc/%d" % child.pid, os.O_RDONLY)
own = os.open("/proc/self", os.O_RDONLY)
link = lambda name, **more: os.path.basename(os.readlink(name, **more))[:6]
print(link("exe", dir_fd=its), link("task/%d/exe" % child.pid, dir_fd=its), link("/proc/%d/task/%d/exe" % (child.pid, child.pid)))
print(link("exe", dir_fd=own), link("/proc/self/task/%d/exe" % os.getpid()), link("%d/exe" % child.pid, dir_fd=os.open("/proc", os.O_RDONLY)))
os.chdir("/proc/%d" % child.pid)
print(link("exe"), *[os.path.samestat(os.stat("exe", **more), os.stat("/bin/sleep")) for more in ({}, {"dir_fd": its})])
child.kill()
child.wait()`;
    const native = await run(["/usr/bin/python3", "-c", script]);
    assert.match(native.stdout, /^sleep sleep sleep\npython python sleep\n/, native.stderr);
    assert.deepEqual(await run([...under, "/usr/bin/python3", "-c", script]), native);
  });

  test("maps of the process name files as the application knows them", async () => {
    makeTree();
    const script = `
import mmap, os
f = open("app/file"); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
f.close()
before = os.dup(0); os.close(before)
fd = os.open("/proc/self/maps", os.O_RDONLY)
print(fd == before, os.get_inheritable(fd))
try: os.write(fd, b"x")
except OSError as e: print(e.strerror)
text = os.fdopen(fd).read()
names = [line.split(None, 5)[5] for line in text.splitlines() if len(line.split(None, 5)) > 5]
print([name for name in names if name.endswith("/file")], any("[stack]" == name for name in names))
print(text == open("/proc/%d/maps" % os.getpid()).read(), len(text.splitlines()) > 10)
`;
    const { stdout, stderr } = await run([...under, "/usr/bin/python3", "-c", script], { cwd: tree });
    assert.equal(stdout, `True False\nBad file descriptor\n['${tree}/app/file'] True\nTrue True\n`, stderr);
  });

  test("a program and its loader are found by rules as well, and know where they are", async () => {
    makeTree();
    const told = compile("told", "dynamic");
    execFileSync("cp", [told, join(inPackage, "srv/app/told")]);
    const { stdout } = await run([...under, join(tree, "app/told")]);
    assert.ok(stdout.includes(`exe ${tree}/app/told\nexe is it\n`), stdout);
    assert.ok(stdout.includes(`execfn ${tree}/app/told\n`), stdout);
  });
});
