// The application of a machine, started in namespaces of its own on overlays over the machine's files, so that the source stays
// as it is. Used to capture (under the tracer) and to run the original of a parity test (without).
import { chmodSync, chownSync, copyFileSync, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";
import { encodeText } from "../formats/escape.ts";
import type { MountInfo } from "../formats/mountinfo.ts";
import { type EnterMount, joinCall, sandboxCall } from "../host/enter.ts";
import { type EnterProcess, firstFd, startEnter } from "../host/enter-process.ts";
import { errnoOf, ioError, makeDirectory, readText, writeFileAtomic } from "../host/files.ts";
import { processAlive, processStartTime } from "../host/lock.ts";
import { mountsBelow } from "../host/mountinfo.ts";
import { nativePath } from "../host/native.ts";
import { step } from "../host/steps.ts";
import type { Machine } from "../machine/machine.ts";
import type { Descriptor } from "../package/descriptor.ts";
import { compileInitPlan, encodeInitPlan } from "../package/init-plan.ts";

export interface SandboxRequest {
  machine: Machine;
  /** A work directory of the caller; everything that the application writes lies below it. */
  work: string;
  descriptor: Descriptor;
  /** Services of the descriptor, or one of its programs alone: with its user, its variables and its directory. */
  start: { kind: "services" } | { kind: "program"; name: string };
  network: "own" | "host";
  /** Run under the tracer; its records come from `records`. */
  trace: boolean;
  /** Overlays below these paths start empty: the source's content is not shown. */
  emptyData?: readonly string[];
  /** A copy to start data directories from: path inside -> directory of this host. */
  snapshots?: Readonly<Record<string, string>>;
}

export type OnOutput = (text: string, stream: "stdout" | "stderr") => void;

export interface Sandbox {
  /** On this host: PID 1 of the sandbox. */
  pid: number;
  /** Set where the request asked for the tracer. */
  records: Readable | undefined;
  exit: Promise<number>;
  /** Whether init has told that everything started; one program: true from the beginning. */
  ready(): boolean;
  /** Ports that listen inside. */
  listening(): Set<number>;
  /** Runs the exercise that was placed, inside, untraced. Returns its status. */
  runExercise(onOutput: OnOutput): Promise<number>;
  /** Asks init to stop: services in reverse order by their own stop commands. */
  stop(): void;
  kill(): void;
  /** What init logged last, for error messages. */
  logTail(): string;
}

export const insidePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Where the exercise is inside, and what it is told. */
export const exerciseInside = "/.tranship/run/exercise";
export const exerciseEnvironment = { TRANSHIP_RESULTS: "/.tranship/run/results", TRANSHIP_HOST: "127.0.0.1" };

/**
 * Puts an executable of this host where startSandbox() shows it inside, with a directory for its results. Returns the directory that
 * becomes /.tranship/run.
 */
export function placeExercise(work: string, script: string | undefined): string {
  const run = join(work, "run");
  makeDirectory(run, 0o755);
  if (script === undefined) return run;
  checkExercise(script);
  try {
    copyFileSync(script, join(run, "exercise"));
    chmodSync(join(run, "exercise"), 0o755);
    makeDirectory(join(run, "results"));
    chmodSync(join(run, "results"), 0o1777);
  } catch (cause) {
    throw ioError(`cannot copy the exercise ${script} to ${run}`, cause);
  }
  return run;
}

/** E_USAGE where the file cannot be an exercise: told before anything is started. */
export function checkExercise(script: string): void {
  const problem = exerciseProblem(script);
  if (problem === undefined) return;
  throw new TranshipError("E_USAGE", `cannot use the exercise ${script}: ${problem}`, {
    hint: "--exercise takes an executable file of this host",
  });
}

function exerciseProblem(script: string): string | undefined {
  try {
    const stats = statSync(script);
    if (!stats.isFile()) return "it is not a file";
    return (stats.mode & 0o111) === 0 ? "it is not executable" : undefined;
  } catch (cause) {
    return errnoOf(cause) === "ENOENT" ? "there is no such file" : (cause as Error).message;
  }
}

export function resultsDirectory(run: string): string {
  return join(run, "results");
}

export async function startSandbox(request: SandboxRequest): Promise<Sandbox> {
  const { machine, work, descriptor, start } = request;
  const run = join(work, "run");
  makeDirectory(join(run, "log"), 0o755);
  writeFileAtomic(
    join(run, "init.bin"),
    encodeInitPlan(compileInitPlan({ ...descriptor, secrets: [], volumes: [] })),
    { mode: 0o644 },
  );
  const init = start.kind === "services" ? ["/.tranship/init"] : ["/.tranship/init", `@${start.name}`];
  step("start the sandbox");
  const sandbox = startEnter(
    sandboxCall({
      mounts: [...overlays(machine, work, request), ...systemMounts(run, request.trace)],
      network: request.network,
      ...(descriptor.identity.hostname === null ? {} : { hostname: descriptor.identity.hostname }),
      command: {
        argv: request.trace ? ["/.tranship/trace", "--fd", String(firstFd), "--", ...init] : init,
        cwd: "/",
        clearEnv: true,
        env: insideEnvironment(descriptor, start.kind === "program"),
        ...(request.trace ? { keepFds: [firstFd] } : {}),
      },
    }),
    {
      stdio: start.kind === "program" ? ["inherit", 2, 2] : ["ignore", "ignore", 2],
      fds: request.trace ? ["pipe"] : [],
    },
  );
  const { pid } = await sandbox.ready.catch(async (cause: unknown) => {
    await sandbox.exit.catch(() => {});
    throw new TranshipError(
      "E_CAPTURE_FAILED",
      `cannot set up the sandbox for ${machine.address}: ${(cause as Error).message}`,
      {
        hint: "namespaces and overlays need root; `tranship doctor` checks this host",
        cause,
      },
    );
  });
  step("the sandbox runs");
  return control(request, sandbox, pid, run);
}

function control(request: SandboxRequest, sandbox: EnterProcess, pid: number, run: string): Sandbox {
  const records = request.trace
    ? ((sandbox.child.stdio as readonly unknown[])[firstFd] as Readable | null)
    : undefined;
  const start = processStartTime(pid) ?? "";
  return {
    pid,
    records: records ?? undefined,
    // PID 1 goes last: then nothing of the sandbox writes any more, also where enter itself was killed.
    exit: sandbox.exit.finally(async () => {
      while (start !== "" && processAlive(pid, start)) await sleep(5);
    }),
    ready: () => request.start.kind === "program" || initReady(run),
    listening: () => listeningPorts(pid),
    runExercise: (onOutput) =>
      runInside(pid, onOutput, { ...insideEnvironment(request.descriptor, true), ...exerciseEnvironment }),
    stop: () => signalInit(pid, "SIGTERM"),
    kill: () => {
      sandbox.child.kill("SIGKILL");
    },
    logTail: () => logTail(join(run, "log/all.log")),
  };
}

function insideEnvironment(descriptor: Descriptor, direct: boolean): Record<string, string> {
  return {
    PATH: insidePath,
    HOME: "/root",
    ...Object.fromEntries(
      Object.entries(descriptor.environment).map(([key, value]) => [key, encodeText(value)]),
    ),
    // A single command speaks on our own descriptors; services are logged by init.
    ...(direct ? { TRANSHIP_STDIO: "inherit" } : {}),
  };
}

/** Kernel file systems are mounted anew; showing the host's own through an overlay would be wrong or refused. */
const kernelFileSystems = new Set([
  "proc", "sysfs", "cgroup", "cgroup2", "devtmpfs", "devpts", "mqueue", "debugfs", "tracefs", "securityfs", "pstore", "bpf",
  "configfs", "fusectl", "autofs", "binfmt_misc", "rpc_pipefs", "nsfs", "hugetlbfs", "efivarfs",
]); // biome-ignore format: a list

/** One overlay for each file system of the machine: an overlay of "/" shows nothing of what is mounted below it. */
export function sourceOverlays(machine: Machine, work: string): EnterMount[] {
  const root = machine.root === "/" ? "" : machine.root;
  const below = mountsBelow(encodeText(machine.root)).filter(
    (mount) => mount.target !== encodeText(machine.root) && isData(mount, root),
  );
  const targets = [
    { lower: encodeText(machine.root), target: "/" },
    ...below.map((mount) => ({ lower: mount.target, target: mount.target.slice(encodeText(root).length) })),
  ];
  return targets.map(({ lower, target }, index) =>
    overlay(lower, target, join(work, `layer-${index}`), workInside(machine, work)),
  );
}

function overlays(machine: Machine, work: string, request: SandboxRequest): EnterMount[] {
  const mounts = sourceOverlays(machine, work);
  for (const path of request.emptyData ?? [])
    mounts.push(freshData(machine, path, undefined, join(work, `data-${mounts.length}`)));
  for (const [path, from] of Object.entries(request.snapshots ?? {}))
    mounts.push(freshData(machine, path, from, join(work, `data-${mounts.length}`)));
  return mounts;
}

function isData(mount: MountInfo, root: string): boolean {
  const target = mount.target.slice(encodeText(root).length);
  return (
    !kernelFileSystems.has(mount.fstype) &&
    !/^\/(proc|sys|dev)(\/|$)/.test(target) &&
    isDirectory(mount.target)
  );
}

function isDirectory(path: string): boolean {
  try {
    return statSync(Buffer.from(path, "latin1")).isDirectory();
  } catch {
    return false;
  }
}

/** The kernel refuses an upper directory inside its own lower one; then what is written is held in memory. */
function workInside(machine: Machine, work: string): boolean {
  return machine.root === "/" || `${work}/`.startsWith(`${machine.root}/`);
}

function overlay(lower: string, target: string, layer: string, inMemory: boolean): EnterMount {
  if (inMemory) return { kind: "overlay", target, lowers: [lower], upper: "scratch" };
  makeDirectory(join(layer, "upper"), 0o755);
  makeDirectory(join(layer, "work"), 0o755);
  asOwned(join(layer, "upper"), lower);
  return {
    kind: "overlay",
    target,
    lowers: [lower],
    upper: { dir: encodeText(join(layer, "upper")), work: encodeText(join(layer, "work")) },
    volatile: true,
  };
}

/** The root directory of an overlay is its upper one: it must have the owner and mode of what it stands for. */
function asOwned(directory: string, like: ByteString): void {
  const { mode, uid, gid } = statSync(Buffer.from(like, "latin1"));
  chmodSync(directory, mode & 0o7777);
  chownSync(directory, uid, gid);
}

/** A data directory with other content than the source's: a snapshot, itself protected by an overlay, or nothing. */
function freshData(machine: Machine, path: string, from: string | undefined, layer: string): EnterMount {
  const lower = from ?? join(layer, "empty");
  if (from === undefined) {
    makeDirectory(lower, 0o755);
    asOwned(lower, encodeText(join(machine.root, path)));
  }
  return overlay(encodeText(lower), encodeText(path), layer, false);
}

function systemMounts(run: string, trace: boolean): EnterMount[] {
  return [
    { kind: "proc", target: "/proc" },
    { kind: "dev", target: "/dev" },
    { kind: "sys", target: "/sys" },
    { kind: "dir", target: "/.tranship", mode: 0o755 },
    { kind: "bind", source: encodeText(nativePath("init")), target: "/.tranship/init", readOnly: true },
    ...(trace
      ? [
          {
            kind: "bind" as const,
            source: encodeText(nativePath("trace")),
            target: "/.tranship/trace",
            readOnly: true,
          },
        ]
      : []),
    { kind: "bind", source: encodeText(run), target: "/.tranship/run" },
  ];
}

function initReady(run: string): boolean {
  const text = readText(join(run, "state.json"));
  if (text === undefined) return false;
  try {
    return (JSON.parse(text) as { ready?: unknown }).ready === true;
  } catch {
    return false;
  }
}

/** Ports in state LISTEN (0A), seen through the network namespace of a process. */
export function listeningPorts(pid: number): Set<number> {
  const ports = new Set<number>();
  for (const table of ["tcp", "tcp6"]) {
    const path = `/proc/${pid}/net/${table}`;
    if (!existsSync(path)) continue;
    for (const line of readFileSync(path, "latin1").split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] === "0A") ports.add(Number.parseInt(fields[1]?.split(":")[1] ?? "", 16));
    }
  }
  return ports;
}

