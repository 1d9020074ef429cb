// Finding instances: by name, by id, by the first digits of an id.
import { readdirSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import type { StateRoot } from "../host/state-root.ts";
import { type InstancePaths, instancePaths } from "./instance-paths.ts";
import { holder } from "./network/lease.ts";
import { type InstanceRecord, readRecord } from "./record.ts";
import { type InstanceStatus, statusOf } from "./state.ts";

export interface Instance {
  readonly paths: InstancePaths;
  readonly record: InstanceRecord;
}

const idPattern = /^[0-9a-f]{64}$/;

export function instanceIds(root: StateRoot): string[] {
  return readdirSync(root.instances).filter((name) => idPattern.test(name));
}

/** undefined where it was removed a moment ago. */
export function readInstance(root: StateRoot, id: string): Instance | undefined {
  const paths = instancePaths(root, id);
  const record = readRecord(paths);
  return record === undefined ? undefined : { paths, record };
}

/**
 * E_INSTANCE_NOT_FOUND, E_ID_AMBIGUOUS; E_INSTANCE_STATE for one that runs in process: what reaches into namespaces would reach the host. Verbs that can do
 * without use findAny(). A name goes before an id.
 */
export function findInstance(root: StateRoot, text: string): Instance {
  const found = findAny(root, text);
  if (found.record.engine !== "inprocess") return found;
  throw new TranshipError(
    "E_INSTANCE_STATE",
    `the instance ${found.record.name} runs in process: that needs namespaces, and it has none`,
    {
      hint: "start, stop, exec, logs, attach, cp, diff, wait, rm and all that looks at it from outside work with it",
    },
  );
}

export function findAny(root: StateRoot, text: string): Instance {
  const named = /^[\w.-]+$/.test(text) ? holder(root, "names", text) : undefined;
  const byName = named === undefined ? undefined : readInstance(root, named);
  if (byName !== undefined) return byName;
  const fits = /^[0-9a-f]+$/.test(text) ? instanceIds(root).filter((id) => id.startsWith(text)) : [];
  if (fits.length > 1) {
    const list = fits.slice(0, 5).map((id) => id.slice(0, 12));
    throw new TranshipError("E_ID_AMBIGUOUS", `${text} fits ${fits.length} instances: ${list.join(", ")}`, {
      hint: "give more digits, or the name",
    });
  }
  const found = fits[0] === undefined ? undefined : readInstance(root, fits[0]);
  if (found !== undefined) return found;
  throw new TranshipError("E_INSTANCE_NOT_FOUND", `no such instance: ${text}`, {
    hint: "see what there is with `tranship ps -a`",
  });
}

export interface ListedInstance extends Instance {
  readonly status: InstanceStatus;
}

/** Newest first. */
export function listInstances(root: StateRoot): ListedInstance[] {
  return instanceIds(root)
    .flatMap((id) => {
      const instance = readInstance(root, id);
      return instance === undefined ? [] : [{ ...instance, status: statusOf(instance.paths, id) }];
    })
    .sort((a, b) => (a.record.createdAt < b.record.createdAt ? 1 : -1));
}

export function inspectInstance(root: StateRoot, text: string): ListedInstance {
  const instance = findAny(root, text);
  return { ...instance, status: statusOf(instance.paths, instance.record.id) };
}
