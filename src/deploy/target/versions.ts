// The instances of a deployment: the one that counts, the one before it, and those of a change that was broken off.

import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { readJsonBelow } from "../../host/untrusted.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { beginInstance, createInstance } from "../../runtime/create.ts";
import { lockInstance } from "../../runtime/end.ts";
import { type ListedInstance, listInstances, readInstance } from "../../runtime/find.ts";
import { openPackage } from "../../runtime/image.ts";
import { pause } from "../../runtime/processes.ts";
import {
  type InstanceMount,
  type InstanceRecord,
  type RestartRule,
  writeRecord,
} from "../../runtime/record.ts";
import { renameInstance } from "../../runtime/rename.ts";
import { repairInstances } from "../../runtime/repair.ts";
import { startInstance } from "../../runtime/run.ts";
import { statusOf } from "../../runtime/state.ts";
import { removeInstance, stopInstance } from "../../runtime/stop.ts";
import { deployedFirst, isAuto, withPlanOf } from "./first-start.ts";
import { type DeployedVersion, type DeploymentRecord, deploymentLabel } from "./record.ts";

/** What all verbs of deployments work with. */
export interface Tools {
  readonly root: StateRoot;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Our own command line up to the verb. */
  readonly self: readonly string[];
  /** Milliseconds that services have to become ready. */
  readonly wait: number;
}

export interface PackageFacts {
  readonly digest: string;
  readonly descriptor: Descriptor;
}

/** E_IMAGE_UNSUPPORTED where it is no package. Its layers are unpacked. What it links to is the affair of each of its instances. */
export async function packageFacts({ root, log }: Tools, reference: string): Promise<PackageFacts> {
  const { digest, descriptor } = await openPackage(root, reference, log, { alone: true });
  if (descriptor !== undefined) return { digest, descriptor };
  throw new TranshipError("E_IMAGE_UNSUPPORTED", `${reference} is an image without a package descriptor`, {
    hint: "run it with `tranship run -d --restart always`",
  });
}

export async function makeVersion(
  tools: Tools,
  record: DeploymentRecord,
  reference: string,
  { digest, descriptor }: PackageFacts,
): Promise<DeployedVersion> {
  const { root, log } = tools;
  const serial = record.serial + 1;
  const options = {
    ...record.options,
    reference,
    command: [],
    name: `${record.name}.${serial}`,
    restart: { policy: "no" as const, attempts: 0 },
    labels: { ...record.options.labels, [deploymentLabel]: record.name },
    mounts: [...(record.options.mounts ?? []), ...dataMounts(record, descriptor)],
  };
  await repairInstances(root, log);
  step("make the instance of the deployment");
  const begun = await beginInstance(root, options, log);
  const { record: made } = await createInstance(root, options, begun);
  return { instance: made.id, reference, digest, version: descriptor.metadata.version, serial };
}

/** A named volume for each of the package's that is not mounted otherwise: it outlives the versions. */
export function dataMounts(record: DeploymentRecord, descriptor: Descriptor): InstanceMount[] {
  const given = new Set((record.options.mounts ?? []).map((mount) => mount.target));
  return descriptor.volumes
    .filter((volume) => !given.has(volume.path))
    .map((volume) => ({
      kind: "volume" as const,
      source: volumeName(record.name, volume.path),
      target: volume.path,
      readOnly: false,
      anonymous: false,
      seed: volume.initial === "copy",
    }));
}

/** "shop.var-lib-mysql" */
export function volumeName(name: string, path: string): string {
  return `${name}.${path.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "") || "root"}`.slice(0, 128);
}

export function instancesOf(root: StateRoot, name: string): ListedInstance[] {
  return listInstances(root).filter((one) => one.record.labels[deploymentLabel] === name);
}

/** Makes the record true: the version that counts has the name and runs, the one before has its number and does not, no other is there. */
export async function settle(tools: Tools, record: DeploymentRecord): Promise<void> {
  const { root, log } = tools;
  const { current, previous, name } = record;
  await repairInstances(root, log);
  const known = new Set([current?.instance, previous?.instance]);
  for (const one of instancesOf(root, name)) {
    if (known.has(one.record.id)) continue;
    step("remove an instance that does not count");
    await removeInstance(root, one.record.id, { force: true, volumes: true }, log);
  }
  if (previous !== undefined && readInstance(root, previous.instance) !== undefined)
    await retire(tools, record, previous);
  // What was left to the next start of the machine stays so.
  if (current !== undefined) await promote(tools, record, current, neverStarted(root, current.instance));
}

