// The directory of an instance that is being put together. Its name tells its owner, a process that lives as long as that: what
// a dead one left is removed by the next command. It becomes the instance's by one rename.
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ioError } from "../host/files.ts";
import { processStartTime } from "../host/lock.ts";
import { randomHex } from "../host/random.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { draftId, supervisorPid } from "../host/supervisor.ts";
import { pathsIn } from "./instance-paths.ts";

export interface Draft {
  /** Of the instance. */
  readonly id: string;
  readonly path: string;
}

function draftOf(root: StateRoot, id: string, owner: number): Draft {
  return { id, path: join(root.instances, `.new-${id}-${owner}-${processStartTime(owner) ?? ""}`) };
}

/** Ids of the instances that are being put together, also by commands that are dead. */
export function draftIds(root: StateRoot): string[] {
  return readdirSync(root.instances).flatMap((name) => /^\.new-([0-9a-f]{64})-/.exec(name)?.[1] ?? []);
}

/** The one that native/supervise has made meanwhile, with the files too that every start writes, still empty; undefined where there is none. */
export function takeDraft(root: StateRoot): Draft | undefined {
  const id = draftId();
  const made = id === undefined ? undefined : draftOf(root, id, supervisorPid());
  return made !== undefined && existsSync(made.path) ? made : undefined;
}

/** The same directories as in native/supervise/draft.c. */
export function makeDraft(root: StateRoot): Draft {
  const made = draftOf(root, randomHex(32), process.pid);
  step("instance draft");
  try {
    mkdirSync(made.path, { mode: 0o700 });
    // The root directory of an overlay is its upper one: every user inside must be able to pass it.
    const { upper, work, bundle, files, oci, run } = pathsIn(made.path);
    mkdirSync(upper, { mode: 0o755 });
    for (const directory of [work, bundle, files, oci]) mkdirSync(directory, { mode: 0o700 });
    for (const directory of [run, `${run}/log`]) mkdirSync(directory, { mode: 0o755 });
  } catch (cause) {
    rmSync(made.path, { recursive: true, force: true });
    throw ioError(`cannot create ${made.path}`, cause);
  }
  return made;
}
