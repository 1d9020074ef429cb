// package deploy: a package comes to this machine, in EMP's order: it is copied (an instance is made), its pre-install hooks run, its services
// start, its post-install hooks run. What fails or is interrupted on the way is undone, and so is, by the next command, what was killed.
import { TranshipError } from "../../base/errors.ts";
import type { RestartRule } from "../../runtime/record.ts";
import { listVolumes } from "../../runtime/volumes/list.ts";
import { removeVolume } from "../../runtime/volumes/volumes.ts";
import { checkHooks, runHooks } from "./hooks.ts";
import { applyHostFiles, removeHostFiles } from "./host-files.ts";
import {
  type DeployedVersion,
  type DeploymentRecord,
  lockDeployment,
  readDeployment,
  removeDeploymentRecord,
  writeDeployment,
} from "./record.ts";
import { repairDeployment } from "./repair.ts";
import { restoreData } from "./saved-data.ts";
import {
  dataMounts,
  instancesOf,
  makeVersion,
  type PackageFacts,
  packageFacts,
  promote,
  settle,
  type Tools,
} from "./versions.ts";

export interface DeployRequest {
  readonly reference: string;
  /** undefined: the package's id. */
  readonly name: string | undefined;
  readonly options: DeploymentRecord["options"];
  readonly restart: RestartRule;
  readonly hostHooks: boolean;
  readonly hostRoot: string;
  /** A file that `remove --save-data` wrote. */
  readonly data: string | undefined;
}

export interface Deployed {
  readonly name: string;
  readonly instance: string;
  readonly digest: string;
  readonly version: string;
  /** false: it was there as it should be; what was missing was made again. */
  readonly changed: boolean;
}

export async function deployPackage(tools: Tools, request: DeployRequest): Promise<Deployed> {
  const facts = await packageFacts(tools, request.reference);
  checkHooks(facts.descriptor, request.hostHooks);
  const name = request.name ?? facts.descriptor.metadata.id;
  const lock = await lockDeployment(tools.root, name, "deploy a package");
  try {
    const known = await repairDeployment(tools, name);
    if (known?.current !== undefined) return await again(tools, known, known.current, facts);
    return await anew(tools, request, name, facts);
  } finally {
    lock.release();
  }
}

/** What is deployed is deployed: only what is missing of it is made again. */
async function again(
  tools: Tools,
  record: DeploymentRecord,
  current: DeployedVersion,
  facts: PackageFacts,
): Promise<Deployed> {
  if (current.digest !== facts.digest) {
    throw new TranshipError(
      "E_DEPLOYED",
      `${record.name} is deployed already, in version ${current.version}`,
      {
        hint: `bring it to this one with \`tranship package update\`, or deploy beside it with --name`,
      },
    );
  }
  await settle(tools, record);
  await applyHostFiles(tools.root, record, facts.descriptor, tools.log);
  return told(record, current, false);
}

async function anew(
  tools: Tools,
  request: DeployRequest,
  name: string,
  facts: PackageFacts,
): Promise<Deployed> {
  const { root, log } = tools;
  const blank: DeploymentRecord = {
    tranship: "deployment",
    version: 1,
    name,
    packageId: facts.descriptor.metadata.id,
    current: undefined,
    previous: undefined,
    serial: 0,
    options: request.options,
    restart: request.restart,
    hostHooks: request.hostHooks,
    hostRoot: request.hostRoot,
    files: [],
    listed: undefined,
    volumes: [],
    pending: { verb: "deploy", hostHooks: false },
  };
  const there = new Set(listVolumes(root).map((volume) => volume.name));
  const volumes = dataMounts(blank, facts.descriptor).map((mount) => mount.source);
  let record = writeDeployment(root, { ...blank, volumes: volumes.filter((volume) => !there.has(volume)) });
  try {
    if (request.data !== undefined) await restoreData(root, request.data, volumes, name);
    const version = await makeVersion(tools, record, request.reference, facts);
    record = await install(tools, { ...record, serial: version.serial }, version, facts);
    record = writeDeployment(root, { ...record, volumes, current: version, pending: undefined });
    return told(record, version, true);
  } catch (error) {
    await undoDeploy(tools, readDeployment(root, name) ?? record);
    log.debug(`${name}: what had been done was undone`);
    throw error;
  }
}

/** Hooks, services, hooks; then what the host gets. Of a version whose instance has been made. */
export async function install(
  tools: Tools,
  record: DeploymentRecord,
  version: DeployedVersion,
  facts: PackageFacts,
): Promise<DeploymentRecord> {
  const { root, log } = tools;
  let now = record;
  const scene = { tools, record, version, descriptor: facts.descriptor };
  const onHost = (): void => {
    if (now.pending?.verb === "remove" || now.pending === undefined || now.pending.hostHooks) return;
    now = writeDeployment(root, { ...now, pending: { ...now.pending, hostHooks: true } });
  };
  await runHooks(scene, "preInstall", onHost);
  await promote(tools, now, version, true);
  await runHooks(scene, "postInstall", onHost);
  return await applyHostFiles(root, now, facts.descriptor, log);
}

/** Nothing of a deployment that was not completed stays; what its hooks did to the host its uninstall hooks undo. */
export async function undoDeploy(tools: Tools, record: DeploymentRecord): Promise<void> {
  const { root, log } = tools;
  const quiet = { ...tools, signal: new AbortController().signal };
  if (record.pending?.verb === "deploy" && record.pending.hostHooks) await undoHooks(quiet, record);
  await settle(quiet, { ...record, current: undefined, previous: undefined });
  await removeHostFiles(root, record, log);
  for (const volume of record.volumes) removeVolume(root, volume);
  removeDeploymentRecord(root, record.name);
}

/** Those of the host alone: the package's are gone with it. */
async function undoHooks(tools: Tools, record: DeploymentRecord): Promise<void> {
  for (const { record: instance } of instancesOf(tools.root, record.name)) {
    const { descriptor, digest } = await packageFacts(tools, instance.image.digest);
    const uninstall = descriptor.hooks.uninstall.filter((hook) => hook.where === "host");
    const { id, image } = instance;
    const version = {
      instance: id,
      reference: image.reference,
      digest,
      version: descriptor.metadata.version,
      serial: 0,
    };
    const hooks = { preInstall: [], postInstall: [], uninstall };
    try {
      await runHooks({ tools, record, version, descriptor: { ...descriptor, hooks } }, "uninstall", () => {});
    } catch (error) {
      tools.log.warn(`${record.name}: ${(error as Error).message}`);
    }
  }
}

function told(record: DeploymentRecord, version: DeployedVersion, changed: boolean): Deployed {
  const { instance, digest, version: word } = version;
  return { name: record.name, instance, digest, version: word, changed };
}
