// The package of a parity test: an instance of its own, and the exercise beside it.
//
// The exercise needs its tools (a shell, an HTTP client), which the package need not hold. With an original, it runs on the
// original's root file system, but in the instance's network and IPC namespaces and with the instance's /run, so that
// ports and sockets are the package's. Without one it runs inside the instance.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import { formatDuration } from "../base/units.ts";
import { pathText } from "../capture/application/descriptor-text.ts";
import {
  exerciseEnvironment,
  exerciseInside,
  placeExercise,
  resultsDirectory,
} from "../capture/sandbox/exercise.ts";
import { sourceOverlays } from "../capture/sandbox/overlays.ts";
import { listeningPorts } from "../capture/sandbox/sandbox-sockets.ts";
import { encodeText } from "../formats/escape.ts";
import { joinCall, sandboxCall } from "../host/enter.ts";
import { startEnter } from "../host/enter-process.ts";
import { readJsonBelow } from "../host/untrusted.ts";
import { hostRoot, type Machine } from "../machine/machine.ts";
import { insidePath } from "../package/container-config.ts";
import type { Descriptor } from "../package/descriptor.ts";
import { findInstance, type Instance } from "../runtime/find.ts";
import { mainProcess } from "../runtime/processes.ts";
import { trialLabel } from "../runtime/repair.ts";
import { runInstance } from "../runtime/run.ts";
import { statusOf } from "../runtime/state.ts";
import { removeInstance, stopInstance } from "../runtime/stop.ts";
import { volumeData } from "../runtime/volumes/volumes.ts";
import { ExerciseOutput } from "./exercise-output.ts";
import { loggedOutput, logText, mayEnd, watchTime } from "./own-end.ts";
import type { ParityRequest, Side } from "./parity.ts";
import { probePort } from "./probe.ts";
import { collectWritten, readResults } from "./written-files.ts";

export interface PackageRequest extends ParityRequest {
  descriptor: Descriptor;
  work: string;
  /** The original ended by itself. */
  endExpected?: boolean;
}

export async function runPackage(request: PackageRequest): Promise<Side> {
  const { root, reference, log } = request;
  const began = Date.now();
  const record = await runInstance(
    root,
    {
      reference,
      command: [],
      network: "none",
      labels: { [trialLabel]: "test" },
      secrets: Object.entries(await secretsOf(request)).map(([target, source]) => ({ target, source })),
    },
    log,
  );
  try {
    const instance = findInstance(root, record.id);
    const pid = await waitReady(instance, request);
    const side: Side = {
      name: reference,
      status: undefined,
      output: "",
      results: new Map(),
      probes: new Map(),
      written: new Map(),
      startTime: Date.now() - began,
    };
    if (pid === undefined || (mayEnd(request) && (await endsByItself(instance, request)))) {
      side.end = {
        status: statusOf(instance.paths, record.id).exitStatus ?? 255,
        output: loggedOutput(instance.paths.run),
      };
    } else {
      for (const port of request.ports) side.probes.set(port, await probePort(pid, port));
      if (request.exercise !== undefined) await exercise(request, instance, pid, side);
    }
    await stopInstance(root, record.id, {}, log);
    collectWritten(instance.paths.upper, "/", side.written);
    // The empty file over which a secret is mounted is ours.
    for (const secret of request.descriptor.secrets)
      if (secret.delivery === "mount") side.written.delete(secret.path);
    for (const mount of record.mounts) {
      if (mount.kind === "volume")
        collectWritten(volumeData(root, mount.source), mount.target, side.written, began);
    }
    return side;
  } finally {
    await removeInstance(root, record.id, { force: true, volumes: true }, log);
  }
}

/**
 * What was not given is taken from the original: the test is the operator's, who may read it there. Looked up inside the original's root:
 * neither a package's ".." nor an original's link may name a file of this host.
 */
