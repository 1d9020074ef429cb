// Instances in the foreground: this process becomes native/supervise, which waits for the chain and does the end of an instance
// that left nothing behind; any other end is foregroundEnded(), in a Node that supervise becomes.
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { nativePath } from "../host/native.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { supervise } from "../host/supervisor.ts";
import { isTerminal } from "../host/terminal.ts";
import { giveUp, lastWords, lockInstance, removeEnded, removeInstanceFiles, settle } from "./end.ts";
import { eventFile, instanceEvent, launchName } from "./events/note.ts";
import { type Instance, readInstance } from "./find.ts";
import { holdsIdentity, takenAt } from "./identity/identity.ts";
import { type Chain, type Launching, startFailure } from "./launch.ts";
import type { EndRecord, LaunchRecord } from "./launch-record.ts";
import { hasDisk } from "./limits/disk.ts";
import { groupsOf } from "./limits/groups.ts";
import { lingerFiles, releaseLater, waiterCommand } from "./linger.ts";
import { lingerSeconds } from "./linger-time.ts";
import { addressesOf, hasNames } from "./network/attachments.ts";
import { leasePath } from "./network/lease.ts";
import type { InstanceRecord } from "./record.ts";
import { restartRule, startAgain } from "./run.ts";
import { hasRun, statusOf } from "./state.ts";
import { trashDirectory, waitingFiles } from "./trash.ts";

/** Never returns: the exit status of this process is the program's, 128+n on a signal. `self`: our own command line up to the verb; `more`: further options of native/supervise. */
export function runForeground(
  { root, instance, launch }: Launching,
  { command, lastPart }: Chain,
  self: readonly string[],
  more: readonly string[] = [],
): never {
  const { id, terminal, interactive, observe } = instance.record;
  if (terminal && !isTerminal(0)) {
    throw new TranshipError("E_USAGE", "-t needs a terminal as standard input", {
      hint: "leave -t out, or run it from a terminal",
    });
  }
  const end = observe === undefined ? "foreground-ended" : "observed-ended";
  const handOver = [...self, "internal", end, id].flatMap((word) => ["--hand-over", word]);
  const words = [
    nativePath("supervise"),
    ...(interactive || terminal ? [] : ["--null-stdin"]),
    "--empty",
    trashDirectory(root),
    ...handOver,
    ...more,
    ...(mayEndSimply(instance) ? simpleEnd(root, instance, launch) : []),
  ];
  step("foreground start");
  return supervise(words, command, lastPart);
}

/** Whether nothing but files and leases will have to go. */
function mayEndSimply({ record }: Instance): boolean {
  return (
    record.autoRemove &&
    record.engine === "namespace" &&
    record.observe === undefined &&
    // Its init tells other times than the host's.
    (record.elements?.clock ?? null) === null &&
    !hasDisk(record.limits) &&
    record.userns === undefined &&
    groupsOf(record).length === 0 &&
    lingerSeconds() > 0 &&
    record.network.ports.length === 0 &&
    !hasNames(record) &&
    !record.mounts.some((mount) => mount.anonymous) &&
    !holdsIdentity(takenAt(record))
  );
}

/** What native/supervise has to look at and to do: as removeEnded() and releaseLater(). */
function simpleEnd(root: StateRoot, { paths, record }: Instance, launch: LaunchRecord): string[] {
  const { only, small } = waitingFiles(paths);
  const { bridge, used, waiter } = lingerFiles(root);
  const leases = [
    leasePath(root, "names", record.name),
    ...addressesOf(record).map((address) => leasePath(root, "addresses", address)),
  ];
  return [
    ...["--gone", `${paths.oci}/${record.id}`, "--gone", paths.shared, "--spoke", `${paths.run}/exit.json`],
    ...["--note", eventFile(root), noteHead(record, "die", launch), noteHead(record, "destroy", launch)],
    ...only.flatMap(([directory, names]) => ["--only", directory, names.join(",")]),
    ...["--small", small[0], String(small[1])],
    ...["--set-aside", paths.directory, `${trashDirectory(root)}/${record.id}`],
    ...leases.flatMap((path) => ["--free", path, record.id]),
    ...["--used", bridge, used, "--waiter", waiter],
    ...waiterCommand(root).flatMap((word) => ["--idle", word]),
  ];
}

/** An event up to what native/supervise adds: status, exit.json, time. */
function noteHead(record: InstanceRecord, action: string, launch: LaunchRecord): string {
  const event = { ...instanceEvent(record, action), launch: launchName(launch) };
  return JSON.stringify(event).slice(0, -1);
}

/** What native/supervise becomes at an end that is not a simple one. `status`: of the chain. Returns the program's. */
export async function foregroundEnded(
  root: StateRoot,
  id: string,
  status: number,
  log: Log,
): Promise<number> {
  const instance = readInstance(root, id);
  if (instance === undefined) {
    // Another command has removed it.
    await releaseLater(root, log);
    return status;
  }
  const { launch } = statusOf(instance.paths, id);
  try {
    const failure = startFailure(instance, status, lastWords(instance));
    // A runtime that could not start it may have left its control groups.
    const clean = failure === undefined;
    const end =
      (clean && instance.record.engine === "namespace"
        ? await removeEnded(root, instance, status)
        : undefined) ??
      (await settleLocked(
        { root, instance, status, launch, log },
        clean && instance.record.engine === "namespace",
      ));
    await releaseLater(root, log);
    if (failure !== undefined) throw failure;
    return end.status ?? status;
  } catch (error) {
    if (launch !== undefined) await giveUp({ root, instance, launch, log }, error);
    throw error;
  }
}

interface Ending {
  root: StateRoot;
  instance: Instance;
  status: number;
  launch: LaunchRecord | undefined;
  log: Log;
}

/** By the restart rule it goes on in the background: who looked at it has had its status. */
async function settleLocked(
  { root, instance, status, launch, log }: Ending,
  clean: boolean,
): Promise<EndRecord> {
  const lock = await lockInstance(instance, "end");
  let end: EndRecord;
  let again: Launching | undefined;
  try {
    end = await settle(root, instance, status, clean);
    if (instance.record.autoRemove) await removeInstanceFiles(root, instance, true);
    else if (hasRun(instance)) again = await restartRule(root, instance, launch, end, log);
  } finally {
    lock?.release();
  }
  if (again !== undefined) await startAgain(again);
  return end;
}
