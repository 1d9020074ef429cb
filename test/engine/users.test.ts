// The view of users: one user of the host stands for all of an application's. The kernel is the judge: as root natively the same calls say the same.
import assert from "node:assert/strict";
import { chmodSync, chownSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { soaking, times } from "../support/counts.ts";
import { cannotRun, compile, type Ended, engine, place, run } from "../support/engine.ts";

const root = process.getuid?.() === 0;
const page = join(place, "users");
const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/** As root begins here: some machines lack a capability or two. */
function capabilities(): string {
  const status = readFileSync("/proc/self/status", "latin1");
  const set = (name: string): string =>
    String(BigInt(`0x${new RegExp(`^${name}:\\s*(\\w+)`, "m").exec(status)?.[1] ?? "0"}`));
  return `--ids=${"0,".repeat(8)}${set("CapEff")},${set("CapPrm")},0,${set("CapBnd")},0,0`;
}

const view = (...options: string[]): string[] => [...nobody, engine, `--users=${page}`, ...options];

describe("the view of users", { skip: cannotRun || (root ? false : "needs root") }, () => {
  before(() => {
    chmodSync(place, 0o755);
    writeFileSync(page, new Uint8Array(65_536));
    chownSync(page, 65534, 65534);
  });

  /** What the program says in a directory of its own, as root of the kernel and by the view. */
  async function both(
    program: string,
    args: readonly string[],
    options: readonly string[],
  ): Promise<Ended[]> {
    const results: Ended[] = [];
    for (const [name, owner, words] of [
      ["kernel", 0, ["setpriv", "--clear-groups"]],
      ["view", 65534, view(...options, capabilities())],
    ] as const) {
      const cwd = join(place, name);
      rmSync(cwd, { recursive: true, force: true });
      mkdirSync(cwd);
      copyFileSync(program, join(cwd, "prog"));
      for (const path of [cwd, join(cwd, "prog")]) chownSync(path, owner, owner);
      chmodSync(cwd, 0o777);
      results.push(await run([...words, "./prog", ...args], { cwd }));
    }
    return results;
  }

  for (const linking of ["dynamic", "static"] as const)
    test(`random calls say what the kernel says to root (${linking})`, async () => {
      const program = compile("users", linking);
      const first = Math.floor(Math.random() * 1e6);
      await times(
        soaking ? 3000 : 25,
        `calls about users (${linking}), from seed ${first}`,
        async (index) => {
          const seed = String(first + index);
          const options = index % 5 === 4 ? ["--trap=seccomp"] : [];
          const [kernel, ours] = await both(program, [seed, "120"], options);
          assert.equal(kernel?.status, 0, kernel?.stderr);
          assert.deepEqual(ours, kernel, `seed ${seed} ${options.join("")}`);
        },
      );
    });

  test("filters that a program gives itself", async () => {
    for (const name of ["several", "inherits", "unasked"]) {
      const [kernel, ours] = await both(compile("sandbox", "static"), [name], []);
      assert.equal(kernel?.status, 0, kernel?.stderr);
      assert.deepEqual(ours, kernel, name);
    }
  });

  test("who is at the other end of a socket, and who a process is", async () => {
    const script = `
import os, socket, struct
path = "peers.sock"
s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(); os.chmod(path, 0o777)
r, w = os.pipe()
if os.fork() == 0:
    os.close(w)
    os.setgroups([7, 5]); os.setresgid(44, 44, 44); os.setresuid(33, 33, 33)
    c = socket.socket(socket.AF_UNIX); c.connect(path)
    me = struct.pack("3i", os.getpid(), 33, 44)
    c.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, me)])
    print(struct.unpack("3i", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1:], flush=True)
    try: c.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("3i", os.getpid(), 0, 44))])
    except OSError as e: print("refused", e.errno, flush=True)
    os.read(r, 1)
    os._exit(0)
os.close(r)
c, _ = s.accept(); c.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
import time; time.sleep(0.3)
pid, *ids = struct.unpack("3i", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
print(ids)
_, ancillary, _, _ = c.recvmsg(1, 64)
print([struct.unpack("3i", data)[1:] for _, kind, data in ancillary if kind == socket.SCM_CREDENTIALS])
print([line.split() for line in open(f"/proc/{pid}/status") if line[:4] in ("Uid:", "Gid:")], os.stat(f"/proc/{pid}").st_uid)
time.sleep(2.5) # what does not change any more may be remembered
print([os.stat(f"/proc/{pid}").st_uid for _ in range(3)])
os.close(w); os.wait(); os.unlink(path)`;
    const results: Ended[] = [];
    for (const [name, owner, words] of [
      ["kernel", 0, []],
      ["view", 65534, view()],
    ] as const) {
      const cwd = join(place, `${name}-peers`);
      mkdirSync(cwd);
      chownSync(cwd, owner, owner);
      chmodSync(cwd, 0o777);
      results.push(await run([...words, "/usr/bin/python3", "-c", script], { cwd }));
    }
    const [kernel, ours] = results;
    assert.match(kernel?.stdout ?? "", /\(33, 44\)/, kernel?.stderr);
    assert.deepEqual(ours, kernel);
  });

  test("a damaged page or ids start nothing", async () => {
    const short = join(place, "short");
    writeFileSync(short, "");
    chownSync(short, 65534, 65534);
    for (const [options, named] of [
      [[`--users=${short}`], short],
      [["--users=/no/such"], "/no/such"],
      [[`--users=${page}`, "--ids=0,0"], page],
      [[`--users=${page}`, `--ids=${"0,".repeat(13)}0,-1`], page],
      [[`--users=${page}`, `--ids=${"0,".repeat(13)}0${",1".repeat(300)}`], page],
    ] as const) {
      const { status, stderr } = await run([...nobody, engine, ...options, "/bin/true"]);
      assert.deepEqual([status, stderr], [125, `engine: not the page of users, or no ids: ${named}\n`]);
    }
  });
});
