// Repair: what the death of a command or of a monitor left unfinished is finished by the next command that changes
// anything. docs/internals/who-holds-what.md has the table of who dies and what is left.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isTranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { bootId } from "../host/boot-id.ts";
import { Journal } from "../host/journal.ts";
import { acquireLock, processAlive, readLock } from "../host/lock.ts";
import { removeTree } from "../host/remove-tree.ts";
import type { StateRoot } from "../host/state-root.ts";
import { freeLeases, freeNames, lockInstance, releaseHost, removeInstanceFiles, settle } from "./end.ts";
import { type Instance, instanceIds, mayRun, readInstance, unlessBroken, warnOfBroken } from "./find.ts";
import { freeEndedIdentities } from "./identity/lease.ts";
import type { Launching } from "./launch.ts";
import { mendGroups } from "./limits/mend.ts";
import { waiterAlive } from "./linger.ts";
import { finishRewiring } from "./network/connect.ts";
import { leases } from "./network/lease.ts";
import { refreshNames } from "./network/names.ts";
import { leasedPorts } from "./network/port-leases.ts";
import { sweepProxies } from "./network/proxy.ts";
import { unpublish } from "./network/publish.ts";
import { namesInUse, upFile } from "./network/up.ts";
import { restartRule, startAgain } from "./run.ts";
import { hasRun, type InstanceStatus, statusOf } from "./state.ts";
import { emptyTrash } from "./trash.ts";
import { applyLimits } from "./update.ts";
import { removeGoneVolumes } from "./volumes/list.ts";

/** Marks an instance that a command made for itself (`test`): it goes when that command has, however it ended. */
export const trialLabel = "tranship.trial";

/**
 * Returns how many things were put right. Costs a listing and a few small files per instance when all is well.
 * `trash`: false where the caller empties it when it has time.
 */
export async function repairInstances(root: StateRoot, log: Log, trash = true): Promise<number> {
  let count = removeUnfinished(root, log) + removeGoneVolumes(root);
  if (trash) emptyTrash(root);
  const names = new Map<string, string>();
  const broken = warnOfBroken(log);
  for (const id of instanceIds(root)) {
    const found = unlessBroken(id, () => statusIn(root, id), broken);
    if (found === undefined) continue;
    const { instance } = found;
    names.set(id, instance.record.name);
    if (existsSync(instance.paths.updating)) await finishUpdate(root, id);
    if (existsSync(instance.paths.rewiring)) await finishNetwork(root, id, log);
    const { seen } = found;
    if (seen.pid !== undefined && mendGroups(root, instance.record, seen.pid, log)) count++;
    if (isWell(instance, seen)) continue;
    if (await repairUnlessFull(root, instance, log)) count++;
  }
  count += (await freePorts(root)) + freeEndedIdentities(root);
  freeLeases(root);
  await freeNames(root, names);
  if (namesInUse(root)) await refreshNames(root);
  await dropLocks(root);
  if (!waiterAlive(root) && hostChanged(root, log)) await releaseHost(root, log);
  return count;
}

function statusIn(root: StateRoot, id: string): { instance: Instance; seen: InstanceStatus } | undefined {
  const instance = readInstance(root, id);
  return instance === undefined ? undefined : { instance, seen: statusOf(instance.paths, id) };
}

/** Limits that a killed `update` wrote down and did not put in force. */
async function finishUpdate(root: StateRoot, id: string): Promise<void> {
  const seen = readInstance(root, id);
  const lock = seen === undefined ? undefined : await lockInstance(seen, "repair");
  try {
    const instance = readInstance(root, id);
    if (lock !== undefined && instance !== undefined) await applyLimits(instance);
  } finally {
    lock?.release();
  }
}

/** Networks that a killed `network connect` or `disconnect` wrote down. What fails is told and tried again by the next command. */
async function finishNetwork(root: StateRoot, id: string, log: Log): Promise<void> {
  const seen = readInstance(root, id);
  const lock = seen === undefined ? undefined : await lockInstance(seen, "repair");
  try {
    const instance = readInstance(root, id);
    if (lock !== undefined && instance !== undefined) await finishRewiring({ root, log }, instance);
  } catch (error) {
    log.warn(`repair: the networks of ${seen?.record.name ?? id}: ${(error as Error).message}`);
  } finally {
    lock?.release();
  }
}

