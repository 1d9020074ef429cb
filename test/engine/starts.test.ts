// What a start does without until somebody asks, and what it is told by the one before.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { cannotRun, compile, engine, place, run } from "../support/engine.ts";

/** Changes a byte behind umask(), which is never executed, when it is told to; the page is written to before. */
const changer = `import mmap, sys
own, mask = sys.argv[1], int(sys.argv[2])
with open(own + "/libc.so.6", "r+b") as f:
    m = mmap.mmap(f.fileno(), 0)
at = m.find(bytes.fromhex("b85f0000000f05c3"))
assert at > 0
m[at + 9] = m[at + 9]
open(own + "/ready", "w").close()
open(own + "/go").read()
m[at + 9] ^= mask
open(own + "/done", "w").write("\\n")`;

describe("starts", { skip: cannotRun }, () => {
  test("calls of the loader are jumps before it begins, where the one who starts it knows them", async () => {
    const jumps = compile("jumps", "dynamic");
    const count = async (...words: string[]): Promise<number> => {
      const { status, stdout, stderr } = await run([...words, jumps]);
      assert.equal(status, 0, stdout + stderr);
      return Number(stdout);
    };
    assert.equal(await count(), 0);
    const alone = await count(engine);
    for (const shell of ['"$@"', '"$@"; true', 'exec /bin/sh -c \'"$@"; true\' sh "$@"']) {
      const told = await count(engine, "/bin/sh", "-c", shell, "sh");
      assert.ok(told >= alone + 5, `${shell}: ${told} jumps, and ${alone} without a start before`);
    }
  });

  test("calls of the C library are jumps early, where the one who starts it has made them often, and in that file alone", async () => {
    const jumps = compile("jumps", "dynamic");
    const own = join(place, "own-libc");
    mkdirSync(own);
    copyFileSync("/lib/x86_64-linux-gnu/libc.so.6", join(own, "libc.so.6"));
    const often = "n=0; while [ $n -lt 20 ]; do n=$((n + 1)); [ -e /etc/none ]; umask 22; done; ";
    const count = async (script: string | undefined, env = {}, ...more: string[]): Promise<number> => {
      const shell = script === undefined ? [] : ["/bin/sh", "-c", script, "sh"];
      const command = [engine, ...shell, jumps, "libc.so.6", ...more];
      const { status, stdout, stderr } = await run(command, { env: { ...process.env, ...env } });
      assert.equal(status, 0, stdout + stderr);
      return Number(stdout);
    };
    const elsewhere = { LD_LIBRARY_PATH: own };
    const alone = await count(undefined);
    const told = await count(`${often} "$@"; exit`);
    assert.ok(told >= alone + 2, `${told} jumps, and ${alone} where nothing was called often`);
    assert.equal(await count(`${often} "$@"; exit`, {}, "first"), 1, "before the program begins");
    assert.equal(await count(`"$@"; exit`, {}, "first"), 0, "what nobody called");
    assert.equal(await count(`${often} "$@"; exit`, elsewhere), told, "another copy for both");
    assert.equal(await count(`${often} LD_LIBRARY_PATH=${own} "$@"; exit`), alone, "another copy");
    const changed = `${often} touch ${own}/libc.so.6; "$@"; exit`;
    assert.equal(await count(changed, elsewhere), alone, "a file that was changed");
  });

  test("a call is no jump early where bytes around it are others than were told, in a file that is the same", async (t) => {
    const jumps = compile("jumps", "dynamic");
    // Where pages are never written back, a page that was written to once can be changed with nothing else of the file.
    const own = mkdtempSync("/dev/shm/tranship-sites-");
    t.after(() => rmSync(own, { recursive: true, force: true }));
    const library = join(own, "libc.so.6");
    copyFileSync("/lib/x86_64-linux-gnu/libc.so.6", library);
    execFileSync("mkfifo", [join(own, "go"), join(own, "done")]);
    const often = "n=0; while [ $n -lt 20 ]; do n=$((n + 1)); [ -e /etc/none ]; umask 22; done; ";
    const script = `${often} echo >${own}/go; read x <${own}/done; "$@"; exit`;
    const count = async (mask: number): Promise<number> => {
      const holder = spawn("python3", ["-c", changer, own, String(mask)], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      while (!existsSync(join(own, "ready"))) await setTimeout(10);
      const before = statSync(library, { bigint: true });
      const { status, stdout, stderr } = await run(
        [engine, "/bin/sh", "-c", script, "sh", jumps, "libc.so.6"],
        {
          env: { ...process.env, LD_LIBRARY_PATH: own },
        },
      );
      assert.equal(status, 0, stdout + stderr);
      if (holder.exitCode === null) await once(holder, "exit");
      assert.equal(holder.exitCode, 0);
      const after = statSync(library, { bigint: true });
      assert.deepEqual(
        [after.ctimeNs, after.mtimeNs, after.size, after.ino],
        [before.ctimeNs, before.mtimeNs, before.size, before.ino],
      );
      rmSync(join(own, "ready"));
      return Number(stdout);
    };
    const told = await count(0);
    assert.equal(await count(0xff), told - 1);
  });

  test("what is said of sites that are none is left alone", async () => {
    const words = [
      "",
      "1,2,3",
      `${"9".repeat(30)},${"1,".repeat(100)}`,
      "x",
      ";;;;;;",
      "1;2,3;4,5,6;".repeat(9),
    ];
    for (const word of words)
      assert.equal((await run([engine, `--sites=${word}`, "/bin/echo", "runs"])).stdout, "runs\n", word);
  });

  test("a program's own file has the name that it has when somebody asks", async () => {
    const [one, two] = [join(place, "own-one"), join(place, "own-two")];
    copyFileSync("/bin/bash", one);
    const script = 'mv "$1" "$2" && [ /proc/self/exe -ef "$2" ] && mv "$2" "$1" && [ $BASHPID = $$ ]';
    const command = [one, "-c", script, "bash", one, two];
    assert.equal((await run(command)).status, 0);
    assert.equal((await run([engine, ...command])).status, 0);
  });

  test("a process that has more memory than it may have starts another", async () => {
    const script = `
import os, resource
if os.fork() == 0:
    resource.setrlimit(resource.RLIMIT_AS, (8 << 20, 8 << 20))
    os.execv("/bin/echo", ["echo", "started"])
print(os.wait()[1])`;
    const { stdout, stderr } = await run([engine, "/usr/bin/python3", "-c", script]);
    assert.equal(stdout, "started\n0\n", stderr);
  });

  test("what was ignored is still ignored, and told so", async () => {
    const script = "trap '' HUP USR1; exec \"$@\"";
    const python =
      "import signal as s; print(s.getsignal(s.SIGHUP), s.getsignal(s.SIGUSR1), s.getsignal(s.SIGTERM))";
    const command = ["/bin/sh", "-c", script, "sh", "/usr/bin/python3", "-c", python];
    const native = await run(command);
    assert.equal(native.status, 0, native.stderr);
    assert.deepEqual(await run([engine, ...command]), native);
    assert.deepEqual(await run(["/bin/sh", "-c", script, "sh", engine, ...command.slice(5 - 1)]), native);
  });
});
