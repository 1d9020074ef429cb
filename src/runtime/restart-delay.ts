// How long a restart rule waits. Pure.
import type { LaunchRecord } from "./launch-record.ts";

const shortestDelay = 100;
const longestDelay = 60_000;
/** Who ran so long is no longer one that fails again and again. */
const longRun = 10_000;

/** As docker: from a tenth of a second on, doubled up to a minute, and from the beginning after ten seconds of running. `ended`: by monotonicNow(). */
export function delayAfter(last: Pick<LaunchRecord, "delay" | "startedClock">, ended: number): number {
  const ran = last.startedClock === undefined ? 0 : ended - last.startedClock;
  if (last.delay === undefined || ran >= longRun) return shortestDelay;
  return Math.min(last.delay * 2, longestDelay);
}
