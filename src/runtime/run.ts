// run, create, start, restart: the ways in which an instance comes to run, and what is done when a detached one has ended.
import { existsSync, rmSync, statSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { processAlive } from "../host/lock.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { monotonicNow } from "../host/uptime.ts";
import { beginInstance, createInstance, newLaunch } from "./create.ts";
import type { CreateOptions } from "./create-options.ts";
import {
  giveBack,
  giveUp,
  lastWords,
  lockInstance,
  releaseHost,
  removeInstanceFiles,
  settle,
} from "./end.ts";
import { launchName, noteStart } from "./events/note.ts";
import { findAny, type Instance, readInstance } from "./find.ts";
import { runForeground } from "./foreground.ts";
import { instancePaths } from "./instance-paths.ts";
import { type Launching, mountAhead, prepare, runDetached, startFailure, writeLaunch } from "./launch.ts";
import type { EndRecord, LaunchRecord } from "./launch-record.ts";
import { chooseRuntime } from "./oci/runtime.ts";
import { isPaused } from "./pause.ts";
import { pause } from "./processes.ts";
import type { InstanceRecord } from "./record.ts";
import { instanceLayers, ownLayers } from "./redirect/mounts.ts";
import { repairInstances } from "./repair.ts";
import { delayAfter } from "./restart-delay.ts";
import { checkSecrets } from "./secrets.ts";
import { readExit, statusOf } from "./state.ts";
import { emptyTrash } from "./trash.ts";

export interface RunOptions extends CreateOptions {
  /** In the foreground: our own command line up to the verb, for the end. Absent: detached. */
  foreground?: readonly string[];
  /** The caller starts and ends many: it looks for what others left unfinished (repairInstances) and gives back what the host keeps (releaseHost) itself. */
  amongMany?: boolean;
}

/** Creates and starts; in the foreground it does not return, as this process becomes another: see runForeground(). */
export async function runInstance(root: StateRoot, options: RunOptions, log: Log): Promise<InstanceRecord> {
  checkOptions(options);
  const detached = options.foreground === undefined;
  // What an enter needs that waits for us comes first: it works while we go on.
  const begun = await beginInstance(root, options, log);
  const runtime = await chooseRuntime(root, log);
  const mounted = !detached && mountAhead(root, options, begun, runtime);
  if (options.amongMany !== true) await repairInstances(root, log, false);
  // Chosen before, so that the launch record is written once.
  const launch = newLaunch(detached ? "detached" : "foreground", true, runtime.path);
  const created = await createInstance(root, options, begun, launch);
  const instance = { paths: instancePaths(root, created.record.id), record: created.record };
  const layers = [...ownLayers(instance.paths, instance.record), ...created.package.layers];
  const launching = { root, instance, launch, layers, log, mounted };
  await startGuarded(launching, async () => {
    checkSecrets(created.record, created.package);
    if (options.foreground === undefined) await startDetached(launching);
    else {
      const command = await prepare(launching);
      noteStart(root, instance.record, launch);
      runForeground(launching, command, options.foreground);
    }
  });
  return created.record;
}

/** E_USAGE for what contradicts itself. */
export function checkOptions(options: RunOptions): void {
  if (options.autoRemove === true && (options.restart?.policy ?? "no") !== "no") {
    throw new TranshipError("E_USAGE", "--rm and --restart contradict each other", {
      hint: "give one of them",
    });
  }
}

/** Starts a created or exited instance, detached. */
export async function startInstance(
  root: StateRoot,
  text: string,
  log: Log,
  newIdentity = false,
): Promise<void> {
  await repairInstances(root, log);
  const instance = findAny(root, text);
  const lock = await lockInstance(instance, "start");
  if (lock === undefined) throw gone(text);
  let launching: Launching;
  try {
    const { state } = statusOf(instance.paths, instance.record.id);
    if (state === "running" && isPaused(instance)) {
      throw new TranshipError("E_INSTANCE_STATE", `the instance ${instance.record.name} is paused`, {
        hint: `let it go on with \`tranship unpause ${instance.record.name}\``,
      });
    }
    if (state === "running" || state === "starting") {
      throw new TranshipError(
        "E_INSTANCE_STATE",
        `the instance ${instance.record.name} is ${state} already`,
        {
          hint: `stop it first with \`tranship stop ${instance.record.name}\``,
        },
      );
    }
    launching = await relaunch(root, instance, { ...newLaunch("detached", false), newIdentity }, log);
  } finally {
    lock.release();
  }
  await startGuarded(launching, () => startDetached(launching));
}

async function relaunch(
  root: StateRoot,
  instance: Instance,
  launch: LaunchRecord,
  log: Log,
): Promise<Launching> {
  const { paths, record } = instance;
  const layers = record.engine === "inprocess" ? [paths.tree] : await instanceLayers(root, instance);
  launch.breachesAt = statSync(paths.breaches, { throwIfNoEntry: false })?.size ?? 0;
  step("launch record");
  writeLaunch({ instance, launch });
  for (const file of [paths.ended, paths.chainEnded, paths.stopAsked, paths.endDealt])
    rmSync(file, { force: true });
  return { root, instance, launch, layers, log };
}

/** A start that fails leaves nothing behind. */
export async function startGuarded(launching: Launching, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await giveUp(launching, error);
    throw error;
  }
}

