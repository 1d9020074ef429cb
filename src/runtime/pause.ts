// Pausing: the kernel's freezer holds every process of an instance where it is. Whether one is paused is asked of the kernel; the
// file `paused` only says that asking is worth while, so that nobody reads control groups for instances that nobody paused.
import { existsSync, rmSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import { cgroupFrozen, freezeCgroup } from "../host/cgroup.ts";
import { writeFileAtomic } from "../host/files.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { lockInstance } from "./end.ts";
import { note } from "./events/note.ts";
import { findInstance, type Instance } from "./find.ts";
import { instanceGroup } from "./limits/groups.ts";
import { pause } from "./processes.ts";
import { statusOf } from "./state.ts";

export function isPaused({ paths, record }: Instance): boolean {
  return existsSync(paths.paused) && cgroupFrozen(instanceGroup(record.id));
}

/** E_INSTANCE_STATE where it does not run, or is paused already. */
export async function pauseInstance(root: StateRoot, text: string): Promise<void> {
  await locked(root, text, "pause", async (instance) => {
    const { paths, record } = instance;
    if (isPaused(instance)) throw stateError(instance, "paused already", "unpause");
    writeFileAtomic(paths.paused, "", { volatile: true });
    step("freeze");
    // It is done when the last process has come to a stop, which one in a system call may delay.
    for (let round = 0; !cgroupFrozen(instanceGroup(record.id)); round++) {
      if (!freezeCgroup(instanceGroup(record.id), true) || round === longestFreeze) {
        freezeCgroup(instanceGroup(record.id), false);
        rmSync(paths.paused, { force: true });
        throw new TranshipError("E_INSTANCE_STATE", `the instance ${record.name} cannot be paused here`, {
          hint: "pausing needs the freezer of control groups; `tranship doctor` shows which controllers there are",
        });
      }
      await pause(Math.min(round, 10));
    }
    note(root, instance.record, "pause");
  });
}

const longestFreeze = 1000;

/** E_INSTANCE_STATE where it is not paused. */
export async function unpauseInstance(root: StateRoot, text: string): Promise<void> {
  await locked(root, text, "unpause", async (instance) => {
    if (!isPaused(instance)) throw stateError(instance, "not paused", "pause");
    step("thaw");
    thaw(instance);
    note(root, instance.record, "unpause");
  });
}

/** What is frozen sees no signal and, on older kernels, does not even die of one. Nothing where it is not paused. */
export function thaw({ paths, record }: Instance): void {
  if (!existsSync(paths.paused)) return;
  freezeCgroup(instanceGroup(record.id), false);
  rmSync(paths.paused, { force: true });
}

async function locked(
  root: StateRoot,
  text: string,
  what: string,
  work: (instance: Instance) => Promise<void>,
): Promise<void> {
  const instance = findInstance(root, text);
  const lock = await lockInstance(instance, what);
  try {
    const { state } = statusOf(instance.paths, instance.record.id);
    if (lock === undefined || state !== "running")
      throw stateError(instance, `not running but ${state}`, "start");
    await work(instance);
  } finally {
    lock?.release();
  }
}

function stateError({ record }: Instance, what: string, verb: string): TranshipError {
  return new TranshipError("E_INSTANCE_STATE", `the instance ${record.name} is ${what}`, {
    hint: `\`tranship ${verb} ${record.name}\``,
  });
}
