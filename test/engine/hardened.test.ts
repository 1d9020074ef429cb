// Hosts that forbid memory that was written to become executable: the engine does without jumps and without a vDSO, and says so.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { cannotRun, compile, engine, run } from "../support/engine.ts";
import { copies, layered, makeOnHost, makeTree, setRules, tree, under } from "../support/redirected-tree.ts";

/** Files are looked at and the clock is read by several threads, often enough for every call to be patched. */
const threads = `
import os, threading, time
def work():
    for _ in range(500): os.stat("/"); os.getppid(); time.time()
all = [threading.Thread(target=work) for _ in range(4)]
for t in all: t.start()
for t in all: t.join()
print(os.uname().release, time.gmtime().tm_year)
`;
const back = Math.floor(Date.now() / 1000) - Date.UTC(2009, 5) / 1000;
const shifted = ["--release=1.2.3", `--clock-offset=-${back}`];

describe("hosts that forbid written code", { skip: cannotRun }, () => {
  const ways = { mdwe: "calls: jumps\nclock: vdso\n", execmem: "calls: traps\nclock: calls\n" };
  for (const [way, told] of Object.entries(ways)) {
    const hardened = (): string[] => [compile("hardened", "static"), way];

    test(`${way}: programs run with their own clock and release`, async (t) => {
      if (spawnSync(hardened()[0] ?? "", [way, "true"]).status === 77) return t.skip("the kernel has it not");
      for (const linking of ["dynamic", "static"] as const) {
        const words = [...hardened(), engine, ...shifted, compile("told", linking)];
        const { status, stderr } = await run(words);
        assert.equal(status, 0, stderr);
      }
      const python = [...hardened(), engine, ...shifted, "/usr/bin/python3", "-c", threads];
      assert.deepEqual(await run(python), { status: 0, stdout: "1.2.3 2009\n", stderr: "" });
      const shell = [...hardened(), engine, ...shifted, "/bin/sh", "-c", "date +%Y; /bin/date +%Y | cat"];
      assert.deepEqual(await run(shell), { status: 0, stdout: "2009\n2009\n", stderr: "" });
    });

    test(`${way}: the engine tells what it does without`, async (t) => {
      if (spawnSync(hardened()[0] ?? "", [way, "true"]).status === 77) return t.skip("the kernel has it not");
      assert.equal((await run([...hardened(), engine, "--probe", "/bin/true"])).stdout, told);
    });
  }

  test("a container whose filter knows no newer calls, and says EPERM to them", async () => {
    const old = [compile("hardened", "static"), "old"];
    const shell = [engine, ...shifted, "/bin/sh", "-c", "date +%Y; (cd /; /bin/pwd | cat); uname -r"];
    assert.deepEqual(await run([...old, ...shell]), { status: 0, stdout: "2009\n/\n1.2.3\n", stderr: "" });
    const python = [...old, engine, ...shifted, "/usr/bin/python3", "-c", threads];
    assert.deepEqual(await run(python), { status: 0, stdout: "1.2.3 2009\n", stderr: "" });
    // Looking, copying and making names in redirected places of all modes.
    const calls = [compile("paths", "dynamic"), "7", "300", copies];
    setRules(layered);
    makeTree();
    makeOnHost();
    const anywhere = await run([...under, ...calls], { cwd: tree });
    assert.equal(anywhere.status, 0, anywhere.stderr);
    makeTree();
    makeOnHost();
    assert.deepEqual(await run([...old, ...under, ...calls], { cwd: tree }), anywhere);
  });

  test("elsewhere it does without nothing", async () => {
    assert.equal((await run([engine, "--probe", "/bin/true"])).stdout, "calls: jumps\nclock: vdso\n");
  });
});
