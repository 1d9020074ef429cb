// Flags of stop and restart.
import { parseDuration } from "../../base/units.ts";
import { type StopOptions, signalNumber } from "../../runtime/stop.ts";
import { type OptionValues, text } from "../verb.ts";

export function stopOptions(options: OptionValues): StopOptions {
  const time = text(options, "time") ?? text(options, "timeout");
  const signal = text(options, "signal");
  if (signal !== undefined) signalNumber(signal);
  // As docker: below zero it is waited for without end.
  const timeout = (word: string): number =>
    /^-\d+$/.test(word) ? Number.POSITIVE_INFINITY : parseDuration(word);
  return {
    ...(time === undefined ? {} : { timeout: timeout(time) }),
    ...(signal === undefined ? {} : { signal }),
  };
}