async function runInside(pid: number, onOutput: OnOutput, env: Record<string, string>): Promise<number> {
  const joined = startEnter(
    joinCall({ pid, command: { argv: [exerciseInside], cwd: "/", clearEnv: true, env } }),
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  joined.child.stdout?.setEncoding("utf8").on("data", (text: string) => onOutput(text, "stdout"));
  joined.child.stderr?.setEncoding("utf8").on("data", (text: string) => onOutput(text, "stderr"));
  return await joined.exit;
}

/** init is the first process below PID 1 whose program it is; with the tracer between them. */
function signalInit(pid: number, signal: NodeJS.Signals): void {
  for (let level: number[] = childrenOf(pid); level.length > 0; level = level.flatMap(childrenOf)) {
    const init = level.find((candidate) => commandOf(candidate).startsWith("/.tranship/init"));
    if (init === undefined) continue;
    try {
      process.kill(init, signal);
    } catch {
      // ended by itself in the meantime
    }
    return;
  }
}

function childrenOf(pid: number): number[] {
  const text = readText(`/proc/${pid}/task/${pid}/children`) ?? "";
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map(Number);
}

function commandOf(pid: number): string {
  return readText(`/proc/${pid}/cmdline`) ?? "";
}

function logTail(path: string): string {
  const lines = (readText(path) ?? "").trim().split("\n").slice(-12);
  return lines
    .map((line) => {
      try {
        const { log, service } = JSON.parse(line) as { log?: string; service?: string };
        return `${service ?? ""}: ${(log ?? "").trimEnd()}`;
      } catch {
        return "";
      }
    })
    .filter((line) => line !== "")
    .join("\n");
}
