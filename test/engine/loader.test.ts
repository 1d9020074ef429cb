// The loader: what a program is told at its start is what the kernel tells it, and what cannot be started is refused by name.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { makeTable } from "../../src/redirect/rules.ts";
import { soaking } from "../support/counts.ts";
import { cannotRun, compile, engine, type How, linkings, place, run } from "../support/engine.ts";
import { aRule, enginePolicy } from "../support/engine-policy.ts";

const at = (name: string): string => join(place, name);
const root = process.getuid?.() === 0;

function script(name: string, text: string): string {
  writeFileSync(at(name), text);
  chmodSync(at(name), 0o755);
  return at(name);
}

/** The same command without and with the engine. */
async function same(command: readonly string[], how: How = {}): Promise<void> {
  const native = await run(command, how);
  assert.equal(native.stderr, "");
  const ours = await run([engine, ...command], how);
  assert.deepEqual(ours, native, command.join(" "));
}

describe("the loader", { skip: cannotRun }, () => {
  const programs = new Map<string, string>();
  before(() => {
    for (const linking of linkings) programs.set(linking, compile("told", linking));
  });
  const told = (): string => programs.get("dynamic") ?? "";

  test("tells programs what the kernel tells them", async () => {
    for (const program of programs.values()) {
      await same([program], { env: {} });
      await same([program, "a", "", "b c"], { env: { A: "1", LONG: "x".repeat(100_000) } });
      await same([program, "status", "77"]);
      await same([`./${program.slice(place.length + 1)}`], { cwd: place });
    }
    symlinkSync(told(), at("link"));
    await same([at("link")]);
  });

  test("gives argv[0] apart from the file, as execve() does", async () => {
    const native = await run([told(), "x"], { argv0: "another", env: {} });
    const ours = await run([engine, "--argv0", "--", told(), "another", "x"], { env: {} });
    assert.deepEqual(ours, native);
  });

  test("reads the first lines of scripts as the kernel does, to their ends", async () => {
    const seed = Math.floor(Math.random() * 1e6);
    const python = `import os, random, sys
random.seed(int(sys.argv[1])); name = sys.argv[2]; told = sys.argv[3].encode()
parts = [b" ", b"\\t", b"\\0", b"\\n", b"a", b"-x", b"  ", b"/", told, told, told]
for _ in range(int(sys.argv[4])):
    line = b"#!" + b"".join(random.choices(parts, k=random.randrange(6)))
    if random.random() < 0.4:
        line += random.choice([b" ", b"a"]) * (random.choice([254, 255, 256, 257]) - len(line))
    line += b"".join(random.choices(parts, k=random.randrange(3)))
    with open(name, "wb") as f: f.write(line)
    os.chmod(name, 0o755)
    pid = os.fork()
    if pid == 0:
        try: os.execv(name, ["given", "word"])
        except OSError as e: print(line, e.errno, flush=True)
        os._exit(0)
    print(line, os.waitpid(pid, 0)[1], flush=True)`;
    await same([
      "/usr/bin/python3",
      "-c",
      python,
      String(seed),
      at("line"),
      "/bin/echo",
      soaking ? "5000" : "200",
    ]);
  });

  test("runs scripts, and scripts of scripts, with one argument", async () => {
    script("one", `#!${told()}  -a  b\t\n`);
    script("two", `#! ${at("one")} -c\n`);
    script("plain", `#!${told()}`);
    for (const name of ["one", "two", "plain"]) {
      await same([at(name), "x", "y"], { env: {} });
      await same([at(name)], { env: {} });
    }
    await same([script("shell", "#!/bin/sh\necho $0 $@; exec $1 $2\n"), told(), "z"]);
  });

  test("execveat() that follows no link refuses one below a redirected folder too", async () => {
    const [policy, app] = [at("links.bin"), at("links")];
    mkdirSync(at("package/srv"), { recursive: true });
    symlinkSync("/bin/true", at("package/srv/link"));
    writeFileSync(
      policy,
      encodePolicy(
        enginePolicy({
          files: makeTable([aRule({ from: app, to: "/srv", mode: "full", match: "folder" }, 0)]),
        }),
      ),
    );
    const script = `import ctypes, sys
words = (ctypes.c_char_p * 2)(b"x", None)
ctypes.CDLL(None, use_errno=True).syscall(322, -100, sys.argv[1].encode(), words, words, int(sys.argv[2]))
sys.exit(ctypes.get_errno())`;
    const under = [
      engine,
      `--policy=${policy}`,
      `--package=${at("package")}`,
      "/usr/bin/python3",
      "-c",
      script,
    ];
    const noFollow = "256";
    for (const [path, flags, status] of [
      [`${app}/link`, noFollow, 40],
      [`${app}/link`, "0", 0],
      [`${app}/none`, noFollow, 2],
    ] as const)
      assert.equal((await run([...under, path, flags])).status, status, `${path} ${flags}`);
  });

  test("children are started as their parents were", async () => {
    const command = ["/bin/sh", "-c", `${told()} a | sort; exec ${told()} b`];
    await same(command, { env: { PATH: "/bin" } });
    const deep = `${engine} --node=a /bin/sh -c 'uname -n; ${engine} --node=b /bin/sh -c "uname -n"; uname -n'`;
    assert.equal((await run(["/bin/sh", "-c", deep])).stdout, "a\nb\na\n");
    // An engine inside of an engine: what it does not say stays as it was.
    const inner = `${engine} --trap=seccomp --node=a --release=1 /bin/sh -c '${engine} --node=b /bin/uname -nr'`;
    assert.equal((await run(["/bin/sh", "-c", inner])).stdout, "b 1\n");
  });

  test("a program's own loader may be that of another root", async () => {
    mkdirSync(at("other/lib"), { recursive: true });
    const listed = spawnSync("ldd", [told()], { encoding: "utf8" }).stdout;
    const libraries = [...listed.matchAll(/(\/\S+) \(/g)].map((match) => match[1] ?? "");
    for (const file of libraries) copyFileSync(file, join(at("other/lib"), file.split("/").at(-1) ?? ""));
    const loader = join(at("other/lib"), "ld-linux-x86-64.so.2");
    const made = spawnSync("gcc", [
      "-O1",
      "-w",
      "-D_GNU_SOURCE",
      "-o",
      at("moved"),
      sourceOf("told"),
      `-Wl,--dynamic-linker=${loader},-rpath,${at("other/lib")}`,
    ]);
    assert.equal(made.status, 0);
    await same([at("moved")]);
  });

  test("says by its status and in words what it cannot start", async () => {
    const refused = async (file: string, status: number, words: RegExp, how: How = {}): Promise<void> => {
      const result = await run([engine, file], how);
      assert.equal(result.status, status, file);
      assert.match(result.stderr, words);
      assert.equal(result.stdout, "");
    };
    await refused(at("nothing"), 127, /no such file/);
    await refused("/etc", 126, /may not be executed/);
    writeFileSync(at("data"), "data");
    await refused(at("data"), 126, /may not be executed/);
    await refused(script("text", "echo\n"), 126, /neither a 64-bit x86 program nor a script/);
    await refused(script("lost", "#!/no/such/interpreter\n"), 127, /no such file: \/no\/such\/interpreter/);
    for (let depth = 0; depth < 7; depth++) script(`deep${depth}`, `#!${at(`deep${depth + 1}`)}\n`);
    await refused(at("deep0"), 126, /too many links/);
    const i386 = spawnSync("gcc", ["-m32", "-static", "-o", at("i386"), "-x", "c", "-"], {
      input: "int main(void) { return 0; }",
    });
    assert.equal(i386.status, 0);
    await refused(at("i386"), 122, /a 32-bit program/);
    const leave = [engine, "--leave", "--release=left"];
    assert.equal((await run([...leave, at("i386")])).status, 0);
    const both = await run([...leave, "/bin/sh", "-c", `${at("i386")} && uname -r`]);
    assert.equal(both.stdout, "left\n", both.stderr);
    // A filter cannot be left.
    assert.equal((await run([...leave, "--trap=seccomp", at("i386")])).status, 122);
    assert.equal((await run([...leave, "--search", "--", "uname", "-r"])).stdout, "left\n");
    mkdirSync(at("folder/uname"), { recursive: true });
    const env = { PATH: `${at("folder")}:${process.env.PATH}` };
    assert.equal((await run([...leave, "--search", "--", "uname", "-r"], { env })).stdout, "left\n");
    assert.equal((await run([...leave, "--search", "--", "no-such-program"])).status, 127);
    assert.equal((await run([engine, "--nonsense", told()])).status, 125);
    assert.equal((await run([engine])).status, 125);
  });

  test("a set-uid program is refused where it would change rights, and only there", {
    skip: root ? false : "needs root",
  }, async () => {
    copyFileSync("/usr/bin/id", at("id"));
    chownSync(at("id"), 65534, 65534);
    chmodSync(at("id"), 0o4755);
    chmodSync(place, 0o755);
    const result = await run([engine, at("id"), "-u"]);
    assert.equal(result.status, 123);
    assert.match(result.stderr, /would change user, group or capabilities/);
    assert.equal((await run([engine, at("id"), "-u"], { uid: 65534 })).stdout, "65534\n");
    assert.equal((await run([engine, "--set-id", at("id"), "-u"])).stdout, "0\n");
    assert.equal((await run([engine, "/bin/sh", "-c", `${at("id")} -u`])).status, 126);
    assert.equal((await run([engine, "--leave", "/bin/sh", "-c", `${at("id")} -u`])).stdout, "65534\n");
    // Under no_new_privs the kernel ignores the bit as well.
    const bare = await run(["setpriv", "--no-new-privs", engine, at("id"), "-u"]);
    assert.equal(bare.stdout, "0\n");
  });

  test("runs as nobody", { skip: root ? false : "needs root" }, async () => {
    chmodSync(place, 0o755);
    const result = await run([engine, "--node=mine", "/bin/sh", "-c", "uname -n; id -u"], { uid: 65534 });
    assert.deepEqual(result, { status: 0, stdout: "mine\n65534\n", stderr: "" });
  });
});

function sourceOf(name: string): string {
  return join(import.meta.dirname, `../../native/engine/test/${name}.c`);
}
