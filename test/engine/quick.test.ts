// Paths that are placed by what is remembered of their directories: whatever changes beside, the answer is that of the moment.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { makeTable } from "../../src/redirect/rules.ts";
import { cannotRun, engine, place, run } from "../support/engine.ts";
import { aRule, enginePolicy } from "../support/engine-policy.ts";

const inPackage = join(place, "package");
const host = join(place, "host");
const policy = join(place, "policy.bin");
const under = [engine, `--policy=${policy}`, `--package=${inPackage}`, "--release=1.2.3"];

/** Each line is a call of a loop that runs long enough for its directory to be known. */
async function python(script: string): Promise<string> {
  const head = `
import errno, os, sys
host, app = sys.argv[1:3]
def ask(call, *words):
    try: return call(*words)
    except OSError as e: return errno.errorcode[e.errno]
def read(path):
    with open(path) as f: return f.read().strip()
def often(call, *words):
    got = {str(ask(call, *words)) for _ in range(20)}
    print(" ".join(sorted(got)))
`;
  const { stdout, stderr } = await run([
    ...under,
    ...["/usr/bin/python3", "-c", head + script, host, join(host, "legacy/app")],
  ]);
  return stdout + stderr;
}

before(() => {
  for (const path of [join(inPackage, "srv/app/dir"), join(inPackage, "srv/ro"), join(host, "dir")])
    mkdirSync(path, { recursive: true });
  writeFileSync(join(inPackage, "srv/app/file"), "packaged\n");
  writeFileSync(join(inPackage, "srv/app/dir/deep"), "deep\n");
  writeFileSync(join(inPackage, "srv/inner"), "inner\n");
  writeFileSync(join(host, "dir/file"), "host\n");
  const [app, inner] = [join(host, "legacy/app"), join(host, "legacy/app/dir/inner")];
  const rules = [
    aRule({ from: app, to: "/srv/app", mode: "full", match: "folder" }, 0),
    aRule({ from: inner, to: "/srv/inner", mode: "full", match: "exact" }, 1),
  ];
  writeFileSync(policy, encodePolicy(enginePolicy({ files: makeTable(rules) })));
});

describe("paths by what is known of their directories", { skip: cannotRun }, () => {
  test("a link to a rule's place is followed as soon as it is there", async () => {
    const script = `
path = host + "/dir/link"
often(read, path)
os.symlink(app + "/file", path)
often(read, path); often(os.path.getsize, path); often(os.access, path, os.R_OK); often(os.readlink, path)
os.remove(path)
often(read, path)
os.system("ln -s " + app + "/dir " + path)
often(read, path + "/deep"); often(os.path.islink, path)
os.remove(path)
often(os.lstat, path)`;
    const link = join(host, "legacy/app/file");
    assert.equal(await python(script), `ENOENT\npackaged\n9\nTrue\n${link}\nENOENT\ndeep\nTrue\nENOENT\n`);
  });

  test("a directory that becomes a link is one at the next call", async () => {
    const script = `
for top in host + "/dir", app:
    os.mkdir(top + "/d"); open(top + "/d/x", "w").write("before")
    often(read, top + "/d/x")
    os.rename(top + "/d", top + "/gone"); os.symlink(app + "/dir", top + "/d")
    often(read, top + "/d/x"); often(read, top + "/d/deep"); often(os.stat, top + "/gone/../none")
    os.remove(top + "/d"); os.rename(top + "/gone", top + "/d")
    often(read, top + "/d/x")
    os.remove(top + "/d/x"); os.rmdir(top + "/d")
    often(read, top + "/d/x"); often(os.stat, top + "/d/.."); often(os.stat, top + "/d/../file/x")`;
    const once = "before\nENOENT\ndeep\nENOENT\nbefore\nENOENT\nENOENT\nENOENT\n";
    assert.equal(await python(script), once + once);
  });

  test("a rule for one name of a directory counts beside that of the directory", async () => {
    const script = `
often(read, app + "/dir/deep"); often(read, app + "/dir/inner"); often(read, app + "/dir/inner2")
often(read, app + "/file"); often(os.stat, app + "/file/x"); often(os.lstat, app + "/none")
fd = os.open(app + "/dir", os.O_RDONLY | os.O_DIRECTORY)
often(lambda: os.readlink("/proc/self/fd/%d" % fd)); often(os.open, app + "/file", os.O_RDONLY | os.O_DIRECTORY)
often(lambda: os.stat("file", dir_fd=fd)); often(lambda: os.stat("deep", dir_fd=fd).st_size)`;
    const dir = join(host, "legacy/app/dir");
    assert.equal(
      await python(script),
      `deep\ninner\nENOENT\npackaged\nENOTDIR\nENOENT\n${dir}\nENOTDIR\nENOENT\n5\n`,
    );
  });

  /** Each path right behind one of the same directory, its end at each place around the end of a page with nothing behind it. */
  test("a path is what its text says, of any length and wherever it stands", async () => {
    const script = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
room = libc.mmap(None, 12288, 3, 0x22, -1, 0)
libc.mprotect(ctypes.c_void_p(room + 8192), 4096, 0)
def opened(path, behind):
    at = room + 8192 - behind - len(path) - 1
    ctypes.memmove(at, path + b"\\0", len(path) + 1)
    fd = libc.open(ctypes.c_void_p(at), 0)
    if fd < 0: return errno.errorcode[ctypes.get_errno()]
    if os.fstat(fd).st_mode & 0o170000 == 0o040000: got = "directory"
    else: got = os.read(fd, 300).decode()
    os.close(fd)
    return got
def both(top):
    for n in range(1, 256):
        with open(top + "/" + "n" * n, "w") as f: f.write(str(n))
    top = top.encode()
    for n in range(1, 256):
        for behind in 0, 1, 5, 7, 8, 9:
            if opened(top + b"/" + b"n" * n, behind) != str(n): print("wrong", n, behind)
    odd = [b"n" * 256, b"n/", b"n/n", b".", b"..", b"...", b".n", b"", b"/n", b"/", b"./n", b"../" + os.path.basename(top) + b"/n", b"m"]
    for name in odd:
        for behind in 0, 6, 30:
            opened(top + b"/n", 0)
            print(opened(top + b"/" + name, behind), end=" ")
    for path in top, top[:-1], top + b"x", b"/etc/hostname/x", b"/tmp", b"/etc/none", b"/etc/", b"/e", b"":
        opened(b"/etc/none", 0)
        opened(top + b"/n", 0)
        print(opened(path, 0), end=" ")
    print()
both(app); both(host + "/dir")`;
    // Above the rule's place the host has nothing.
    const answers = (above: string): string =>
      `ENAMETOOLONG ENOTDIR ENOTDIR directory ${above} ENOENT ENOENT directory 1 directory 1 1 ENOENT`
        .split(" ")
        .flatMap((name) => [name, name, name])
        .join(" ");
    const others = "directory ENOENT ENOENT ENOTDIR directory ENOENT directory ENOENT ENOENT";
    const expected = ["ENOENT", "directory"].map((above) => `${answers(above)} ${others} \n`).join("");
    assert.equal(await python(script), expected);
  });

  test("what other elements answer stays theirs, by whatever name", async () => {
    const script = `
often(read, "/proc/sys/kernel/osrelease")
os.symlink("/proc/sys/kernel", host + "/dir/k")
often(read, host + "/dir/k/osrelease")
os.remove(host + "/dir/k")
often(os.path.samefile, "/proc/self/exe", sys.executable)`;
    assert.equal(await python(script), "1.2.3\n1.2.3\nTrue\n");
  });
});
