// The end of an instance, whoever notices it first: rules and leases freed, cgroups removed, its record written, then
// removed or started again by its rule. Every part looks at what is there, so that it can be run again after a crash.
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { removeCgroup } from "../host/cgroup.ts";
import { errnoOf, ioError, readJson, readText, writeFileAtomic, writeIfRoom } from "../host/files.ts";
import { oomKillsIn } from "../host/kernel-log.ts";
import { acquireLock, type Lock } from "../host/lock.ts";
import { removeTree } from "../host/remove-tree.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { readBelow } from "../host/untrusted.ts";
import { removeBundle } from "./bundle.ts";
import { draftIds } from "./draft.ts";
import { summarize } from "./events/history.ts";
import { note, noteEnd } from "./events/note.ts";
import { type Instance, instanceIds, mayRun, readInstance, unlessBroken } from "./find.ts";
import { freeIdentity } from "./identity/lease.ts";
import type { InstancePaths } from "./instance-paths.ts";
import type { Launching } from "./launch.ts";
import type { EndRecord, LaunchRecord } from "./launch-record.ts";
import { groupsOf, instanceGroup } from "./limits/groups.ts";
import { breachesOf } from "./limits/watch.ts";
import { addressesOf, attachmentsOf, hasNames } from "./network/attachments.ts";
import { free, leases } from "./network/lease.ts";
import { refreshNames } from "./network/names.ts";
import { leasedPorts } from "./network/port-leases.ts";
import { unpublish } from "./network/publish.ts";
import { leaveShared } from "./network/share.ts";
import { releaseNetworks } from "./network/up.ts";
import { socketPath } from "./oci/profile.ts";
import { runtimeWords } from "./oci/runtime.ts";
import { killAll } from "./processes.ts";
import { chainStatus, hasRun, readExit } from "./state.ts";
import { mayWait, setAside } from "./trash.ts";
import { lastUsage } from "./usage/last.ts";
import { freeIds } from "./userns/lend.ts";
import { isLent } from "./volumes/lent.ts";
import { removeVolume } from "./volumes/volumes.ts";

/** One at a time deals with an instance. undefined where it is gone. */
export async function lockInstance(instance: Instance, what: string): Promise<Lock | undefined> {
  try {
    return await acquireLock(instance.paths.lock, what);
  } catch (error) {
    if (!existsSync(instance.paths.directory)) return undefined;
    throw error;
  }
}

/** Does `work` with an instance as it is under its lock. E_INSTANCE_NOT_FOUND where it has just been removed. */
export async function whileLocked<T>(
  root: StateRoot,
  found: Instance,
  what: string,
  work: (instance: Instance) => T | Promise<T>,
): Promise<T> {
  const lock = await lockInstance(found, what);
  try {
    const instance = readInstance(root, found.record.id);
    if (lock === undefined || instance === undefined) {
      throw new TranshipError("E_INSTANCE_NOT_FOUND", `no such instance: ${found.record.name}`, {
        hint: "it was removed a moment ago",
      });
    }
    return await work(instance);
  } finally {
    lock?.release();
  }
}

/**
 * Deals with the end. `status`: what the waiting process saw, where init left no word. Call with the instance's lock held,
 * when PID 1 is gone or is to go. What is left of it is looked for, unless the runtime itself has cleaned up.
 */
export async function settle(
  root: StateRoot,
  instance: Instance,
  status: number | null,
  clean = false,
): Promise<EndRecord> {
  const { paths, record } = instance;
  if (!clean || existsSync(`${paths.oci}/${record.id}`)) await killAll(record.id);
  await unpublish(root, record.id, leasedPorts(root, record.id));
  await removeCgroup(instanceGroup(record.id));
  removeBundle(paths);
  freeIdentity(root, record.id);
  const oomKilled = tellOom(root, instance);
  const end = { ...endRecord(instance, status), ...(oomKilled ? { oomKilled } : {}) };
  step("note the end");
  tell(root, instance, end);
  step("ended.json");
  // On a full disk it stays to be dealt with: by the next command that finds room.
  writeIfRoom(paths.ended, `${JSON.stringify(end)}\n`, { volatile: record.autoRemove });
  if (hasNames(record)) await refreshNames(root);
  return end;
}

