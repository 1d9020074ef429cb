// What is deployed here: one file for each deployment below deployed/ of the state root, replaced whole. A change under way is written
// into it before it begins (`pending`), so that whoever comes next, under the deployment's lock, can undo it or go on.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { makeDirectory, readJson, writeFileAtomic } from "../../host/files.ts";
import { acquireLock, type Lock } from "../../host/lock.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import type { CreateOptions } from "../../runtime/create-options.ts";
import { checkName } from "../../runtime/names.ts";
import type { RestartRule } from "../../runtime/record.ts";

/** A version of the package, as an instance. */
export interface DeployedVersion {
  /** Id of the instance. */
  readonly instance: string;
  /** As it was asked for. */
  readonly reference: string;
  /** What the reference meant. */
  readonly digest: string;
  readonly version: string;
  /** Counts the versions of a deployment; the instance of one that does not run is called NAME.SERIAL. */
  readonly serial: number;
}

/** A file of the host, outside of the state root. */
export interface HostFile {
  /** Below hostRoot, from / on. */
  readonly path: string;
  /** sha256 of what we wrote. */
  readonly digest: string;
  /** While it is being replaced: that of what we wrote before, which may stand there still. */
  readonly replaces?: string;
}

export type Pending =
  | { readonly verb: "deploy" | "update" | "rollback"; readonly hostHooks: boolean }
  | { readonly verb: "remove"; readonly saveData: string | undefined; readonly hooksDone: boolean };

export interface DeploymentRecord {
  readonly tranship: "deployment";
  readonly version: 1;
  /** Of the instance that runs, too. */
  readonly name: string;
  /** metadata.id: what makes two packages versions of one. */
  readonly packageId: string;
  /** undefined until a deployment is complete. */
  readonly current: DeployedVersion | undefined;
  readonly previous: DeployedVersion | undefined;
  readonly serial: number;
  /** How its instances are made. */
  readonly options: Omit<CreateOptions, "reference" | "command" | "name">;
  readonly restart: RestartRule;
  /** Hooks of the host are allowed. */
  readonly hostHooks: boolean;
  /** "/" but in tests. */
  readonly hostRoot: string;
  readonly files: readonly HostFile[];
  /** sha256 of the list that they were made from, with what was left to somebody else. */
  readonly listed: string | undefined;
  /** Volumes that this deployment made: its data. */
  readonly volumes: readonly string[];
  readonly pending: Pending | undefined;
}

export const deploymentLabel = "tranship.deployment";

function directory(root: StateRoot): string {
  return join(root.path, "deployed");
}

function fileOf(root: StateRoot, name: string): string {
  return join(directory(root), `${checkName(name)}.json`);
}

export function readDeployment(root: StateRoot, name: string): DeploymentRecord | undefined {
  const path = fileOf(root, name);
  const value = readJson(path) as DeploymentRecord | undefined;
  if (value === undefined) return undefined;
  if (value.tranship === "deployment" && value.version === 1) return value;
  throw new TranshipError("E_STATE_VERSION", `${path} is no record of a deployment that this version knows`, {
    hint: "use the newer Tranship that wrote it",
  });
}

/** E_DEPLOYMENT_NOT_FOUND. */
export function deploymentNamed(root: StateRoot, name: string): DeploymentRecord {
  const found = readDeployment(root, name);
  if (found !== undefined) return found;
  const known = deploymentNames(root);
  throw new TranshipError("E_DEPLOYMENT_NOT_FOUND", `nothing is deployed as ${name}`, {
    hint: known.length === 0 ? "deploy it with `tranship package deploy`" : `there are: ${known.join(", ")}`,
  });
}

export function writeDeployment(root: StateRoot, record: DeploymentRecord): DeploymentRecord {
  makeDirectory(directory(root));
  step("write the record of the deployment");
  writeFileAtomic(fileOf(root, record.name), `${JSON.stringify(record, null, 2)}\n`);
  return record;
}

export function removeDeploymentRecord(root: StateRoot, name: string): void {
  step("remove the record of the deployment");
  rmSync(fileOf(root, name), { force: true });
}

export function deploymentNames(root: StateRoot): string[] {
  if (!existsSync(directory(root))) return [];
  return readdirSync(directory(root))
    .flatMap((name) => (/^[^.].*\.json$/.test(name) ? [name.slice(0, -5)] : []))
    .sort();
}

/** Held by every verb that changes a deployment, so that what is pending under it belongs to nobody who lives. */
export async function lockDeployment(root: StateRoot, name: string, what: string): Promise<Lock> {
  return await acquireLock(join(root.locks, `deployment-${checkName(name)}`), what);
}