/** Creations and removals that were under way when their command died. */
function removeUnfinished(root: StateRoot, log: Log): number {
  let count = 0;
  for (const name of readdirSync(root.instances)) {
    const draft = /^\.new-[0-9a-f]{64}-(\d+)-(\d*)$/.exec(name);
    if (draft !== null && processAlive(Number(draft[1]), draft[2] ?? "")) continue;
    if (draft === null && !name.startsWith(".gone-")) continue;
    log.debug(`repair: removing ${name}`);
    removeTree(join(root.instances, name));
    count++;
  }
  return count;
}

/** A full disk keeps the end of one from being noted, and nobody from removing another; the next command tries again. */
async function repairUnlessFull(root: StateRoot, instance: Instance, log: Log): Promise<boolean> {
  try {
    return await repairOne(root, instance, log);
  } catch (error) {
    if (!isTranshipError(error, "E_NO_SPACE")) throw error;
    log.warn(`repair: the end of ${instance.record.name} cannot be noted: ${error.message}`);
    return false;
  }
}

/** Deals with the end of one that nobody else has dealt with yet. */
export async function repairOne(root: StateRoot, instance: Instance, log: Log): Promise<boolean> {
  const lock = await lockInstance(instance, "repair");
  if (lock === undefined) return false;
  let again: Launching | undefined;
  try {
    // Another command may have been quicker.
    if (!existsSync(instance.paths.directory)) return false;
    const seen = statusOf(instance.paths, instance.record.id);
    if (isWell(instance, seen)) return false;
    log.debug(`repair: ${instance.record.name} has ended without anyone to see it`);
    const { launch } = seen;
    // An ended one is here only to be removed.
    const end = seen.settled ? undefined : await settle(root, instance, null);
    if (isToGo(instance, seen)) await removeInstanceFiles(root, instance, true);
    else if (end !== undefined && launch?.bootId === bootId())
      again = await restartRule(root, instance, launch, end, log);
  } finally {
    lock.release();
  }
  if (again !== undefined) await startAgain(again, false);
  return true;
}

/** Nothing to do: it runs as it should, or its end was dealt with to the last step. */
function isWell(instance: Instance, seen: InstanceStatus): boolean {
  if (seen.state === "created") return true;
  if (seen.settled) return !isToGo(instance, seen);
  return seen.state !== "exited" && !seen.orphan && !isAbandoned(instance, seen);
}

function isAbandoned({ record }: Instance, { launch }: InstanceStatus): boolean {
  return (
    record.labels[trialLabel] !== undefined &&
    launch !== undefined &&
    !processAlive(launch.starter.pid, launch.starter.startTime)
  );
}

/** It goes with its end: by --rm, or because its id was never given to anyone. Not while its starter is still at it. */
function isToGo(instance: Instance, seen: InstanceStatus): boolean {
  const { launch, settled } = seen;
  if (launch === undefined) return false;
  const starterAlive = processAlive(launch.starter.pid, launch.starter.startTime);
  if (settled && starterAlive) return false;
  if (isAbandoned(instance, seen)) return true;
  if (instance.record.autoRemove) return true;
  return launch.created && !launch.acknowledged && (launch.mode === "detached" || !hasRun(instance));
}

async function freePorts(root: StateRoot): Promise<number> {
  let count = 0;
  for (const id of new Set(leases(root, "ports").map((lease) => lease.id))) {
    if (mayRun(root, id)) continue;
    await unpublish(root, id, leasedPorts(root, id));
    count++;
  }
  await sweepProxies(root, (id) => leases(root, "ports").some((lease) => lease.id === id));
  return count;
}

/** Locks of the dead are taken over when somebody wants them; those that nobody may want again go here. */
async function dropLocks(root: StateRoot): Promise<void> {
  for (const name of readdirSync(root.locks)) {
    const path = join(root.locks, name);
    if ((name.startsWith("volume-") || name === "identity") && !lockHeld(path)) {
      (await acquireLock(path, "repair")).release();
    }
  }
}

function lockHeld(path: string): boolean {
  try {
    const text = readLock(path);
    if (text === undefined) return true;
    const holder = JSON.parse(text) as { pid: number; startTime: string };
    return processAlive(holder.pid, holder.startTime);
  } catch {
    return true; // being written
  }
}

function hostChanged(root: StateRoot, log: Log): boolean {
  const bridge = upFile(root);
  return (
    existsSync(bridge) || existsSync(`${bridge}.undo`) || new Journal(root.journal, log).entries().length > 0
  );
}
