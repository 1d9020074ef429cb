// Checks this host and the state root: each line ok, warn or fail, with what to do. Exit status 1 when something fails.
import { readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { exitStatus } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { cgroupMode } from "../../host/cgroup.ts";
import { sandboxCall } from "../../host/enter.ts";
import { startEnter } from "../../host/enter-process.ts";
import { nativePath } from "../../host/native.ts";
import { onPath } from "../../host/on-path.ts";
import { run as runProgram } from "../../host/process.ts";
import { rootlessNeeds } from "../../host/rootless/needs.ts";
import { makeWorkDirectory, repairWork } from "../../host/work.ts";
import { chooseEngine } from "../../runtime/inprocess/choose.ts";
import { landlockAbi } from "../../runtime/inprocess/landlock.ts";
import type { Context } from "../context.ts";
import { printRows } from "../format.ts";
import { type Call, text } from "../verb.ts";

interface Check {
  name: string;
  state: "ok" | "warn" | "fail";
  found: string;
  /** What to do where it is not ok. */
  remedy: string;
}

export async function run(call: Call, context: Context): Promise<number> {
  const checks = [
    ...platform(),
    ...(await natives()),
    ...tools(),
    ...kernel(),
    ...(await namespaces(context)),
    ...(await inProcess()),
    ...rootless(),
    ...storage(context),
    repaired(context),
  ];
  const format = text(call.options, "format");
  if (format !== undefined && format !== "table") context.print(printRows(checks, format));
  else {
    const width = Math.max(...checks.map((check) => check.name.length));
    for (const check of checks) {
      context.print(`${check.state.padEnd(5)}${check.name.padEnd(width + 2)}${check.found}`);
      if (check.state !== "ok") context.print(`     ${" ".repeat(width + 2)}${check.remedy}`);
    }
  }
  return checks.some((check) => check.state === "fail") ? exitStatus.failed : exitStatus.done;
}

function platform(): Check[] {
  const major = Number(process.versions.node.split(".")[0]);
  const supported = process.arch === "x64";
  return [
    {
      name: "node",
      state: major >= 24 ? "ok" : "fail",
      found: process.version,
      remedy: "install Node.js 24 (scripts/setup brings it)",
    },
    {
      name: "architecture",
      state: supported ? "ok" : "warn",
      found: process.arch,
      remedy: "the tracer is made for x86-64; packages run elsewhere, captures do not",
    },
    {
      name: "user",
      state: process.getuid?.() === 0 ? "ok" : "warn",
      found: process.getuid?.() === 0 ? "root" : `uid ${process.getuid?.()}`,
      remedy: "capture, test and verify need root; instances run without: see the lines rootless",
    },
    { name: "kernel", state: "ok", found: release(), remedy: "" },
  ];
}

async function natives(): Promise<Check[]> {
  const checks: Check[] = [];
  for (const name of ["tree", "trace", "witness", "enter", "init"] as const) {
    try {
      checks.push({
        name: `native ${name}`,
        state: "ok",
        found: formatSize(statSync(nativePath(name)).size),
        remedy: "",
      });
    } catch {
      checks.push({
        name: `native ${name}`,
        state: "fail",
        found: "not built",
        remedy: "run scripts/setup, or `make -C native`",
      });
    }
  }
  return checks;
}

function tools(): Check[] {
  const runtime = onPath("crun") ?? onPath("runc");
  const checks: Check[] = [
    {
      name: "OCI runtime",
      state: runtime === undefined ? "fail" : "ok",
      found: runtime ?? "neither crun nor runc",
      remedy: "apt-get install crun",
    },
  ];
  const nft = onPath("nft");
  checks.push({
    name: "nft",
    state: nft === undefined ? "fail" : "ok",
    found: nft ?? "not installed",
    remedy: "needed for the network of instances: run scripts/setup",
  });
  return checks;
}

function kernel(): Check[] {
  const filesystems = readFileSync("/proc/filesystems", "latin1");
  const overlay = /\boverlay$/m.test(filesystems);
  const actions = readIf("/proc/sys/kernel/seccomp/actions_avail");
  const cgroups = cgroupMode();
  return [
    {
      name: "overlayfs",
      state: overlay ? "ok" : "fail",
      found: overlay ? "in the kernel" : "not in /proc/filesystems",
      remedy: "modprobe overlay",
    },
    {
      name: "seccomp",
      state: actions.includes("trace") ? "ok" : "warn",
      found: actions === "" ? "no actions_avail" : actions,
      remedy: "without RET_TRACE the tracer uses its slow mode",
    },
    {
      name: "cgroups",
      state: cgroups.kind === "none" ? "warn" : "ok",
      found: `${cgroups.kind} (${[...cgroups.controllers].join(" ")})`,
      remedy: "without cgroups limits are refused",
    },
    {
      name: "user namespaces",
      state: "ok",
      found: readIf("/proc/sys/user/max_user_namespaces") || "unknown",
      remedy: "",
    },
  ];
}

/** What an ordinary user's instances need; root's do not. */
function rootless(): Check[] {
  if (process.getuid?.() === 0) return [];
  return rootlessNeeds().map((need) => ({ ...need, name: `rootless: ${need.name}` }));
}

function readIf(path: string): string {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return "";
  }
}

