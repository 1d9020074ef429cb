// rm --force of an instance whose record cannot be read: what is known by its id goes. Its anonymous volumes stay, as nobody can tell which they are.
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { removeCgroup } from "../host/cgroup.ts";
import { errnoOf, ioError } from "../host/files.ts";
import { removeTree } from "../host/remove-tree.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { freeLeases, releaseHost } from "./end.ts";
import { noteOther } from "./events/note.ts";
import { findId, readInstance, unlessBroken } from "./find.ts";
import { freeIdentity } from "./identity/lease.ts";
import { instancePaths } from "./instance-paths.ts";
import { instanceGroup } from "./limits/groups.ts";
import { leasedPorts } from "./network/port-leases.ts";
import { unpublish } from "./network/publish.ts";
import { socketPath } from "./oci/profile.ts";
import { killAll } from "./processes.ts";
import { statusOf } from "./state.ts";

/** Whether it was such a one. Without its lock, which may be as broken; two at once do the same. */
export async function removeIfBroken(root: StateRoot, text: string, log: Log): Promise<boolean> {
  const id = findId(root, text);
  if (id === undefined) return false;
  let broken = false;
  const read = (): void => {
    const instance = readInstance(root, id);
    if (instance !== undefined) statusOf(instance.paths, id);
  };
  unlessBroken(id, read, () => {
    broken = true;
  });
  if (broken) await removeBroken(root, id, log);
  return broken;
}

async function removeBroken(root: StateRoot, id: string, log: Log): Promise<void> {
  const { directory } = instancePaths(root, id);
  await killAll(id);
  await unpublish(root, id, leasedPorts(root, id));
  await removeCgroup(instanceGroup(id));
  freeIdentity(root, id);
  const gone = join(root.instances, `.gone-${id}`);
  step("remove broken instance");
  try {
    if (existsSync(directory)) renameSync(directory, gone);
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw ioError(`cannot remove ${directory}`, cause);
  }
  noteOther(root, { type: "instance", action: "destroy", id });
  removeTree(gone);
  rmSync(socketPath(root, id), { force: true });
  freeLeases(root);
  await releaseHost(root, log);
}
