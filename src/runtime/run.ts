// run, create, start, restart: the ways in which an instance comes to run, and what is done when it has ended.
import { existsSync, rmSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { processAlive } from "../host/lock.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { checkSecrets } from "./bundle.ts";
import { type CreateOptions, createInstance, newLaunch } from "./create.ts";
import { lastWords, lockInstance, releaseHost, removeEnded, removeInstanceFiles, settle } from "./end.ts";
import { findInstance, type Instance, readInstance } from "./find.ts";
import { layerDirectories } from "./image.ts";
import {
  type Launching,
  launchName,
  prepare,
  runDetached,
  runForeground,
  startFailure,
  writeLaunch,
} from "./launch.ts";
import { releaseLater } from "./linger.ts";
import { chooseRuntime } from "./oci/runtime.ts";
import { pause } from "./processes.ts";
import { type EndRecord, type InstanceRecord, instancePaths, type LaunchRecord } from "./record.ts";
import { repairInstances } from "./repair.ts";
import { hasRun, readExit, statusOf } from "./state.ts";
import { emptyTrash } from "./trash.ts";

export interface RunResult {
  record: InstanceRecord;
  /** Foreground: the program's own, 128+n on a signal. Detached: undefined. */
  status: number | undefined;
}

export interface RunOptions extends CreateOptions {
  detached?: boolean;
}

/** Creates and starts. In the foreground it returns at the end. */
export async function runInstance(root: StateRoot, options: RunOptions, log: Log): Promise<RunResult> {
  await repairInstances(root, log, false);
  if (options.autoRemove === true && (options.restart?.policy ?? "no") !== "no") {
    throw new TranshipError("E_USAGE", "--rm and --restart contradict each other", {
      hint: "give one of them",
    });
  }
  const detached = options.detached === true;
  if (detached && options.terminal === true) {
    throw new TranshipError("E_USAGE", "-t cannot be given with -d: nobody would look at that terminal", {
      hint: "leave -t out, and use `tranship exec -it` to get a terminal inside",
    });
  }
  // Chosen first, so that the launch record is written once.
  const runtime = await chooseRuntime(root, log);
  const launch = newLaunch(detached ? "detached" : "foreground", true, runtime.path);
  const created = await createInstance(root, options, log, launch);
  const instance = { paths: instancePaths(root, created.record.id), record: created.record };
  const launching = { root, instance, launch, layers: created.package.layers, log };
  return await start(launching, () => checkSecrets(created.record, created.package));
}

/** Starts a created or exited instance; detached unless attached. */
export async function startInstance(
  root: StateRoot,
  text: string,
  attached: boolean,
  log: Log,
): Promise<RunResult> {
  await repairInstances(root, log);
  const instance = findInstance(root, text);
  const lock = await lockInstance(instance, "start");
  if (lock === undefined) throw gone(text);
  let launching: Launching;
  try {
    const { state } = statusOf(instance.paths, instance.record.id);
    if (state === "running" || state === "starting") {
      throw new TranshipError(
        "E_INSTANCE_STATE",
        `the instance ${instance.record.name} is ${state} already`,
        {
          hint: `stop it first with \`tranship stop ${instance.record.name}\``,
        },
      );
    }
    launching = await relaunch(root, instance, newLaunch(attached ? "foreground" : "detached", false), log);
  } finally {
    lock.release();
  }
  return await start(launching);
}

async function relaunch(
  root: StateRoot,
  instance: Instance,
  launch: LaunchRecord,
  log: Log,
): Promise<Launching> {
  const layers = await layerDirectories(root, instance.record.image.diffIds);
  step("launch record");
  writeLaunch({ instance, launch });
  rmSync(instance.paths.ended, { force: true });
  rmSync(instance.paths.chainEnded, { force: true });
  rmSync(instance.paths.stopAsked, { force: true });
  return { root, instance, launch, layers, log };
}

async function start(launching: Launching, check: () => void = () => {}): Promise<RunResult> {
  const { instance, launch } = launching;
  try {
    check();
    const command = await prepare(launching);
    if (launch.mode === "detached") return await startDetached(launching, command);
    const status = await runForeground(launching, command);
    const words = lastWords(instance);
    const failure = startFailure(instance, status, words);
    const end = await finish(launching, status);
    if (failure !== undefined) throw failure;
    return { record: instance.record, status: end.status ?? status };
  } catch (error) {
    await giveUp(launching, error);
    throw error;
  }
}

/** The end of a foreground instance: what waits for nothing is done later, by another process. */
async function finish({ root, instance, log }: Launching, status: number): Promise<EndRecord> {
  const end = (await removeEnded(root, instance, status)) ?? (await settleLocked(root, instance, status));
  await releaseLater(root, log);
  return end;
}

async function settleLocked(root: StateRoot, instance: Instance, status: number): Promise<EndRecord> {
  const lock = await lockInstance(instance, "end");
  try {
    const end = await settle(root, instance, status, true);
    if (instance.record.autoRemove) removeInstanceFiles(root, instance, true);
    return end;
  } finally {
    lock?.release();
  }
}

async function startDetached(launching: Launching, command: readonly string[]): Promise<RunResult> {
  const { instance, launch } = launching;
  await runDetached(launching, command);
  emptyTrash(launching.root);
  const exit = readExit(instance.paths);
  const failedEarly = exit.exitStatus !== null && exit.exitStatus >= 125 && exit.exitStatus <= 127;
  const status = statusOf(instance.paths, instance.record.id);
  if (failedEarly) {
    throw new TranshipError(
      "E_RUNTIME",
      `the instance ${instance.record.name} did not start: ${exit.reason ?? ""}`,
      {
        hint: `see \`tranship logs ${instance.record.name}\``,
        exitStatus: exit.exitStatus ?? 125,
      },
    );
  }
  if (status.state !== "running" && exit.exitStatus === null && existsSync(instance.paths.directory)) {
    const failure = startFailure(instance, status.exitStatus ?? 1, lastWords(instance));
    if (failure !== undefined) throw failure;
  }
  step("acknowledge");
  launch.acknowledged = true;
  if (existsSync(instance.paths.directory)) writeLaunch(launching);
  return { record: instance.record, status: undefined };
}

/** A start that failed: what `run` made and what never worked is removed, so that the next try finds its name free. */
async function giveUp({ root, instance, log, launch }: Launching, error: unknown): Promise<void> {
  const lock = await lockInstance(instance, "give up");
  try {
    if (!existsSync(instance.paths.directory)) return;
    const status = error instanceof TranshipError ? error.exitStatus : 125;
    await settle(root, instance, status);
    if (launch.created && (instance.record.autoRemove || !hasRun(instance)))
      removeInstanceFiles(root, instance, true);
  } finally {
    lock?.release();
  }
  await releaseHost(root, log);
}

function gone(text: string): TranshipError {
  return new TranshipError("E_INSTANCE_NOT_FOUND", `no such instance: ${text}`, {
    hint: "it was removed a moment ago",
  });
}

const longestBackoff = 60_000;

/** How the chain of which start ended: see launchName(). */
export interface ChainEnd {
  status: number | null;
  launch: string | undefined;
}

/** What the monitor of a detached instance becomes. */
export async function instanceEnded(root: StateRoot, id: string, chain: ChainEnd, log: Log): Promise<void> {
  const instance = readInstance(root, id);
  if (instance === undefined) return;
  await starterDone(instance);
  const lock = await lockInstance(instance, "end");
  if (lock === undefined) return;
  let again: Launching | undefined;
  try {
    const seen = statusOf(instance.paths, id);
    // It was stopped and started again in the meantime: the new start has a monitor of its own.
    if (chain.launch !== undefined && seen.launch !== undefined && launchName(seen.launch) !== chain.launch)
      return;
    // Killed was only who waited: it runs on, and its end will be seen by the next command.
    if (seen.state === "running" && !seen.orphan) return;
    if (seen.settled || !existsSync(instance.paths.directory)) return;
    const end = await settle(root, instance, chain.status);
    if (instance.record.autoRemove) removeInstanceFiles(root, instance, true);
    again = await restartRule(root, instance, seen.launch, end, log);
  } finally {
    lock.release();
  }
  if (again === undefined) {
    await releaseHost(root, log);
    return;
  }
  await pause(Math.min(100 * 2 ** (again.launch.restarts - 1), longestBackoff));
  if (existsSync(instance.paths.stopAsked) || !existsSync(instance.paths.directory)) return;
  await startAgain(again);
}

/** It may end while the one who started it still looks whether it has begun; that one goes first. */
async function starterDone(instance: Instance): Promise<void> {
  for (;;) {
    const { launch, settled } = statusOf(instance.paths, instance.record.id);
    if (launch === undefined || settled || launch.acknowledged) return;
    if (!processAlive(launch.starter.pid, launch.starter.startTime)) return;
    await pause(10);
  }
}

/** The next start that the restart rule asks for, its record already written; undefined for none. */
export async function restartRule(
  root: StateRoot,
  instance: Instance,
  last: LaunchRecord | undefined,
  end: EndRecord,
  log: Log,
): Promise<Launching | undefined> {
  const { policy, attempts } = instance.record.restart;
  if (policy === "no" || last?.acknowledged !== true || existsSync(instance.paths.stopAsked))
    return undefined;
  if (policy === "on-failure" && (end.status === 0 || (attempts > 0 && last.restarts >= attempts)))
    return undefined;
  const launch = { ...newLaunch("detached", false), acknowledged: false, restarts: last.restarts + 1 };
  return await relaunch(root, instance, launch, log);
}

export async function startAgain(launching: Launching): Promise<void> {
  const { instance, log } = launching;
  try {
    await start(launching);
  } catch (error) {
    log.error(`the instance ${instance.record.name} could not be started again: ${String(error)}`);
  }
}
