// stop, kill, rm, wait.
import { existsSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { writeFileAtomic } from "../host/files.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { lockInstance, releaseHost, removeInstanceFiles, settle } from "./end.ts";
import { note } from "./events/note.ts";
import { findAny, type Instance, readInstance } from "./find.ts";
import { healthOf } from "./health/seen.ts";
import { thaw } from "./pause.ts";
import { pause, signalProcess, waitGone } from "./processes.ts";
import { removeIfBroken } from "./remove-broken.ts";
import { repairInstances, repairOne } from "./repair.ts";
import { startInstance } from "./run.ts";
import { type InstanceStatus, statusOf } from "./state.ts";
import { noteLastUsage } from "./usage/last.ts";

export interface StopOptions {
  /** Milliseconds until SIGKILL; default: the instance's own. */
  timeout?: number;
  signal?: string;
  /** Why, for whoever starts it again: see boot.ts. Default: somebody wants it stopped. */
  reason?: string;
  /** The caller starts and ends many: it looks for what others left unfinished (repairInstances) and gives back what the host keeps (releaseHost) itself. */
  amongMany?: boolean;
}

/** Asks it to end, then makes it end. An instance that does not run is left as it is. Returns its record's name. */
export async function stopInstance(
  root: StateRoot,
  text: string,
  options: StopOptions,
  log: Log,
): Promise<void> {
  if (options.amongMany !== true) await repairInstances(root, log);
  const instance = findAny(root, text);
  await endInstance(root, instance, options);
  note(root, instance.record, "stop");
  if (options.amongMany !== true) await releaseHost(root, log);
}

/** What stopAsked says where an instance was stopped because the host goes down. */
export const stopReason = "shutdown";

export async function stopForBoot(root: StateRoot, id: string, log: Log): Promise<void> {
  await stopInstance(root, id, { reason: stopReason }, log);
}

/** Stops it where it runs, and starts it, detached. One with --rm is refused: it would be gone before its start. */
export async function restartInstance(
  root: StateRoot,
  text: string,
  options: StopOptions,
  log: Log,
): Promise<void> {
  await repairInstances(root, log);
  const instance = findAny(root, text);
  if (instance.record.autoRemove) {
    throw new TranshipError(
      "E_INSTANCE_STATE",
      `the instance ${instance.record.name} is removed when it ends`,
      {
        hint: "it was made with --rm; run it again without",
      },
    );
  }
  if (statusOf(instance.paths, instance.record.id).state !== "exited")
    await endInstance(root, instance, options);
  step("restart");
  await startInstance(root, instance.record.id, log);
  note(root, instance.record, "restart");
}

async function endInstance(root: StateRoot, instance: Instance, options: StopOptions): Promise<void> {
  const { paths, record } = instance;
  // Seen by whoever would start it again, or waits to do so; a start that is under way removes it.
  const ask = (): void => writeFileAtomic(paths.stopAsked, options.reason ?? "", { volatile: true });
  ask();
  const seen = await started(instance);
  ask();
  if (options.amongMany === true) writeFileAtomic(paths.endDealt, "", { volatile: true });
  let killed = false;
  if (seen.pid !== undefined && seen.startTime !== undefined) {
    const signal = signalNumber(options.signal ?? record.stop.signal);
    killed = signal === sigkill;
    if (killed) noteLastUsage(instance);
    step("stop signal");
    signalProcess(seen.pid, signal);
    thaw(instance);
    const target = { pid: seen.pid, startTime: seen.startTime };
    const timeout = options.timeout ?? record.stop.timeout;
    if (!(await waitGone(target, timeout))) {
      noteLastUsage(instance);
      step("stop kill");
      signalProcess(seen.pid, "SIGKILL");
      killed = true;
      await waitGone(target, 10_000);
    }
  }
  await settled(root, instance, killed ? killedStatus : null);
}

/** A start under way is waited for, so that there is something to stop. */
async function started(instance: Instance): Promise<InstanceStatus> {
  for (let round = 0; ; round++) {
    const seen = statusOf(instance.paths, instance.record.id);
    if (seen.state !== "starting" || round > 3000) return seen;
    await pause(10);
  }
}

const sigkill = 9;
const killedStatus = 128 + sigkill;
const graceRounds = 200;

/** Whoever waits for the instance deals with its end; where nobody is left to, we do. */
async function settled(root: StateRoot, instance: Instance, status: number | null): Promise<void> {
  for (let round = 0; round < graceRounds; round++) {
    const lock = await lockInstance(instance, "stop");
    if (lock === undefined) return;
    try {
      const seen = statusOf(instance.paths, instance.record.id);
      if (seen.settled) return;
      const foreground = seen.launch?.mode === "foreground" && !seen.orphan;
      // The command in the foreground gives the status to its caller: it comes first.
      if (!foreground || round === graceRounds - 1) {
        await settle(root, instance, status);
        if (instance.record.autoRemove) await removeInstanceFiles(root, instance, true);
        return;
      }
    } finally {
      lock.release();
    }
    await pause(25);
  }
}

export async function killInstance(root: StateRoot, text: string, signal: string, log: Log): Promise<void> {
  await repairInstances(root, log);
  const instance = findAny(root, text);
  const number = signalNumber(signal);
  const { pid, state } = statusOf(instance.paths, instance.record.id);
  if (pid === undefined) {
    throw new TranshipError(
      "E_INSTANCE_STATE",
      `the instance ${instance.record.name} is not running but ${state}`,
      {
        hint: "see `tranship ps -a`",
      },
    );
  }
  note(root, instance.record, "kill", { signal: String(number) });
  if (number === sigkill) {
    await endInstance(root, instance, { signal, timeout: 10_000 });
    await releaseHost(root, log);
    return;
  }
  // What asks it to stop stops it: its restart rule does not start it again.
  if (number === signalNumber(instance.record.stop.signal))
    writeFileAtomic(instance.paths.stopAsked, "", { volatile: true });
  signalProcess(pid, number);
}

/** TERM, SIGTERM, 15. */
export function signalNumber(text: string): number {
  const name = text.toUpperCase();
  const table = process.getBuiltinModule("node:os").constants.signals as unknown as Record<
    string,
    number | undefined
  >;
  const number = /^\d+$/.test(text) ? Number(text) : (table[name] ?? table[`SIG${name}`]);
  if (number !== undefined && number > 0 && number <= 64) return number;
  const realTime = /^(?:SIG)?RTMIN(?:\+(\d+))?$/.exec(name);
  if (realTime !== null) return 34 + Number(realTime[1] ?? 0);
  throw new TranshipError("E_USAGE", `not a signal: ${JSON.stringify(text)}`, {
    hint: "write for example TERM or HUP",
  });
}

export interface RemoveOptions {
  /** Kill it first where it runs. */
  force?: boolean;
  /** Its anonymous volumes too. */
  volumes?: boolean;
  /** As in StopOptions. */
  amongMany?: boolean;
}

export async function removeInstance(
  root: StateRoot,
  text: string,
  options: RemoveOptions,
  log: Log,
): Promise<void> {
  if (options.amongMany !== true) await repairInstances(root, log);
  if (options.force === true && (await removeIfBroken(root, text, log))) return;
  const instance = findAny(root, text);
  const { state } = statusOf(instance.paths, instance.record.id);
  if (state === "running" || state === "starting") {
    if (options.force !== true) {
      throw new TranshipError("E_INSTANCE_STATE", `the instance ${instance.record.name} is ${state}`, {
        hint: `stop it first, or remove it with \`tranship rm --force ${instance.record.name}\``,
      });
    }
    const { amongMany = false } = options;
    await endInstance(root, instance, { signal: "SIGKILL", timeout: 10_000, amongMany });
  }
  const lock = await lockInstance(instance, "remove");
  if (lock !== undefined) {
    try {
      await removeInstanceFiles(root, instance, options.volumes === true || instance.record.autoRemove);
    } finally {
      lock.release();
    }
  }
  if (options.amongMany !== true) await releaseHost(root, log);
}

/** Waits until it does not run; its exit status, 255 where nobody could tell. What has not run yet has 0, as in docker. */
export async function waitInstance(
  root: StateRoot,
  text: string,
  log: Log,
  signal?: AbortSignal,
): Promise<number> {
  return await waitEnd(root, findAny(root, text), log, signal);
}

async function waitEnd(root: StateRoot, instance: Instance, log: Log, signal?: AbortSignal): Promise<number> {
  for (;;) {
    const seen = statusOf(instance.paths, instance.record.id);
    if (seen.state === "created" || (seen.state === "exited" && seen.settled))
      return (
        seen.exitStatus ?? (await toldStatus(root, instance)) ?? (neverRan(instance, seen.state) ? 0 : 255)
      );
    if (seen.state === "exited" && seen.launch === undefined) return 255;
    if (signal?.aborted === true) throw new TranshipError("E_INTERRUPTED", "no longer waiting");
    await pause(20);
    // One that outlived its command in the foreground is ended, as by any other command.
    if (seen.state === "exited" || seen.orphan) await repairIfLeft(root, instance, log);
  }
}

/** One that is gone looks like that too. */
function neverRan({ paths }: Instance, state: string): boolean {
  return state === "created" && existsSync(paths.directory);
}

const lookPause = 50;
const looksForRestart = 40;

/**
 * Until one of these holds: running, healthy, unhealthy, stopped, exited. -1 for one that runs then, as with podman; the status of one that has ended
 * counts as an answer where that was not waited for, too: it will not become healthy by waiting.
 */
export async function waitFor(
  root: StateRoot,
  text: string,
  conditions: ReadonlySet<string>,
  log: Log,
  signal?: AbortSignal,
): Promise<number> {
  const instance = findAny(root, text);
  const again = instance.record.restart.policy !== "no";
  for (let down = 0; ; ) {
    const status = statusOf(instance.paths, instance.record.id);
    // Its restart rule is carried out within a moment of its end, or not at all.
    down = status.state === "exited" ? down + 1 : 0;
    const over = down > (again ? looksForRestart : 0) || !existsSync(instance.paths.directory);
    if (over) return await waitEnd(root, instance, log, signal);
    const health = healthOf({ ...instance, status })?.status;
    if (
      status.state === "running" &&
      (conditions.has("running") || (health !== undefined && conditions.has(health)))
    )
      return -1;
    if (
      status.state === "running" &&
      instance.record.health === undefined &&
      !conditions.has("exited") &&
      !conditions.has("stopped")
    )
      throw new TranshipError(
        "E_INSTANCE_STATE",
        `the instance ${instance.record.name} has no health check`,
        {
          hint: "start one with --health-cmd",
        },
      );
    if (signal?.aborted === true) throw new TranshipError("E_INTERRUPTED", "no longer waiting");
    await pause(lookPause);
  }
}

/** Of an instance that is gone, as with --rm: its end was told before. */
async function toldStatus(root: StateRoot, { record }: Instance): Promise<number | null | undefined> {
  if (readInstance(root, record.id) !== undefined) return undefined;
  const { historyOf } = await import("./events/history.ts");
  return historyOf(root).findLast((run) => run.id === record.id && run.endedAt !== undefined)?.status;
}

/** Nobody may be there to deal with the end; waiting for it would then never end. Whoever does carries out its restart rule. */
async function repairIfLeft(root: StateRoot, instance: Instance, log: Log): Promise<void> {
  await pause(500);
  await repairOne(root, instance, log);
}
