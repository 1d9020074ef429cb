// Volumes of instances of the in-process engine: directories of the state root, which rules of the engine lead to.
import { chmodSync } from "node:fs";
import { join } from "node:path";
import type { StateRoot } from "../../host/state-root.ts";
import type { InstanceMount, InstanceRecord } from "../record.ts";
import { prepareMount, volumeData } from "../volumes/volumes.ts";

/** The record with the directories of this host that its volumes are. */
export function onHost<R extends Pick<InstanceRecord, "mounts">>(root: StateRoot, record: R): R {
  const mounts = record.mounts.map((mount): InstanceMount => {
    if (mount.kind !== "volume") return mount;
    return { ...mount, kind: "bind", source: volumeData(root, mount.source) };
  });
  return { ...record, mounts };
}

/** Makes and fills those that are not there. `tree` shows what the package has, without a mount. */
export async function prepareVolumes(
  root: StateRoot,
  tree: string,
  { mounts }: Pick<InstanceRecord, "mounts">,
): Promise<void> {
  for (const mount of mounts) {
    if (mount.kind !== "volume") continue;
    await prepareMount(root, mount, tree);
    if (process.getuid?.() !== 0) continue;
    // Users of the package have to come to its files; how far, its own mode says.
    for (const way of [root.volumes, join(root.volumes, mount.source)]) chmodSync(way, 0o711);
  }
}
