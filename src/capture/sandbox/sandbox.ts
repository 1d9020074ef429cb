// The application of a machine, started in namespaces of its own on overlays over the machine's files, so that the source stays
// as it is. Used to capture (under the tracer) and to run the original of a parity test (without).
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import { encodeText } from "../../formats/escape.ts";
import { type EnterMount, joinCall, sandboxCall } from "../../host/enter.ts";
import { type EnterProcess, firstFd, startEnter } from "../../host/enter-process.ts";
import { makeDirectory, readText, writeFileAtomic } from "../../host/files.ts";
import { processAlive, processStartTime } from "../../host/lock.ts";
import { nativePath } from "../../host/native.ts";
import { step } from "../../host/steps.ts";
import type { Machine } from "../../machine/machine.ts";
import { insidePath } from "../../package/container-config.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { compileInitPlan, encodeInitPlan } from "../../package/init-plan.ts";
import { exerciseEnvironment, exerciseInside } from "./exercise.ts";
import { type DataChoice, machineOverlays } from "./overlays.ts";
import { connectedPorts, connectedSockets, listeningPorts } from "./sandbox-sockets.ts";
import type { TracerMode } from "./tracer.ts";

export interface SandboxRequest extends DataChoice {
  machine: Machine;
  /** A work directory of the caller; everything that the application writes lies below it. */
  work: string;
  descriptor: Descriptor;
  /** Services of the descriptor, or one of its programs alone: with its user, its variables and its directory. */
  start: { kind: "services" } | { kind: "program"; name: string };
  network: "own" | "host";
  /** Run under the tracer, in this mode; its records come from `records`. */
  tracer: TracerMode | undefined;
  /** Every system call is told; the tracer is plain then. */
  calls?: boolean;
  /** Beside the tracer the file witness; its records come from `witness`. Only with `tracer`. */
  witness?: boolean;
}

export type OnOutput = (text: string, stream: "stdout" | "stderr") => void;

export interface Sandbox {
  /** On this host: PID 1 of the sandbox. */
  pid: number;
  /** Set where the request asked for the tracer. */
  records: AsyncIterable<Uint8Array> | undefined;
  /** Set where the request asked for the file witness. */
  witness: Readable | undefined;
  exit: Promise<number>;
  /** Whether init has told that everything started; one program: true from the beginning. */
  ready(): boolean;
  /** Ports that listen inside. */
  listening(): Set<number>;
  /** Ports of listeners to which there is, or within the last minute was, a connection. */
  connected(): Set<number>;
  /** Listening sockets of the file system, and abstract ones (a NUL in front), to which somebody has connected, as far as can be seen. */
  connectedSockets(): Set<ByteString>;
  /** Services that run, with the process of each as the tracer sees it. */
  services(): Map<string, number>;
  /** Runs the exercise that was placed, inside, untraced. Returns its status. */
  runExercise(onOutput: OnOutput): Promise<number>;
  /** Asks init to stop: services in reverse order by their own stop commands. */
  stop(): void;
  kill(): void;
  /** What init logged last, for error messages. */
  logTail(): string;
}

export async function startSandbox(request: SandboxRequest): Promise<Sandbox> {
  const { machine, work, descriptor, start } = request;
  const run = join(work, "run");
  makeDirectory(join(run, "log"), 0o755);
  writeFileAtomic(join(run, "init.bin"), encodeInitPlan(compileInitPlan(watchedDescriptor(descriptor))), {
    mode: 0o644,
  });
  const init = start.kind === "services" ? ["/.tranship/init"] : ["/.tranship/init", `@${start.name}`];
  const watchers = watchersOf(request);
  step("start the sandbox");
  const sandbox = startEnter(
    sandboxCall({
      mounts: [...machineOverlays(machine, work, request), ...systemMounts(run, watchers)],
      network: request.network,
      ...(descriptor.identity.hostname === null ? {} : { hostname: descriptor.identity.hostname }),
      command: {
        argv: [...watchers.flatMap((watcher) => watcher.words), ...init],
        cwd: "/",
        clearEnv: true,
        env: insideEnvironment(descriptor, start.kind === "program"),
        keepFds: watchers.map((watcher) => watcher.fd),
      },
    }),
    {
      stdio: start.kind === "program" ? ["inherit", 2, 2] : ["ignore", "ignore", 2],
      fds: [...watchers].sort((a, b) => a.fd - b.fd).map(() => "pipe"),
    },
  );
  const { pid } = await sandbox.ready.catch(async (cause: unknown) => {
    await sandbox.exit.catch(() => {});
    throw new TranshipError(
      "E_CAPTURE_FAILED",
      `cannot set up the sandbox for ${machine.address}: ${(cause as Error).message}`,
      {
        // Of /proc/PID/root the kernel makes no lower directory: its mounts are those of another namespace.
        hint: machine.root?.startsWith("/proc/")
          ? "a root of other mounts can be read, not laid under an overlay: use `capture process --pid`"
          : "namespaces and overlays need root; `tranship doctor` checks this host",
        cause,
      },
    );
  });
  step("the sandbox runs");
  return control(request, sandbox, pid, run);
}

