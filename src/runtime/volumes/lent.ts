// Anonymous volumes that other instances have by --volumes-from: they go with the last of them.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { StateRoot } from "../../host/state-root.ts";
import { instanceIds, leaveOut, readInstance, unlessBroken } from "../find.ts";

/** A file beside its content. */
export function lentMark(root: StateRoot, name: string): string {
  return join(root.volumes, name, "lent");
}

/** Whether another instance than this one mounts it too. Records are read only where it was lent. */
export function isLent(root: StateRoot, name: string, id: string): boolean {
  if (!existsSync(lentMark(root, name))) return false;
  return instanceIds(root).some(
    (other) =>
      other !== id &&
      // One that cannot be read may.
      (unlessBroken(other, () => mounts(root, other, name), leaveOut) ?? true),
  );
}

function mounts(root: StateRoot, id: string, name: string): boolean {
  const all = readInstance(root, id)?.record.mounts ?? [];
  return all.some(({ kind, source }) => kind === "volume" && source === name);
}