/** A start that will not be made after all: it is exited as it was before. */
export function giveBack(instance: Instance): void {
  const { paths } = instance;
  step("give back");
  writeFileAtomic(paths.ended, `${JSON.stringify(endRecord(instance, null))}\n`);
}

/** Before the files go that it tells of. */
function tell(root: StateRoot, instance: Instance, end: EndRecord): void {
  const { paths, record } = instance;
  const launch = readJson(paths.launch) as LaunchRecord | undefined;
  noteEnd(root, record, end, summarize(instance, launch, end, exitText(paths), lastUsage(instance, launch)));
}

/** Whether something in it was killed for want of memory. Only its own limit kills inside of it alone. */
function tellOom(root: StateRoot, { paths, record }: Instance): boolean {
  const launch = readJson(paths.launch) as LaunchRecord | undefined;
  if (record.limits.memory === null || launch === undefined) return false;
  // Not by the time of day, which may have been set meanwhile.
  const told = breachesOf({ paths, record }, launch.breachesAt).filter((one) => one.limit === "memory");
  const count = told.reduce((sum, one) => sum + one.count, 0);
  const kills =
    launch.startedClock === undefined ? [] : oomKillsIn(`/${instanceGroup(record.id)}`, launch.startedClock);
  // The watcher was killed, or the group had gone before it could look.
  const untold = kills.filter(({ pid }) => !told.some((one) => one.pid === String(pid)));
  for (const { pid, task, time } of untold.slice(0, Math.max(0, kills.length - count)))
    note(root, record, "oom", { pid: String(pid), task, limit: "memory", count: "1" }, time);
  return kills.length > 0 || count > 0;
}

const mostExit = 64 << 10;

/** What init wrote with its last breath, as far as that is anything init writes. */
function exitText({ run }: InstancePaths): string | undefined {
  const bytes = readBelow(mostExit + 1, run, "exit.json");
  return bytes === undefined || bytes.length > mostExit ? undefined : bytes.toString("utf8");
}

function endRecord({ paths, record }: Instance, seen: number | null): EndRecord {
  const exit = readExit(paths);
  // A monitor that is slower than we, or was killed, has written down what it saw.
  const launch = seen === null ? (readJson(paths.launch) as LaunchRecord | undefined) : undefined;
  const status = launch === undefined ? seen : chainStatus(paths, launch);
  // init's clock is the application's.
  const told = record.elements?.clock == null ? exit.endedAt : undefined;
  return {
    status: exit.exitStatus ?? status,
    endedAt: told ?? new Date().toISOString(),
    reason:
      exit.reason ??
      (status === null ? "killed together with everything that could tell" : `ended with status ${status}`),
  };
}

/**
 * The end of an instance with --rm whose runtime has cleaned up after itself: nothing of it is left but files and leases, and
 * nobody will ask how it ended. undefined where there is more to do. Without a lock: of several who remove it, one renames.
 */
export async function removeEnded(
  root: StateRoot,
  instance: Instance,
  status: number,
): Promise<EndRecord | undefined> {
  const { paths, record } = instance;
  if (!record.autoRemove || existsSync(`${paths.oci}/${record.id}`)) return undefined;
  // These the OCI runtime does not know.
  if (groupsOf(record).length > 0) return undefined;
  const end = endRecord(instance, status);
  tell(root, instance, end);
  if (record.network.ports.length > 0) await unpublish(root, record.id, leasedPorts(root, record.id));
  freeIdentity(root, record.id);
  await removeInstanceFiles(root, instance, true, mayWait(paths));
  if (hasNames(record)) await refreshNames(root);
  return end;
}

/** Removes an instance that does not run. Its directory goes first, at once and whole; leases follow. `later`: to the trash. */
export async function removeInstanceFiles(
  root: StateRoot,
  instance: Instance,
  volumes: boolean,
  later = false,
): Promise<void> {
  const { record } = instance;
  await leaveShared(root, instance);
  if (volumes) {
    for (const mount of record.mounts) {
      if (mount.kind !== "volume" || !mount.anonymous || isLent(root, mount.source, record.id)) continue;
      step("remove anonymous volume");
      removeVolume(root, mount.source);
    }
  }
  removeDirectory(root, instance, later);
  // Where its listener was killed.
  rmSync(socketPath(root, record.id), { force: true });
  free(root, "names", record.name, record.id);
  for (const address of addressesOf(record)) free(root, "addresses", address, record.id);
  freeIds(root, record);
}

