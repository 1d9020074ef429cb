// After a reboot of the host: what the restart rules want is started. There is no daemon, so that somebody has to ask for it once a boot:
// a systemd unit, or any other script of the host. docs/decisions/0030-restart-without-a-daemon.md
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { bootId } from "../host/boot-id.ts";
import { readText } from "../host/files.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { type Broken, type ListedInstance, leaveOut, listInstances, readInstance } from "./find.ts";
import { repairInstances } from "./repair.ts";
import { startInstance } from "./run.ts";
import { statusOf } from "./state.ts";
import { stopForBoot, stopReason } from "./stop.ts";

export interface BootResult {
  id: string;
  name: string;
  /** undefined: it was started. */
  failure: TranshipError | undefined;
}

/** Starts what ran in an earlier boot and wants to run again, oldest first, those that share another's network last. Doing it twice starts nothing twice. */
export async function bootInstances(root: StateRoot, log: Log): Promise<BootResult[]> {
  await repairInstances(root, log);
  const results: BootResult[] = [];
  const broken: Broken = (id, failure) => results.push({ id, name: id.slice(0, 12), failure });
  for (const { record } of wantedInstances(root, broken)) {
    step("boot one");
    const result = await tryStart(root, record.id, log);
    if (result !== "by another") results.push({ id: record.id, name: record.name, failure: result });
  }
  return results;
}

export function wantedInstances(root: StateRoot, broken: Broken = leaveOut): ListedInstance[] {
  const wanted = listInstances(root, broken).reverse().filter(wantsToRun);
  const sharing = ({ record }: ListedInstance): boolean => record.network.container !== undefined;
  return [...wanted.filter((one) => !sharing(one)), ...wanted.filter(sharing)];
}

async function tryStart(
  root: StateRoot,
  id: string,
  log: Log,
): Promise<TranshipError | "by another" | undefined> {
  try {
    await startInstance(root, id, log);
    return undefined;
  } catch (error) {
    if (!(error instanceof TranshipError)) throw error;
    // A second `boot` or a `start` by hand was quicker, and tells what becomes of it.
    return error.code === "E_INSTANCE_STATE" && wasStarted(root, id) ? "by another" : error;
  }
}

/** In this boot, or removed. */
function wasStarted(root: StateRoot, id: string): boolean {
  const instance = readInstance(root, id);
  return instance === undefined || statusOf(instance.paths, id).launch?.bootId === bootId();
}

function wantsToRun({ record, paths, status }: ListedInstance): boolean {
  const { launch, state, exitStatus } = status;
  if (state !== "exited" || launch === undefined) return false;
  // What could not be started in this boot, by `boot` or by its rule, is tried again: what was in its way may have gone.
  if (launch.bootId === bootId() && launch.acknowledged) return false;
  const stop = readText(paths.stopAsked);
  const stopped = stop !== undefined && stop !== stopReason;
  switch (record.restart.policy) {
    case "always":
      return true;
    case "unless-stopped":
      return !stopped;
    case "on-failure":
      // One that ended by itself had its tries; one that went down with the host, or for it, did not end by itself.
      return stop === stopReason || (!stopped && (exitStatus ?? null) === null);
    default:
      return false;
  }
}

/** Before the host goes down: everything that runs is stopped in its own way, and comes back by bootInstances(). */
export async function shutDownInstances(root: StateRoot, log: Log): Promise<string[]> {
  await repairInstances(root, log);
  const names: string[] = [];
  for (const { record, status } of listInstances(root, leaveOut)) {
    if (status.state !== "running" && status.state !== "starting") continue;
    await stopForBoot(root, record.id, log);
    names.push(record.name);
  }
  return names;
}

/** The unit that does both. `program`: bin/tranship of this installation. */
export function unitText(root: StateRoot, program: string): string {
  const command = `${program} --root ${root.path}`;
  return `[Unit]
Description=Instances of Tranship (${root.path})
Documentation=man:tranship
After=network-online.target local-fs.target
Wants=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${command} boot
ExecStop=${command} boot --down
KillMode=none
TimeoutStartSec=infinity
TimeoutStopSec=300

[Install]
WantedBy=multi-user.target
`;
}

/** The file of that unit: one for each state root. */
export function unitName(root: string): string {
  const rest = root.replace(/^\/+/, "").replace(/[^a-zA-Z0-9]+/g, "-");
  return root === "/var/lib/tranship" ? "tranship.service" : `tranship-${rest}.service`;
}
