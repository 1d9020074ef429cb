// The kernel's own judges: tests of calls from the Linux Test Project, each natively and in the engine, by the same user; its directory is a redirected one there. A test has
// to end with the same verdicts. Not committed: TRANSHIP_LTP names a tree of it whose library and testcases/kernel/syscalls are built (`make autotools`, `./configure`, `make`).
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { makeTable } from "../../src/redirect/rules.ts";
import { all, cannotRun, engine, place } from "../support/engine.ts";
import { aRule, enginePolicy } from "../support/engine-policy.ts";
import { differing, groups, tooMuch } from "../support/ltp-list.ts";

const tree = process.env.TRANSHIP_LTP ?? "";
/** A part of their names, to run a few alone. */
const only = process.env.TRANSHIP_LTP_ONLY ?? "";
const root = process.getuid?.() === 0;
const whyNot =
  tree === ""
    ? "TRANSHIP_LTP names no built tree of the Linux Test Project"
    : !existsSync(join(tree, "runtest/syscalls"))
      ? `${tree} has no runtest/syscalls`
      : root
        ? false
        : "needs root, as most of these tests do";

const killed = 137;

interface Verdicts {
  status: number;
  /** How many passes, failures, broken ones, and those that do not apply; and the lines of what failed. */
  counts: string;
  told: string;
}

const installed = join(place, "ltp");
const bin = join(installed, "testcases/bin");
const policy = join(place, "ltp.bin");

/** Their programs in one directory, as an installed tree has them. */
function gather(directory: string): void {
  for (const one of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, one.name);
    if (one.isDirectory()) gather(path);
    else if (one.isFile() && (statSync(path).mode & 0o100) !== 0 && !existsSync(join(bin, one.name)))
      symlinkSync(path, join(bin, one.name));
  }
}

function listed(): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of readFileSync(join(tree, "runtest/syscalls"), "utf8").split("\n")) {
    const [, name, command] = /^(\w\S*)\s+(.*\S)/.exec(line) ?? [];
    if (name === undefined || command === undefined) continue;
    const program = command.split(/\s+/)[0] ?? "";
    const group = groups.find((one) => existsSync(join(tree, "testcases/kernel/syscalls", one, program)));
    if (group !== undefined && name.includes(only) && !tooMuch.includes(name)) found.set(name, command);
  }
  return found;
}

/** In namespaces of processes, mounts, names and messages: some of these tests change what belongs to all. */
async function judged(name: string, command: string, way: "native" | "engine"): Promise<Verdicts> {
  const real = join(place, `${way}-${name}`);
  rmSync(real, { recursive: true, force: true });
  mkdirSync(real);
  chmodSync(real, 0o777);
  const work = way === "native" ? real : `/ltp-redirected/${way}-${name}`;
  const words = way === "native" ? [] : [engine, `--policy=${policy}`, `--package=${place}`];
  const env = {
    ...{
      PATH: `${bin}:${process.env.PATH}`,
      HOME: "/root",
      LANG: "C",
      LTPROOT: installed,
      TMPDIR: work,
      TMP: work,
    },
    ...{
      LTP_SINGLE_FS_TYPE: "tmpfs",
      LTP_TIMEOUT_MUL: "3",
      LTP_COLORIZE_OUTPUT: "n",
      KCONFIG_SKIP_CHECK: "1",
    },
  };
  const apart = [
    ...["unshare", "--pid", "--fork", "--mount-proc", "--mount", "--uts", "--ipc", "--kill-child"],
    // Nor may they change the clock, modules, or settings of this machine.
    ...["setpriv", "--bounding-set=-sys_time,-sys_boot,-sys_module,-sys_rawio", "/bin/sh", "-c"],
    'mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec "$@"',
    "sh",
  ];
  // Not as the first process of its namespace: they ask whether their parent is 1.
  const shell = [...words, "/bin/sh", "-c", `cd "$TMPDIR" || exit 1; ${command}; exit $?`];
  // What walks each path takes longer where each of tens of thousands of calls has one.
  const seconds = way === "native" ? 30 : 120;
  const status = await ended(["-s", "KILL", String(seconds), ...apart, ...shell], env, `${real}.told`);
  const told = readFileSync(`${real}.told`, "latin1");
  const counts = ["TPASS", "TFAIL", "TBROK", "TCONF"].map((word) => told.split(`${word}`).length - 1);
  rmSync(real, { recursive: true, force: true });
  return { status, counts: counts.join("/"), told };
}

/** Its output goes to a file: what a killed test leaves may hold a pipe open for long. */
function ended(words: readonly string[], env: NodeJS.ProcessEnv, told: string): Promise<number> {
  const fd = openSync(told, "w");
  const child = spawn("timeout", words, { cwd: place, env, stdio: ["ignore", fd, fd] });
  closeSync(fd);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? killed));
  });
}

function isSame(a: Verdicts, b: Verdicts): boolean {
  return a.status === b.status;
}

describe("tests of calls from the Linux Test Project", {
  skip: cannotRun || whyNot,
  timeout: 5_400_000,
}, () => {
  test("end as they do natively", async () => {
    chmodSync(place, 0o755); // others than root come there too
    mkdirSync(bin, { recursive: true });
    gather(join(tree, "testcases/kernel/syscalls"));
    gather(join(tree, "testcases/lib"));
    const rule = { from: "/ltp-redirected", to: "/", match: "folder", mode: "full" } as const;
    writeFileSync(policy, encodePolicy(enginePolicy({ files: makeTable([aRule(rule, 0)]) })));
    const tests = listed();
    assert.ok(only !== "" || tests.size > 700, `${tests.size} tests are built`);
    const wrong: string[] = [];
    const ends = new Map<string, number>();
    await all([...tests], 3, async ([name, command]) => {
      let native = await judged(name, command, "native");
      if (native.status === killed) {
        ends.set("take too long natively", (ends.get("take too long natively") ?? 0) + 1);
        return;
      }
      let ours = await judged(name, command, "engine");
      // Some depend on the load of the machine.
      for (let again = 0; again < 2 && !isSame(native, ours); again++)
        [native, ours] = [await judged(name, command, "native"), await judged(name, command, "engine")];
      const verdict = { 0: "passed", 32: "does not apply" }[native.status] ?? "failed";
      const known = differing[name];
      const key = isSame(native, ours)
        ? `${verdict} both times`
        : known === undefined
          ? "differ"
          : "differ as documented";
      ends.set(key, (ends.get(key) ?? 0) + 1);
      if (key !== "differ") return;
      wrong.push(name);
      console.log(
        `# ${name}: ${native.status} natively (${native.counts}), ${ours.status} in the engine (${ours.counts})`,
      );
      const lines = ours.told.split("\n").filter((line) => /TFAIL|TBROK|TWARN|FAIL|BROK/.test(line));
      for (const line of lines.slice(0, 3)) console.log(`#   ${line}`);
    });
    console.log(`# ${tests.size} tests: ${[...ends].map(([key, n]) => `${n} ${key}`).join(", ")}`);
    const commit = spawnSync("git", ["-C", tree, "rev-parse", "HEAD"], { encoding: "utf8" });
    console.log(`# LTP ${readFileSync(join(tree, "VERSION"), "utf8").trim()} ${commit.stdout.trim()}`);
    assert.deepEqual(wrong.sort(), []);
  });
});