interface Watcher {
  name: "trace" | "witness";
  /** The descriptor that it writes its records to. */
  fd: number;
  words: string[];
}

/** Outermost first: the file witness starts the tracer, so that it sees the tracer's whole life. */
function watchersOf(request: SandboxRequest): Watcher[] {
  if (request.tracer === undefined) return [];
  const watcher = (name: Watcher["name"], fd: number, ...flags: string[]): Watcher => {
    return { name, fd, words: [`/.tranship/${name}`, "--fd", String(fd), ...flags, "--"] };
  };
  // For tests: the ways round what older kernels lack.
  const lacking = process.env.TRANSHIP_TRACER_WITHOUT ?? "";
  const without = lacking === "" ? [] : ["--without", lacking];
  const calls = request.calls === true ? ["--calls"] : [];
  const tracer = watcher("trace", firstFd, "--mode", request.tracer, ...calls, ...without);
  return request.witness ? [watcher("witness", firstFd + 1, "--optional"), tracer] : [tracer];
}

function control(request: SandboxRequest, sandbox: EnterProcess, pid: number, run: string): Sandbox {
  const streams = sandbox.child.stdio as readonly unknown[];
  const streamOf = (name: Watcher["name"]): Readable | undefined => {
    const fd = watchersOf(request).find((watcher) => watcher.name === name)?.fd;
    return fd === undefined ? undefined : ((streams[fd] ?? undefined) as Readable | undefined);
  };
  const start = processStartTime(pid) ?? "";
  return {
    pid,
    records: streamOf("trace"),
    witness: streamOf("witness"),
    // PID 1 goes last: then nothing of the sandbox writes any more, also where enter itself was killed.
    exit: sandbox.exit.finally(async () => {
      while (start !== "" && processAlive(pid, start)) await sleep(5);
    }),
    ready: () => request.start.kind === "program" || initReady(run),
    listening: () => listeningPorts(pid),
    connected: () => connectedPorts(pid),
    connectedSockets: () => connectedSockets(pid),
    services: () => servicesOf(readText(join(run, "state.json")) ?? ""),
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

function systemMounts(run: string, watchers: readonly Watcher[]): EnterMount[] {
  return [
    { kind: "proc", target: "/proc" },
    { kind: "dev", target: "/dev" },
    { kind: "sys", target: "/sys" },
    { kind: "dir", target: "/.tranship", mode: 0o755 },
    { kind: "bind", source: encodeText(nativePath("init")), target: "/.tranship/init", readOnly: true },
    ...watchers.map(({ name }) => ({
      kind: "bind" as const,
      source: encodeText(nativePath(name)),
      target: `/.tranship/${name}`,
      readOnly: true,
    })),
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

/** What runs while it is watched: on the machine's own data, and a program that fails is told of at once, not tried again. */
export function watchedDescriptor(descriptor: Descriptor): Descriptor {
  const services = descriptor.services.map(({ restart: _, ...service }) => service);
  return { ...descriptor, services, secrets: [], volumes: [] };
}

/** Of what init wrote: the process of each service that runs. */
export function servicesOf(state: string): Map<string, number> {
  try {
    const { services } = JSON.parse(state) as { services?: { name?: unknown; pid?: unknown }[] };
    const running = (services ?? []).flatMap(({ name, pid }) =>
      typeof name === "string" && typeof pid === "number" ? [[name, pid] as const] : [],
    );
    return new Map(running);
  } catch {
    return new Map();
  }
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
