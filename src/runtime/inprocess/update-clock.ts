// Another wall clock for an instance of the in-process engine, also for one that runs: its programs see it at once. Under namespaces a clock is that of the start.
import { TranshipError } from "../../base/errors.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import type { ClockElement } from "../../package/descriptor.ts";
import { clockRule } from "../../redirect/clock.ts";
import { runningClock } from "../elements.ts";
import { whileLocked } from "../end.ts";
import { note } from "../events/note.ts";
import { findAny, type Instance } from "../find.ts";
import { writeRecord } from "../record.ts";
import { statusOf } from "../state.ts";
import { changeClockPage } from "./clock-page.ts";

/** From now on, and for later starts. E_INSTANCE_STATE where that cannot be. */
export async function updateClock(root: StateRoot, text: string, clock: ClockElement): Promise<void> {
  await whileLocked(root, findAny(root, text), "update", (instance) => change(root, instance, clock));
}

function change(root: StateRoot, { paths, record }: Instance, clock: ClockElement): void {
  if (record.engine !== "inprocess") {
    throw new TranshipError("E_INSTANCE_STATE", `the clock of ${record.name} is that of its start`, {
      hint: "give `run --clock` to a new instance, or `run --engine inprocess` to one whose clock is to change",
    });
  }
  const own = clockRule(clock) === undefined ? null : clock;
  const next = { ...record, elements: { ...plain, ...record.elements, clock: own } };
  const running = runningClock(next.elements, BigInt(Date.now()) * 1_000_000n);
  if (statusOf(paths, record.id).pid !== undefined)
    changeClockPage(paths.clock, record.name, running ?? unchanged);
  step("clock changed");
  writeRecord(paths, next);
  note(root, next, "update");
}

const plain = { clock: null, uname: null, vsyscall: "auto" } as const;
/** That of the host. */
const unchanged = { kernel: 0n, app: 0n, rate: 1n << 32n };
