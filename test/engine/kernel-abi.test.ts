// What newer kernels took away, and what /proc tells of the kernel: for programs of old systems.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { hostname, release } from "node:os";
import { describe, test } from "node:test";
import { cannotRun, compile, engine, run } from "../support/engine.ts";

const text = (path: string): string => readFileSync(path, "utf8").trim();
const numbers = (path: string): string => text(path).replace(/\s+/g, " ");

/** What the program of sysctl(2) prints, for a kernel that is called so. */
const answers = (name: string, node: string): string => `ostype 0 Linux 0
osrelease 0 ${name} 0
version 0 ${text("/proc/sys/kernel/version")} 0
hostname 0 ${node} 0
cut 0 Lin 0
threads-max 0 ${numbers("/proc/sys/kernel/threads-max")}
shmmax 0 ${numbers("/proc/sys/kernel/shmmax")}
sem 0 ${numbers("/proc/sys/kernel/sem")}
somaxconn 0 ${numbers("/proc/sys/net/core/somaxconn")}
file-max 0 ${numbers("/proc/sys/fs/file-max")}
unknown -20 long -20 none -20 no size -14 no names -14 bad old -14 bad -14
`;

describe("the kernel as old programs know it", { skip: cannotRun }, () => {
  for (const linking of ["dynamic", "musl"] as const) {
    test(`sysctl(2) is answered as Linux 5.4 did (${linking})`, async () => {
      const program = compile("sysctl", linking);
      const { stdout, stderr } = await run([engine, program]);
      assert.equal(stdout, answers(release(), hostname()), stderr);
      const named = ["--release=2.6.18-old", "--node=old"];
      assert.equal((await run([engine, ...named, program])).stdout, answers("2.6.18-old", "old"));
    });
  }

  test("sysctl(2) writes numbers, and says who may not", async () => {
    const set = [engine, compile("sysctl", "static"), text("/proc/sys/kernel/overflowuid")];
    if (process.getuid?.() === 0) {
      assert.equal((await run(set)).stdout, "set 0\n");
      assert.equal((await run([engine, set[1] ?? "", "70000"])).stdout, "set -22\n");
    }
    const stranger = ["setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps=-all", "env"];
    const words = process.getuid?.() === 0 ? [engine, "--search", ...stranger, ...set.slice(1)] : set;
    assert.equal((await run(words, { cwd: "/" })).stdout, process.getuid?.() === 0 ? "" : "set -13\n");
  });

  test("calls by int 0x80 are not there: their numbers are those of another processor", async () => {
    const call = `
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes.fromhex("53b814000000bb0700000031c9cd805bc3"))
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())`;
    const { stdout, stderr } = await run([engine, "/usr/bin/python3", "-c", call]);
    assert.equal(stdout, "-38\n", stderr);
  });

  test("files of /proc tell what uname() tells", async () => {
    const read =
      "cat /proc/version /proc/sys/kernel/osrelease; cd /proc/sys/kernel; cat version hostname domainname";
    const shell = ["/bin/sh", "-c", read];
    const names = ["--release=2.6.18", "--version=#1 SMP old", "--node=old", "--domain=old.example"];
    const host = text("/proc/version");
    const told = host.replace(/^Linux version \S+/, "Linux version 2.6.18").replace(/#[^#]*$/, "#1 SMP old");
    assert.notEqual(told, host);
    const expected = [told, "2.6.18", "#1 SMP old", "old", "old.example", ""].join("\n");
    assert.deepEqual(await run([engine, ...names, ...shell]), { status: 0, stdout: expected, stderr: "" });
    const plain = await run(shell);
    assert.equal((await run([engine, "--clock-offset=5", ...shell])).stdout, plain.stdout);
    assert.match((await run([engine, "--node=n", ...shell])).stdout, new RegExp(`^${release()}$`, "m"));
  });
});
