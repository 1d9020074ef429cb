// package remove: the uninstall hooks run, then all that the deployment made goes. Its data stays in its volumes, where the next deployment
// of that name finds it; with --save-data it goes into a file, from which `deploy --data` takes it back.

import { removeVolume } from "../../runtime/volumes/volumes.ts";
import { runHooks } from "./hooks.ts";
import { removeHostFiles } from "./host-files.ts";
import {
  type DeploymentRecord,
  deploymentNamed,
  lockDeployment,
  readDeployment,
  removeDeploymentRecord,
  writeDeployment,
} from "./record.ts";
import { repairDeployment } from "./repair.ts";
import { saveData } from "./saved-data.ts";
import { descriptorOf, isUp, promote, retire, settle, type Tools } from "./versions.ts";

export interface Removed {
  readonly name: string;
  /** Volumes that stay, with the data. */
  readonly kept: readonly string[];
  readonly saved: string | undefined;
}

export async function removeDeployment(
  tools: Tools,
  name: string,
  saveTo: string | undefined,
): Promise<Removed> {
  const { root } = tools;
  const lock = await lockDeployment(root, name, "remove a deployment");
  try {
    const broken = readDeployment(root, name);
    if (broken?.pending?.verb === "remove") {
      const pending = { ...broken.pending, saveData: saveTo ?? broken.pending.saveData };
      return await goOnRemoving(tools, writeDeployment(root, { ...broken, pending }));
    }
    await repairDeployment(tools, name);
    const record = deploymentNamed(root, name);
    const pending = { verb: "remove" as const, saveData: saveTo, hooksDone: false };
    return await goOnRemoving(tools, writeDeployment(root, { ...record, pending }));
  } finally {
    lock.release();
  }
}

/** From wherever it was left. A hook that fails ends it before anything was removed. */
export async function goOnRemoving(tools: Tools, given: DeploymentRecord): Promise<Removed> {
  const { root, log } = tools;
  let record = given;
  const { name, pending } = record;
  if (pending?.verb !== "remove") return { name, kept: [], saved: undefined };
  if (!pending.hooksDone) {
    await uninstallHooks(tools, record);
    record = writeDeployment(root, { ...record, pending: { ...pending, hooksDone: true } });
  }
  for (const version of [record.previous, record.current])
    if (version !== undefined) await retire(tools, record, version);
  if (pending.saveData !== undefined) await saveData(root, pending.saveData, name, record.volumes);
  await settle(tools, { ...record, current: undefined, previous: undefined });
  await removeHostFiles(root, record, log);
  if (pending.saveData !== undefined) for (const volume of record.volumes) removeVolume(root, volume);
  removeDeploymentRecord(root, name);
  return { name, kept: pending.saveData === undefined ? record.volumes : [], saved: pending.saveData };
}

async function uninstallHooks(tools: Tools, record: DeploymentRecord): Promise<void> {
  const { current } = record;
  if (current === undefined) return;
  const descriptor = await descriptorOf(tools, current);
  if (descriptor.hooks.uninstall.length === 0) return;
  try {
    if (!isUp(tools.root, current.instance)) await promote(tools, record, current);
    await runHooks({ tools, record, version: current, descriptor }, "uninstall", () => {});
  } catch (error) {
    writeDeployment(tools.root, { ...record, pending: undefined });
    throw error;
  }
}
