// Which of a state root's instances have namespaces.
import type { StateRoot } from "../../host/state-root.ts";
import { instanceIds, readInstance } from "../find.ts";

/** Also those that have ended: their files may be of users that a namespace alone has. */
export function hasNamespaceInstances(root: StateRoot): boolean {
  return instanceIds(root).some((id) => readInstance(root, id)?.record.engine === "namespace");
}

export function isInProcess(root: StateRoot, id: string): boolean {
  return readInstance(root, id)?.record.engine === "inprocess";
}
