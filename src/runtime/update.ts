// New limits and another restart rule for an instance, also for one that runs. The record comes first; the file `updating` says that the
// control groups may not follow it yet, so that the next command finishes what a killed one began (applyLimits).
import { existsSync, rmSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import { setCgroupLimits } from "../host/cgroup-limits.ts";
import { writeFileAtomic } from "../host/files.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { lockInstance } from "./end.ts";
import { note } from "./events/note.ts";
import { findInstance, type Instance, readInstance } from "./find.ts";
import { type InstanceRecord, type Limits, type RestartRule, writeRecord } from "./record.ts";
import { statusOf } from "./state.ts";

export interface Update {
  /** null takes a limit away; absent leaves it as it is. */
  limits?: Partial<Limits>;
  restart?: RestartRule;
}

export async function updateInstance(root: StateRoot, text: string, update: Update): Promise<void> {
  const found = findInstance(root, text);
  const lock = await lockInstance(found, "update");
  try {
    const instance = readInstance(root, found.record.id);
    if (lock === undefined || instance === undefined) {
      throw new TranshipError("E_INSTANCE_NOT_FOUND", `no such instance: ${text}`, {
        hint: "it was removed a moment ago",
      });
    }
    change(root, instance, update);
  } finally {
    lock?.release();
  }
}

function change(root: StateRoot, { paths, record }: Instance, update: Update): void {
  if (record.autoRemove && update.restart !== undefined && update.restart.policy !== "no") {
    throw new TranshipError("E_USAGE", `${record.name} is removed when it ends: --restart contradicts that`, {
      hint: "run it again without --rm",
    });
  }
  const next = {
    ...record,
    limits: { ...record.limits, ...update.limits },
    ...(update.restart === undefined ? {} : { restart: update.restart }),
  };
  const running = statusOf(paths, record.id).pid !== undefined && update.limits !== undefined;
  if (running) writeFileAtomic(paths.updating, "", { volatile: true });
  step("update record");
  writeRecord(paths, next);
  if (running) {
    try {
      applyLimits({ paths, record: next });
    } catch (error) {
      // What cannot be in force must not stand in the record.
      writeRecord(paths, record);
      applyLimits({ paths, record });
      throw error;
    }
  }
  note(root, next, "update");
}

/** Gives the limits of the record to the control groups of a running instance. Call with its lock held. */
export function applyLimits({ paths, record }: Instance): void {
  if (!existsSync(paths.updating)) return;
  if (statusOf(paths, record.id).pid !== undefined) {
    step("apply limits");
    const missing = setLimits(record);
    if (missing.length > 0) {
      throw new TranshipError("E_RUNTIME", `this host cannot limit ${missing.join(", ")} of ${record.name}`, {
        hint: "`tranship doctor` shows which controllers of control groups there are",
      });
    }
  }
  step("updated");
  rmSync(paths.updating, { force: true });
}

function setLimits({ id, name, limits }: InstanceRecord): string[] {
  try {
    return setCgroupLimits(`tranship/${id}`, limits);
  } catch (cause) {
    throw new TranshipError(
      "E_RUNTIME",
      `the limits of ${name} cannot be changed: ${(cause as Error).message}`,
      {
        hint: "a memory limit must be above what is in use; `tranship stats` shows that",
        cause,
      },
    );
  }
}
