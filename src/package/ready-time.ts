// Until when the services of a package that start by themselves are ready, for platforms that ask before and would take a slow start for a failure. Pure.
import { parseDuration } from "../base/units.ts";
import type { Descriptor } from "./descriptor.ts";

/** Milliseconds; undefined: nothing says when they are. */
export function readyTime({ services }: Descriptor): number | undefined {
  const waits = services.flatMap(({ readiness, startup = "auto" }) => {
    const told = readiness?.port ?? readiness?.file ?? readiness?.exec ?? readiness?.log;
    return startup !== "auto" || told === undefined ? [] : [parseDuration(readiness?.timeout ?? "30s")];
  });
  // One may wait for another.
  return waits.length === 0 ? undefined : waits.reduce((sum, wait) => sum + wait, 0);
}