/** The real thing: a program on an overlay in namespaces of its own. */
async function namespaces(context: Context): Promise<Check[]> {
  const name = "sandbox";
  if (process.getuid?.() !== 0)
    return [{ name, state: "warn", found: "not tried without root", remedy: "run doctor as root" }];
  try {
    const work = makeWorkDirectory(context.root, "doctor");
    try {
      const upper = join(work.path, "upper");
      const scratch = join(work.path, "scratch");
      const lower = join(work.path, "lower");
      await runProgram("mkdir", [upper, scratch, lower]);
      const started = startEnter(
        sandboxCall({
          mounts: [
            { kind: "overlay", target: "/", lowers: [lower], upper: { dir: upper, work: scratch } },
            { kind: "proc", target: "/proc" },
            { kind: "bind", source: nativePath("init"), target: "/init", readOnly: true },
          ],
          network: "own",
          command: { argv: ["/init", "--version"], clearEnv: true },
        }),
        { stdio: ["ignore", "ignore", "ignore"] },
      );
      await started.ready;
      const status = await started.exit;
      if (status === 0)
        return [
          { name, state: "ok", found: "a program ran on an overlay in its own namespaces", remedy: "" },
        ];
      return [
        {
          name,
          state: "fail",
          found: `the program ended with status ${status}`,
          remedy: "see with --log-level debug",
        },
      ];
    } finally {
      work.remove();
    }
  } catch (error) {
    return [
      {
        name,
        state: "fail",
        found: (error as Error).message,
        remedy: "root with CAP_SYS_ADMIN and a kernel with namespaces and overlayfs are needed",
      },
    ];
  }
}

/** The real thing again: a program under the in-process engine, by each way in which calls can be caught. */
async function inProcess(): Promise<Check[]> {
  if (process.arch !== "x64") return [];
  const ways = [
    ["dispatch", "Syscall User Dispatch", "needs Linux 5.11; without it seccomp is used"],
    ["seccomp", "seccomp filter", "needs CONFIG_SECCOMP_FILTER and a sandbox that lets filters be added"],
  ] as const;
  const checks: Check[] = [];
  for (const [way, what, remedy] of ways) {
    const name = `engine inprocess: ${way}`;
    const wrong = await engineFails(way);
    const found = wrong === undefined ? `a program ran, caught by ${what}` : `${what}: ${wrong}`;
    checks.push({ name, state: wrong === undefined ? "ok" : "warn", found, remedy });
  }
  checks.push(await landlock());
  const written = await writtenCode();
  if (written !== undefined) checks.push(written);
  const { engine, reason } = chooseEngine();
  return [...checks, { name: "run --engine auto", state: "ok", found: `${engine}: ${reason}`, remedy: "" }];
}

async function landlock(): Promise<Check> {
  const abi = await landlockAbi();
  return {
    name: "engine inprocess: Landlock",
    state: abi > 0 ? "ok" : "warn",
    found: abi > 0 ? `version ${abi}` : "not in this kernel",
    remedy: "`run --confine` needs Linux 5.13 and landlock among the security modules (lsm= at boot)",
  };
}

/** What the engine does without where this host forbids code that was written; undefined where it could not be asked. */
async function writtenCode(): Promise<Check | undefined> {
  try {
    const { status, stdout } = await runProgram(nativePath("engine"), ["--probe", nativePath("init")]);
    const told = new TextDecoder().decode(stdout);
    if (status !== 0) return undefined;
    const without = [
      ...(told.includes("calls: traps") ? ["each call traps (about 3 microseconds)"] : []),
      ...(told.includes("clock: calls") ? ["the clock is read by calls"] : []),
    ];
    return {
      name: "engine inprocess: code",
      state: without.length === 0 ? "ok" : "warn",
      found: without.length === 0 ? "may be written" : `must not be written: ${without.join(", ")}`,
      remedy: "programs run right but slower; SELinux (execmem), PR_SET_MDWE or PaX forbid it",
    };
  } catch {
    return undefined; // told above
  }
}

/** Why not; undefined where it works. */
async function engineFails(way: string): Promise<string | undefined> {
  try {
    const command = [`--trap=${way}`, nativePath("init"), "--version"];
    const { status, stderr } = await runProgram(nativePath("engine"), command);
    return status === 0 ? undefined : stderr.trim() || `status ${status}`;
  } catch (error) {
    return (error as Error).message;
  }
}

function storage(context: Context): Check[] {
  const stats = statfsSync(context.root.path);
  const free = stats.bavail * stats.bsize;
  const low = free < 2 * 2 ** 30;
  const journal = readdirSync(context.root.journal).length;
  return [
    { name: "state root", state: "ok", found: context.root.path, remedy: "" },
    {
      name: "free space",
      state: low ? "warn" : "ok",
      found: formatSize(free),
      remedy: "a capture needs room for layers and data; choose another file system with --root",
    },
    { name: "journal", state: "ok", found: `${journal} changes of this host are in force`, remedy: "" },
  ];
}

function repaired(context: Context): Check {
  const removed = repairWork(context.root, context.log);
  const found =
    removed.length === 0
      ? "nothing left behind by commands that ended early"
      : `removed the work of ${removed.length} commands that ended early`;
  return { name: "repair", state: "ok", found, remedy: "" };
}
