// Critical system elements: clock, uname and vsyscall, each an application's own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { changeClockPage, giveClockPage } from "../../src/runtime/inprocess/clock-page.ts";
import { soaking } from "../support/counts.ts";
import { cannotRun, compile, engine, linkings, place, run } from "../support/engine.ts";
import { enginePolicy } from "../support/engine-policy.ts";

const years = 315_360_000;

/** Lines "name value" as numbers. */
function values(text: string): Map<string, number> {
  return new Map(
    text
      .trim()
      .split("\n")
      .map((line) => {
        const [name = "", value] = line.split(" ");
        return [name, Number(value)];
      }),
  );
}

const walls = [
  "clock_gettime",
  "coarse",
  "gettimeofday",
  "time",
  "raw_clock_gettime",
  "raw_gettimeofday",
  "raw_time",
];
const ways = ["dispatch", "seccomp"];

describe("the clock", { skip: cannotRun }, () => {
  for (const linking of linkings) {
    test(`is an application's own by every way to read it (${linking})`, async () => {
      const program = compile("clocks", linking);
      for (const way of ways) {
        const options = (text: string): string[] => [engine, `--trap=${way}`, ...text.split(" "), program];
        const before = Math.floor(Date.now() / 1000);
        const [offset, at, frozen, double] = await Promise.all(
          [
            `--clock-offset=${-years}`,
            "--clock-at=1230768000",
            "--clock-at=1230768000.5 --clock-rate=0",
            `--clock-at=${before} --clock-rate=2`,
          ].map(async (text) => values((await run(options(text))).stdout)),
        );
        const passed = Math.ceil(Date.now() / 1000) - before;
        for (const name of walls) {
          // A coarse clock is a tick behind, but not of the moment at which it begins.
          within(offset?.get(name), before - years - 1, before - years + passed);
          within(at?.get(name), 1230768000, 1230768000 + passed);
          assert.equal(frozen?.get(name), 1230768000, name);
          within(double?.get(name), before - 1, before + 2 * passed);
        }
        const uptime = Number(readFileSync("/proc/uptime", "utf8").split(".")[0]);
        within(offset?.get("boot"), uptime - passed - 2, uptime + 2);
      }
    });

    test(`deadlines by the wall clock are kept (${linking})`, async () => {
      const program = compile("clocks", linking);
      for (const clock of [`--clock-offset=${-years}`, `--clock-offset=${years}`, "--clock-rate=0.5"]) {
        const result = await run([engine, clock, program, "wait"]);
        assert.deepEqual(result, { status: 0, stdout: "ok\n", stderr: "" }, clock);
      }
    });
  }

  test("goes on in children, without a jump", async () => {
    const lines = "date +%s; /bin/sh -c 'date +%s; exec /bin/sh -c \"date +%s\"'";
    const { stdout } = await run([engine, "--clock-at=1000000000", "/bin/sh", "-c", lines]);
    const seconds = stdout.trim().split("\n").map(Number);
    assert.equal(seconds.length, 3);
    for (const [index, value] of seconds.entries())
      within(value, seconds[index - 1] ?? 1_000_000_000, 1_000_000_060);
  });

  test("a fine clock stays fine: it never goes back", async () => {
    const code =
      "let last = 0n; for (let i = 0; i < 200000; i++) { const now = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)); if (now < last) process.exit(1); last = now; } console.log(new Date().getFullYear())";
    const { stdout, status } = await run([engine, "--clock-at=1230768000", process.execPath, "-e", code]);
    assert.deepEqual([stdout, status], ["2009\n", 0]);
  });

  test("a clock changes under a program that runs, in its vDSO, its calls and what it starts", async () => {
    const page = join(place, "clock");
    const script = `
import ctypes, subprocess, sys, time
libc = ctypes.CDLL(None)
def raw():
    ts = (ctypes.c_long * 2)()
    libc.syscall(228, 0, ts)
    return time.gmtime(ts[0]).tm_year
def show():
    print(time.gmtime().tm_year, raw(), subprocess.check_output(["date", "+%Y"]).decode().strip(), flush=True)
show(); sys.stdin.readline(); show(); sys.stdin.readline(); show()
`;
    const at = (time: string, rate = 1n << 32n): Parameters<typeof changeClockPage>[2] => ({
      kernel: BigInt(Date.now()) * 1_000_000n,
      app: BigInt(Date.parse(time)) * 1_000_000n,
      rate,
    });
    giveClockPage(page, at("2001-05-01"));
    const child = spawn(engine, [`--clock-page=${page}`, "/usr/bin/python3", "-c", script]);
    let told = "";
    child.stdout.setEncoding("utf8");
    const lines = async (count: number): Promise<void> => {
      while (told.split("\n").length <= count)
        told += String((await once(child.stdout, "data", { signal: AbortSignal.timeout(30_000) }))[0]);
    };
    await lines(1);
    changeClockPage(page, "test", at("2037-05-01"));
    child.stdin.write("\n");
    await lines(2);
    changeClockPage(page, "test", at("1999-05-01", 0n));
    child.stdin.end("\n");
    await lines(3);
    assert.equal(told, "2001 2001 2001\n2037 2037 2037\n1999 1999 1999\n");
  });
});