async function secretsOf(request: PackageRequest): Promise<Record<string, string>> {
  const { against } = request;
  const found: Record<string, string> = { ...request.secrets };
  if (against === undefined) return found;
  for (const secret of request.descriptor.secrets) {
    if (secret.delivery !== "mount" || found[secret.path] !== undefined) continue;
    const { entry } = await against.files.resolve(encodeText(secret.path));
    if (entry?.kind === "file") found[secret.path] = join(hostRoot(against), pathText(entry.path));
  }
  return found;
}

/** Its PID 1; undefined where it may end and did. */
async function waitReady(instance: Instance, request: PackageRequest): Promise<number | undefined> {
  const deadline = Date.now() + request.timeout;
  for (;;) {
    const process = mainProcess(instance.paths, instance.record.id);
    const open = process === undefined ? new Set<number>() : listeningPorts(process.pid);
    const missing = request.ports.filter((port) => !open.has(port));
    if (process !== undefined && initReady(instance) && missing.length === 0) return process.pid;
    const { state } = statusOf(instance.paths, instance.record.id);
    if (request.signal.aborted) throw new TranshipError("E_INTERRUPTED", "the test was stopped");
    if (state === "exited" && mayEnd(request)) return undefined;
    if (state === "exited" || Date.now() > deadline) {
      const why =
        state === "exited"
          ? "ended before it was ready"
          : `was not ready after ${formatDuration(request.timeout)}${missing.length > 0 ? `: nothing listens on ${missing.join(", ")}` : ""}`;
      const words = logText(instance.paths.run).trim().split("\n").slice(-8).join("\n    ");
      throw new TranshipError("E_TEST_FAILED", `the package ${why}\n    ${words}`, {
        hint: "run it alone: `tranship run`",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function endsByItself(instance: Instance, request: PackageRequest): Promise<boolean> {
  const deadline = Date.now() + (request.endExpected === true ? request.timeout : watchTime);
  while (statusOf(instance.paths, instance.record.id).state !== "exited") {
    if (request.signal.aborted) throw new TranshipError("E_INTERRUPTED", "the test was stopped");
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

const longestState = 64 << 10;

function initReady({ paths }: Instance): boolean {
  const told = readJsonBelow(longestState, paths.run, "state.json") as { ready?: unknown } | null | undefined;
  return told?.ready === true;
}

/** Runs it, with what it is to do, in `request.work`: a directory of this one call. */
export async function exercise(
  request: PackageRequest,
  instance: Instance,
  pid: number,
  side: Side,
): Promise<void> {
  const { against } = request;
  const work = join(request.work, "package");
  mkdirSync(work, { mode: 0o755 });
  const run = placeExercise(against === undefined ? join(instance.paths.run, "..") : work, request.exercise);
  const env = { PATH: insidePath, HOME: "/root", ...exerciseEnvironment };
  const command = { argv: [exerciseInside], cwd: "/", clearEnv: true, env };
  const call =
    against === undefined
      ? joinCall({ pid, command })
      : sandboxCall({
          mounts: exerciseMounts(against, work, run, pid),
          network: { pid },
          joinIpc: pid,
          joinUts: pid,
          command,
        });
  const started = startEnter(call, { stdio: ["ignore", "pipe", "pipe"] });
  const output = new ExerciseOutput();
  started.child.stdout?.setEncoding("utf8").on("data", (text: string) => output.add("stdout", text));
  started.child.stderr?.setEncoding("utf8").on("data", (text: string) => output.add("stderr", text));
  side.status = await started.exit;
  side.output = output.text();
  side.results = readResults(resultsDirectory(run));
}

function exerciseMounts(machine: Machine, work: string, run: string, pid: number) {
  return [
    ...sourceOverlays(machine, work),
    { kind: "proc" as const, target: "/proc" },
    { kind: "dev" as const, target: "/dev" },
    { kind: "sys" as const, target: "/sys" },
    { kind: "bind-from-pid" as const, pid, source: "/run", target: "/run" },
    { kind: "dir" as const, target: "/.tranship", mode: 0o755 },
    { kind: "bind" as const, source: encodeText(run), target: "/.tranship/run" },
  ];
}
