// Flags of what the kernel does not virtualise, as values.
import { TranshipError } from "../../base/errors.ts";
import type { ClockElement } from "../../package/descriptor.ts";
import { clockRule } from "../../redirect/clock.ts";
import type { ElementOptions } from "../../runtime/elements.ts";
import { type OptionValues, text } from "../verb.ts";

export function elementOptions(options: OptionValues): ElementOptions {
  const clock = clockOf(text(options, "clock"), text(options, "clockRate"));
  const release = text(options, "unameRelease");
  return {
    ...(clock === undefined ? {} : { clock }),
    ...(release === undefined ? {} : { uname: { release } }),
  };
}

/** Checked here, so that the message names the flag. */
function clockOf(change: string | undefined, pace: string | undefined): ClockElement | undefined {
  if (change === undefined && pace === undefined) return undefined;
  const rate = pace === undefined ? undefined : Number(pace);
  if (pace !== undefined && !/^\d{1,4}(\.\d{1,9})?$/.test(pace))
    throw usage(`--clock-rate ${pace}`, "write a number below 1024: 2 is twice as fast, 0 stands");
  const clock = standing(change, rate) ?? { ...movedBy(change), ...(rate === undefined ? {} : { rate }) };
  try {
    clockRule(clock);
  } catch (cause) {
    const hint = cause instanceof TranshipError ? cause.hint : undefined;
    throw usage(
      `--clock ${change ?? ""}${pace === undefined ? "" : ` --clock-rate ${pace}`}`,
      hint ?? "",
      cause,
    );
  }
  return clock;
}

function standing(change: string | undefined, rate: number | undefined): ClockElement | undefined {
  if (rate !== 0) return undefined;
  if (change?.startsWith("@") === true) return { frozen: change.slice(1) };
  throw usage("--clock-rate 0", "say at which time it stands: --clock @2009-01-01T00:00:00Z");
}

function movedBy(change: string | undefined): ClockElement {
  if (change === undefined) return {};
  if (change.startsWith("@")) return { at: change.slice(1) };
  if (/^[+-]/.test(change)) return { offset: change };
  throw usage(
    `--clock ${change}`,
    "write +DURATION or -DURATION (90m, 3650d), or @TIME (2009-01-01T00:00:00Z)",
  );
}

function usage(what: string, hint: string, cause?: unknown): TranshipError {
  return new TranshipError("E_USAGE", `not a clock: ${what}`, { hint, cause });
}
