// Which of a state root's instances have namespaces.
import type { StateRoot } from "../../host/state-root.ts";
import { leaveOut, readableInstances, readInstance, unlessBroken } from "../find.ts";

/** Also those that have ended: their files may be of users that a namespace alone has. */
export function hasNamespaceInstances(root: StateRoot): boolean {
  return readableInstances(root).some(({ record }) => record.engine === "namespace");
}

export function isInProcess(root: StateRoot, id: string): boolean {
  return unlessBroken(id, () => readInstance(root, id)?.record.engine === "inprocess", leaveOut) ?? false;
}