/** Stopped, out of reach of restarts, under its number. */
export async function retire(
  { root, log }: Tools,
  record: DeploymentRecord,
  version: DeployedVersion,
): Promise<void> {
  const found = readInstance(root, version.instance);
  if (found === undefined) return;
  await setRestart(root, version.instance, { policy: "no", attempts: 0 });
  if (isUp(root, version.instance)) {
    step("stop the version that goes");
    await stopInstance(root, version.instance, {}, log);
  }
  const name = `${record.name}.${version.serial}`;
  if (found.record.name !== name) await renameInstance(root, version.instance, name);
}

/** Under the deployment's name, with its restart rule, running. `isNew`: this is the start that deploys the version. */
export async function promote(
  tools: Tools,
  record: DeploymentRecord,
  version: DeployedVersion,
  isNew = false,
): Promise<void> {
  const { root, log } = tools;
  const found = readInstance(root, version.instance);
  if (found === undefined) {
    throw new TranshipError("E_INSTANCE_NOT_FOUND", `the instance of ${record.name} is gone`, {
      hint: `it was removed by hand: tranship package remove ${record.name}, then deploy it again; its data is kept`,
    });
  }
  if (found.record.name !== record.name) await renameInstance(root, version.instance, record.name);
  await setRestart(root, version.instance, record.restart);
  if (isUp(root, version.instance)) return;
  const descriptor = await descriptorOf(tools, version);
  const start = async (): Promise<void> => {
    step("start the version");
    await startInstance(root, version.instance, log);
    await waitReady(tools, version.instance);
  };
  const first = isNew ? deployedFirst(descriptor) : undefined;
  if (first === undefined) {
    if (startsSomething(descriptor)) await start();
  } else if (first.services.some(isAuto)) await withPlanOf(found.paths, first, start);
}

export async function descriptorOf(tools: Tools, version: DeployedVersion): Promise<Descriptor> {
  return (await packageFacts(tools, version.digest)).descriptor;
}

/** Without a service and without a program called main there is nothing to start by itself. */
function startsSomething(descriptor: Descriptor): boolean {
  const services = descriptor.services.some(isAuto);
  return (
    services || descriptor.programs.some((one) => one.name === "main") || descriptor.programs.length === 1
  );
}

export function neverStarted(root: StateRoot, id: string): boolean {
  const found = readInstance(root, id);
  return found !== undefined && statusOf(found.paths, id).state === "created";
}

export function isUp(root: StateRoot, id: string): boolean {
  const found = readInstance(root, id);
  if (found === undefined) return false;
  const { state } = statusOf(found.paths, id);
  return state === "running" || state === "starting";
}

async function setRestart(root: StateRoot, id: string, restart: RestartRule): Promise<void> {
  await changeRecord(root, id, (record) =>
    record.restart.policy === restart.policy && record.restart.attempts === restart.attempts
      ? record
      : { ...record, restart },
  );
}

/** Under the instance's lock. */
export async function changeRecord(
  root: StateRoot,
  id: string,
  change: (record: InstanceRecord) => InstanceRecord,
): Promise<void> {
  const found = readInstance(root, id);
  const lock = found === undefined ? undefined : await lockInstance(found, "deploy");
  try {
    const now = readInstance(root, id);
    if (now === undefined || lock === undefined) {
      throw new TranshipError("E_INSTANCE_NOT_FOUND", `no such instance: ${id}`, {
        hint: "it was removed a moment ago",
      });
    }
    const next = change(now.record);
    if (next === now.record) return;
    step("change the instance of the deployment");
    writeRecord(now.paths, next);
  } finally {
    lock?.release();
  }
}

const longestState = 64 << 10;

/** Until init says that all its services are ready. E_RUNTIME where it ends before, or the time is over. */
export async function waitReady({ root, wait, signal }: Tools, id: string): Promise<void> {
  const deadline = Date.now() + wait;
  for (;;) {
    const found = readInstance(root, id);
    if (found === undefined) return;
    const { state, exitStatus } = statusOf(found.paths, id);
    const told = readJsonBelow(longestState, found.paths.run, "state.json") as
      | { ready?: unknown }
      | null
      | undefined;
    if (state === "running" && told?.ready === true) return;
    const over = Date.now() > deadline;
    if (state === "exited" || over || signal.aborted) {
      const what =
        state === "exited"
          ? `ended with status ${exitStatus ?? "?"}`
          : over
            ? "is not ready in time"
            : "was not waited for";
      throw new TranshipError(
        signal.aborted ? "E_INTERRUPTED" : "E_RUNTIME",
        `${found.record.name} ${what}`,
        {
          hint: "`tranship run` shows what it says; --wait gives it more time",
        },
      );
    }
    await pause(20);
  }
}