/** Returns when it works, with its launch acknowledged. */
export async function startDetached(launching: Launching): Promise<void> {
  const { instance, launch } = launching;
  await runDetached(launching, await prepare(launching));
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
  noteStart(launching.root, instance.record, launch);
}

function gone(text: string): TranshipError {
  return new TranshipError("E_INSTANCE_NOT_FOUND", `no such instance: ${text}`, {
    hint: "it was removed a moment ago",
  });
}

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
    if (seen.state === "running" && !seen.orphan) {
      rmSync(instance.paths.chainEnded, { force: true });
      return;
    }
    if (seen.settled || !existsSync(instance.paths.directory)) return;
    const end = await settle(root, instance, chain.status);
    if (instance.record.autoRemove) await removeInstanceFiles(root, instance, true);
    again = await restartRule(root, instance, seen.launch, end, log);
  } finally {
    lock.release();
  }
  if (again === undefined) {
    await releaseHost(root, log);
    return;
  }
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
  // `update` may have changed it meanwhile.
  const { policy, attempts } = (readInstance(root, instance.record.id) ?? instance).record.restart;
  const counts = last?.acknowledged === true || last?.byRule === true || last?.mode === "foreground";
  if (policy === "no" || last === undefined || !counts || existsSync(instance.paths.stopAsked))
    return undefined;
  if (policy === "on-failure" && (end.status === 0 || (attempts > 0 && last.restarts >= attempts)))
    return undefined;
  const launch = {
    ...newLaunch("detached", false),
    restarts: last.restarts + 1,
    byRule: true,
    delay: delayAfter(last, monotonicNow()),
    newIdentity: last.newIdentity ?? false,
  };
  return await relaunch(root, instance, launch, log);
}

/** After the time that its launch record names. */
export async function startAgain(launching: Launching, wait = true): Promise<void> {
  const { instance, launch, log } = launching;
  const { paths } = instance;
  const until = performance.now() + (wait ? (launch.delay ?? 0) : 0);
  while (performance.now() < until && !existsSync(paths.stopAsked))
    await pause(Math.min(until - performance.now(), 50));
  if (!existsSync(paths.directory)) return;
  if (existsSync(paths.stopAsked)) {
    giveBack(instance);
    return;
  }
  step("start again");
  // It runs from now on, not from when it was decided that it would.
  launch.startedAt = new Date().toISOString();
  launch.startedClock = monotonicNow();
  writeLaunch(launching);
  try {
    await startGuarded(launching, () => startDetached(launching));
  } catch (error) {
    log.error(`the instance ${instance.record.name} could not be started again: ${String(error)}`);
  }
}
