// package update and package rollback: another version takes the place of the one that runs, over the same data. The one before stays as a stopped
// instance, so that going back needs nothing but a start. What fails on the way ends with the old version running.
import { TranshipError } from "../../base/errors.ts";
import { step } from "../../host/steps.ts";
import { readInstance } from "../../runtime/find.ts";
import { removeInstance } from "../../runtime/stop.ts";
import type { Deployed } from "./deploy.ts";
import { checkHooks, runHooks } from "./hooks.ts";
import { applyHostFiles } from "./host-files.ts";
import {
  type DeployedVersion,
  type DeploymentRecord,
  deploymentNamed,
  lockDeployment,
  readDeployment,
  writeDeployment,
} from "./record.ts";
import { repairDeployment } from "./repair.ts";
import {
  dataMounts,
  descriptorOf,
  makeVersion,
  type PackageFacts,
  packageFacts,
  promote,
  retire,
  settle,
  type Tools,
} from "./versions.ts";

export interface UpdateRequest {
  readonly reference: string;
  readonly name: string | undefined;
  /** Also run the hooks of an installation. */
  readonly hooks: boolean;
  readonly hostHooks: boolean;
  /** Packages that stand for their ids from now on; none: those that the deployment was made with. */
  readonly linked: readonly string[];
}

export async function updateDeployment(tools: Tools, request: UpdateRequest): Promise<Deployed> {
  const { root } = tools;
  const facts = await packageFacts(tools, request.reference);
  if (request.hooks) checkHooks(facts.descriptor, request.hostHooks);
  const name = request.name ?? facts.descriptor.metadata.id;
  const lock = await lockDeployment(root, name, "update a deployment");
  try {
    await repairDeployment(tools, name);
    const record = deploymentNamed(root, name);
    checkSamePackage(record, facts);
    if (record.current?.digest === facts.digest && request.linked.length === 0)
      return await same(tools, record, record.current, facts);
    return await change(
      tools,
      { ...record, hostHooks: record.hostHooks || request.hostHooks },
      request,
      facts,
    );
  } finally {
    lock.release();
  }
}

function checkSamePackage(record: DeploymentRecord, { descriptor }: PackageFacts): void {
  const { id } = descriptor.metadata;
  if (id === record.packageId) return;
  throw new TranshipError("E_DEPLOYED", `${record.name} is the package ${record.packageId}, not ${id}`, {
    hint: "a version of a package has the same metadata.id; deploy another package under a name of its own",
  });
}

async function same(
  tools: Tools,
  record: DeploymentRecord,
  current: DeployedVersion,
  facts: PackageFacts,
): Promise<Deployed> {
  await settle(tools, record);
  await applyHostFiles(tools.root, record, facts.descriptor, tools.log);
  return {
    name: record.name,
    instance: current.instance,
    digest: current.digest,
    version: current.version,
    changed: false,
  };
}

async function change(
  tools: Tools,
  before: DeploymentRecord,
  request: UpdateRequest,
  facts: PackageFacts,
): Promise<Deployed> {
  const { root } = tools;
  let record = writeDeployment(root, { ...before, pending: { verb: "update", hostHooks: false } });
  const linked = request.linked.length > 0 ? { linked: [...request.linked] } : {};
  const options = { ...before.options, ...linked };
  try {
    const version = await makeVersion(tools, { ...record, options }, request.reference, facts);
    if (record.current !== undefined) await retire(tools, record, record.current);
    const scene = { tools, record, version, descriptor: facts.descriptor };
    if (request.hooks) await runHooks(scene, "preInstall", () => {});
    await promote(tools, record, version, true);
    if (request.hooks) await runHooks(scene, "postInstall", () => {});
    const older = record.previous;
    const volumes = new Set([
      ...record.volumes,
      ...dataMounts(record, facts.descriptor).map((one) => one.source),
    ]);
    const next = {
      ...record,
      options,
      current: version,
      previous: record.current,
      serial: version.serial,
      volumes: [...volumes],
    };
    record = await counts(tools, next, "update", facts);
    if (older !== undefined && readInstance(root, older.instance) !== undefined) {
      step("remove the version before the last");
      await removeInstance(root, older.instance, { force: true, volumes: true }, tools.log);
    }
    return {
      name: record.name,
      instance: version.instance,
      digest: version.digest,
      version: version.version,
      changed: true,
    };
  } catch (error) {
    if (record.pending !== undefined) await goBack(tools, before);
    throw error;
  }
}

/** From here on the new version is the one that is deployed: whoever comes next goes on from it, and gives the host its files. */
async function counts(
  { root, log }: Tools,
  record: DeploymentRecord,
  verb: "update" | "rollback",
  { descriptor }: PackageFacts,
): Promise<DeploymentRecord> {
  const counting = writeDeployment(root, { ...record, pending: { verb, hostHooks: false } });
  const complete = await applyHostFiles(root, counting, descriptor, log);
  return writeDeployment(root, { ...complete, pending: undefined });
}

/** To what counts by the record, which says so last. */
export async function goBack(tools: Tools, before: DeploymentRecord): Promise<void> {
  const quiet = { ...tools, signal: new AbortController().signal };
  // What the change had written on the host is known there alone.
  const { files, listed } = readDeployment(tools.root, before.name) ?? before;
  let record: DeploymentRecord = { ...before, files, listed };
  try {
    await settle(quiet, record);
    if (record.current !== undefined)
      record = await applyHostFiles(tools.root, record, await descriptorOf(tools, record.current), tools.log);
  } catch (error) {
    tools.log.error(`${before.name} could not be brought back: ${(error as Error).message}`);
  }
  writeDeployment(tools.root, { ...record, pending: undefined });
}

export async function rollBackDeployment(tools: Tools, name: string): Promise<Deployed> {
  const { root } = tools;
  const lock = await lockDeployment(root, name, "roll a deployment back");
  try {
    await repairDeployment(tools, name);
    const before = deploymentNamed(root, name);
    const { current, previous } = before;
    if (previous === undefined || readInstance(root, previous.instance) === undefined) {
      throw new TranshipError("E_DEPLOYED", `${name} has no version before to go back to`, {
        hint:
          previous === undefined
            ? "it was never updated"
            : "its instance was removed; update to the package instead",
      });
    }
    writeDeployment(root, { ...before, pending: { verb: "rollback", hostHooks: false } });
    try {
      if (current !== undefined) await retire(tools, before, current);
      await promote(tools, before, previous);
    } catch (error) {
      await goBack(tools, before);
      throw error;
    }
    const facts = await packageFacts(tools, previous.digest);
    await counts(tools, { ...before, current: previous, previous: current }, "rollback", facts);
    return {
      name,
      instance: previous.instance,
      digest: previous.digest,
      version: previous.version,
      changed: true,
    };
  } finally {
    lock.release();
  }
}