describe("identity", { skip: cannotRun }, () => {
  test("uname tells what it is told to, in programs of every kind", async () => {
    const options = [
      "--node=old1",
      "--domain=corp",
      "--release=2.6.18-398.el5",
      "--version=#1 SMP",
      "--machine=x86_64",
    ];
    const { stdout } = await run([engine, ...options, "/bin/uname", "-nrvm"]);
    assert.equal(stdout, "old1 2.6.18-398.el5 #1 SMP x86_64\n");
    const code = "console.log(os.hostname(), os.release())";
    assert.equal(
      (await run([engine, ...options, process.execPath, "-p", "os.hostname() + os.release()", code])).stdout,
      "old12.6.18-398.el5\n",
    );
  });

  test("fifty applications with fifty clocks, names and releases at once, and one without", async () => {
    const native = run(["/bin/sh", "-c", "uname -nr; date +%Y"]);
    const many = soaking ? 500 : 50;
    const told = await Promise.all(
      Array.from({ length: many }, (_, n) =>
        run([
          engine,
          `--node=host${n}`,
          `--release=2.6.${n}`,
          `--clock-at=${(n % 50) * 31_557_600 + 1_000_000}`,
          "/bin/sh",
          "-c",
          "uname -nr; date +%Y",
        ]),
      ),
    );
    for (const [n, { stdout }] of told.entries())
      assert.equal(stdout, `host${n} 2.6.${n}\n${1970 + (n % 50)}\n`);
    const { stdout } = await native;
    assert.ok(!stdout.startsWith("host") && Number(stdout.trim().split("\n")[1]) >= 2025, stdout);
  });
});

describe("the MAC address", {
  skip: cannotRun || (process.getuid?.() === 0 ? false : "needs root for devices of its own"),
}, () => {
  const mac = "02:00:5e:10:20:30";
  const devices = `ip link add v0 address 02:00:00:00:00:01 type veth peer name v1 && mount -t sysfs none /sys && exec "$@"`;
  const inside = ["unshare", "-mn", "sh", "-c", devices, "sh"];
  const ways = ["recvmsg", "recvfrom", "recvmmsg", "read", "readv", "preadv2", "part", "file", "ioctl"];

  test("is told of each Ethernet device by every way, and of nothing else", async () => {
    const policy = join(place, "mac.bin");
    const plain = enginePolicy({});
    writeFileSync(policy, encodePolicy({ ...plain, identity: { ...plain.identity, macAddress: mac } }));
    for (const linking of linkings)
      for (const raw of [[], ["raw"]]) {
        const words = [compile("mac", linking), ...raw];
        const told = async (command: string[]): Promise<string[]> => {
          const { status, stdout, stderr } = await run([...inside, ...command]);
          assert.equal(status, 0, stderr);
          return stdout.trim().split("\n");
        };
        const native = await told(words);
        const here = native.find((line) => line.startsWith("recvmsg v0 "));
        assert.equal(here, "recvmsg v0 02:00:00:00:00:01");
        const ours = await told([engine, `--policy=${policy}`, "--package=/", ...words]);
        const expected = native.map((line) =>
          [...ways, "permanent"].some((way) => line.startsWith(`${way} v`))
            ? line.replace(/[^ ]*$/, mac)
            : line.replace(/^(last [^ ]*) .*/, "$1 refused"),
        );
        assert.deepEqual(ours, expected, `${linking} ${raw}`);
        assert.ok(native.includes("last v0 02:00:00:00:00:01"));
        for (const way of ways) assert.ok(ours.includes(`${way} v0 ${mac}`), way);
        assert.ok(ours.includes("pipe none 01:02:03:04:05:06"));
      }
  });
});

describe("vsyscall", { skip: cannotRun }, () => {
  test("a caller of the old page sees the application's clock", async () => {
    for (const linking of linkings) {
      const program = compile("old", linking);
      for (const flags of [["--vsyscall"], ["--trap=seccomp"]]) {
        const { stdout, status } = await run([engine, "--clock-at=1230768000", ...flags, program]);
        assert.equal(status, 0);
        assert.match(stdout, /^time 12307680\d\d same\ngettimeofday 0 12307680\d\d\ngetcpu 0 known\n$/);
      }
    }
  });
});

function within(value: number | undefined, low: number, high: number): void {
  assert.ok(value !== undefined && value >= low && value <= high, `${value} is not in ${low} .. ${high}`);
}
