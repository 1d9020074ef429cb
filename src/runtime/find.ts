// Finding instances: by name, by id, by the first digits of an id.
import { existsSync, readdirSync } from "node:fs";
import { isTranshipError, TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { StateRoot } from "../host/state-root.ts";
import { type InstancePaths, instancePaths } from "./instance-paths.ts";
import { holder } from "./network/lease.ts";
import { engineMain, mainProcess } from "./processes.ts";
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

/** Is told of an instance whose record cannot be read: E_STATE_CORRUPT, E_STATE_VERSION. */
export type Broken = (id: string, error: TranshipError) => void;

/** For those to whom it does not matter. */
export const leaveOut: Broken = () => {};

/** A disk or a power cut may have damaged one record; no other instance is to suffer from that. */
export function unlessBroken<T>(id: string, read: () => T, broken: Broken): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!isTranshipError(error, "E_STATE_CORRUPT") && !isTranshipError(error, "E_STATE_VERSION")) throw error;
    broken(id, error);
    return undefined;
  }
}

export function readableInstances(root: StateRoot): Instance[] {
  return instanceIds(root).flatMap((id) => unlessBroken(id, () => readInstance(root, id), leaveOut) ?? []);
}

/** The state of one whose record cannot be read is that of its processes. */
export function brokenRuns(root: StateRoot, id: string): boolean {
  const paths = instancePaths(root, id);
  return mainProcess(paths, id) !== undefined || engineMain(paths) !== undefined;
}

/** Whether it runs or is about to; one that cannot be read does by its processes. */
export function mayRun(root: StateRoot, id: string): boolean {
  const seen = unlessBroken(
    id,
    () => {
      const instance = readInstance(root, id);
      return instance === undefined ? "exited" : statusOf(instance.paths, id).state;
    },
    leaveOut,
  );
  return seen === undefined ? brokenRuns(root, id) : seen === "running" || seen === "starting";
}

const warned = new Set<string>();

/** Once by each command. */
export function warnOfBroken(log: Log): Broken {
  return (id, { message }) => {
    if (warned.has(id)) return;
    warned.add(id);
    const short = id.slice(0, 12);
    log.warn(
      `the instance ${short} is left out: ${message}; \`tranship rm --force ${short}\` removes what is left of it`,
    );
  };
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
  const id = findId(root, text);
  const found = id === undefined ? undefined : readInstance(root, id);
  if (found !== undefined) return found;
  throw new TranshipError("E_INSTANCE_NOT_FOUND", `no such instance: ${text}`, {
    hint: "see what there is with `tranship ps -a`",
  });
}

/** Also of one whose record cannot be read. E_ID_AMBIGUOUS. */
export function findId(root: StateRoot, text: string): string | undefined {
  const named = /^[\w.-]+$/.test(text) ? holder(root, "names", text) : undefined;
  if (named !== undefined && existsSync(instancePaths(root, named).record)) return named;
  const fits = /^[0-9a-f]+$/.test(text) ? instanceIds(root).filter((id) => id.startsWith(text)) : [];
  if (fits.length > 1) {
    const list = fits.slice(0, 5).map((id) => id.slice(0, 12));
    throw new TranshipError("E_ID_AMBIGUOUS", `${text} fits ${fits.length} instances: ${list.join(", ")}`, {
      hint: "give more digits, or the name",
    });
  }
  return fits[0];
}

export interface ListedInstance extends Instance {
  readonly status: InstanceStatus;
}

/**
 * Newest first. `broken`: takes those whose records cannot be read, and the others are listed without them; absent: they are an error, for whoever would
 * throw away what no instance uses.
 */
export function listInstances(root: StateRoot, broken?: Broken): ListedInstance[] {
  return instanceIds(root)
    .flatMap((id) => {
      const read = (): ListedInstance | undefined => {
        const instance = readInstance(root, id);
        return instance === undefined ? undefined : { ...instance, status: statusOf(instance.paths, id) };
      };
      return (broken === undefined ? read() : unlessBroken(id, read, broken)) ?? [];
    })
    .sort((a, b) => (a.record.createdAt < b.record.createdAt ? 1 : -1));
}

export function inspectInstance(root: StateRoot, text: string): ListedInstance {
  const instance = findAny(root, text);
  return { ...instance, status: statusOf(instance.paths, instance.record.id) };
}
