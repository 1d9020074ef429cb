// Flags of stop and restart.
import { parseDuration } from "../../base/units.ts";
import { type StopOptions, signalNumber } from "../../runtime/stop.ts";
import { type OptionValues, text } from "../verb.ts";

export function stopOptions(options: OptionValues): StopOptions {
  const time = text(options, "time") ?? text(options, "timeout");
  const signal = text(options, "signal");
  if (signal !== undefined) signalNumber(signal);
  return {
    ...(time === undefined ? {} : { timeout: parseDuration(time) }),
    ...(signal === undefined ? {} : { signal }),
  };
}
