// How long an instance is given to stop by itself before it is killed.
import type { InitPlan } from "../package/init-plan.ts";

const least = 10_000;
/** For what services leave running: init sends SIGTERM, waits two seconds, and sends SIGKILL. */
const orphans = 3000;

/**
 * Milliseconds. Services are stopped one after the other, each with its own time: who kills init before all of them had theirs takes from a
 * database the time that its descriptor gives it.
 */
export function stopTime(plan: InitPlan | undefined, command: readonly string[]): number {
  if (plan === undefined || command.length > 0) return least;
  const own = plan.services
    .filter((service) => service.startup === "auto" && service.type !== "oneshot")
    .reduce((sum, service) => sum + service.stop.timeout, 0);
  return Math.max(least, own + orphans);
}
