// New limits and another restart rule for an instance, also for one that runs. The record comes first; the file `updating` says that the
// control groups may not follow it yet, so that the next command finishes what a killed one began (applyLimits).
import { existsSync, rmSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import { cgroupLimits, setCgroupLimits } from "../host/cgroup-limits.ts";
import { readJson, writeFileAtomic } from "../host/files.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { whileLocked } from "./end.ts";
import { note } from "./events/note.ts";
import { findInstance, type Instance } from "./find.ts";
import { checkLimits } from "./limits/check.ts";
import { instanceGroup } from "./limits/groups.ts";
import { type Limits, weightOfShares } from "./limits/limits.ts";
import { setRates } from "./limits/rates.ts";
import { type InstanceRecord, type RestartRule, writeRecord } from "./record.ts";
import { statusOf } from "./state.ts";

export interface Update {
  /** null takes a limit away; absent leaves it as it is. */
  limits?: Partial<Limits>;
  restart?: RestartRule;
}

export async function updateInstance(root: StateRoot, text: string, update: Update): Promise<void> {
  await whileLocked(root, findInstance(root, text), "update", (instance) => change(root, instance, update));
}

async function change(root: StateRoot, { paths, record }: Instance, update: Update): Promise<void> {
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
  checkTogether(next);
  const changed = Object.keys(update.limits ?? {});
  const running = statusOf(paths, record.id).pid !== undefined && changed.length > 0;
  if (running) writeFileAtomic(paths.updating, JSON.stringify(changed), { volatile: true });
  step("update record");
  writeRecord(paths, next);
  if (running) {
    try {
      await applyLimits({ paths, record: next });
    } catch (error) {
      // What cannot be in force must not stand in the record.
      writeRecord(paths, record);
      await applyLimits({ paths, record });
      throw error;
    }
  }
  note(root, next, "update");
}

function checkTogether(record: InstanceRecord): void {
  checkLimits(record);
  const { memory, memorySwap } = record.limits;
  if (typeof memorySwap === "number" && memorySwap < (memory ?? 0)) {
    throw new TranshipError(
      "E_USAGE",
      `memory with swap (${memorySwap}) would be less than memory (${memory})`,
      {
        hint: "change both in one command",
      },
    );
  }
}

/** Gives the limits of the record that the file `updating` names to a running instance. Call with its lock held. */
export async function applyLimits({ paths, record }: Instance): Promise<void> {
  if (!existsSync(paths.updating)) return;
  const { pid } = statusOf(paths, record.id);
  if (pid !== undefined) {
    step("apply limits");
    const changed = readJson(paths.updating) as string[];
    const missing = setLimits(record, changed);
    if (missing.length > 0) {
      throw new TranshipError(
        "E_LIMIT_UNSUPPORTED",
        `this host cannot limit ${missing.join(", ")} of ${record.name}`,
        {
          hint: "`tranship doctor` shows which controllers of control groups there are",
        },
      );
    }
    await setRates(record, pid, changed);
  }
  step("updated");
  rmSync(paths.updating, { force: true });
}

function setLimits({ id, name, limits }: InstanceRecord, changed: readonly string[]): string[] {
  try {
    return setCgroupLimits(instanceGroup(id), limits, {
      only: cgroupLimits.filter((one) => changed.includes(one)),
      weight: weightOfShares,
    });
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