function removeDirectory(root: StateRoot, { record, paths }: Instance, later: boolean): void {
  const gone = join(root.instances, `.gone-${record.id}`);
  step("remove instance directory");
  try {
    if (later) setAside(root, paths, record.id);
    else renameSync(paths.directory, gone);
    note(root, record, "destroy");
  } catch (cause) {
    // Somebody else was quicker.
    if (errnoOf(cause) !== "ENOENT") throw ioError(`cannot remove ${paths.directory}`, cause);
  }
  if (later) return;
  step("remove files");
  removeTree(gone);
}

function isUp(root: StateRoot, id: string): Instance | undefined {
  return mayRun(root, id) ? readInstance(root, id) : undefined;
}

/** Networks that an instance is on that runs, or is about to; of those that nobody knows as set up not all, where there are others. One that shares a network has its owner's, which goes on also where the owner has ended. */
function usedNetworks(root: StateRoot, known: readonly string[]): ReadonlySet<string> {
  const used = new Set<string>();
  for (const id of instanceIds(root)) {
    // With many on few networks the first ones tell it all.
    if (used.size > 0 && known.every((name) => used.has(name))) break;
    const instance = unlessBroken(
      id,
      () => isUp(root, id),
      () => {
        // It runs, and nobody can tell on which.
        for (const name of known) used.add(name);
      },
    );
    const { container } = instance?.record.network ?? {};
    const owner = container === undefined ? instance : readInstance(root, container);
    for (const { network } of owner === undefined ? [] : attachmentsOf(owner.record)) used.add(network);
  }
  return used;
}

/** What the host keeps for instances as a whole goes with the last one, and what for a network with the last on it. */
export async function releaseHost(root: StateRoot, log: Log): Promise<void> {
  await releaseNetworks(root, log, (known) => usedNetworks(root, known));
}

/** Leases of instances that are no more. */
export function freeLeases(root: StateRoot): void {
  // Leases first: who holds one of them had a directory before it.
  const held = (["names", "addresses", "ids"] as const).map((kind) => ({ kind, list: leases(root, kind) }));
  if (held.every(({ list }) => list.length === 0)) return;
  // Drafts before instances: what becomes an instance between the two is in the second list.
  const alive = new Set([...draftIds(root), ...instanceIds(root)]);
  for (const { kind, list } of held) {
    for (const lease of list) if (!alive.has(lease.id)) free(root, kind, lease.name, lease.id);
  }
}

/** Names that a killed `rename` left over. `names`: those of the records, by id. */
export async function freeNames(root: StateRoot, names: ReadonlyMap<string, string>): Promise<void> {
  for (const { name, id } of leases(root, "names")) {
    if ((names.get(id) ?? name) === name) continue;
    const instance = readInstance(root, id);
    const lock = instance === undefined ? undefined : await lockInstance(instance, "repair");
    // One that is being renamed at this moment is looked at when that is done.
    const now = readInstance(root, id)?.record.name;
    if (now !== undefined && now !== name) free(root, "names", name, id);
    lock?.release();
  }
}

/** What runtime or enter said on the way to a failure, last line. */
export function lastWords({ paths }: Instance): string {
  return runtimeWords(paths.runtimeLog) ?? (readText(paths.monitorLog) ?? "").trim().split("\n").at(-1) ?? "";
}

/** A start that failed: what `run` made and what never worked is removed, so that the next try finds its name free. */
export async function giveUp(
  { root, instance, log, launch }: Omit<Launching, "layers">,
  error: unknown,
): Promise<void> {
  const lock = await lockInstance(instance, "give up");
  try {
    if (!existsSync(instance.paths.directory)) return;
    const status = error instanceof TranshipError ? error.exitStatus : 125;
    await settle(root, instance, status);
    if (launch.created && (instance.record.autoRemove || !hasRun(instance)))
      await removeInstanceFiles(root, instance, true);
  } finally {
    lock?.release();
  }
  await releaseHost(root, log);
}
