// A plan that was made before, with what observed instances missed: their lookups and what those need are a plan of their own, and joined to it.
import type { Machine } from "../../machine/machine.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import type { Captured, CaptureTools } from "../captured.ts";
import { mergePlans, type PlanWithEvidence } from "../plan/merge-plans.ts";
import { plan } from "../plan-capture.ts";

/** What `base` leaves out stays out. */
export async function withMisses(
  machine: Machine,
  base: PlanWithEvidence,
  closure: boolean,
  tools: CaptureTools,
): Promise<PlanWithEvidence> {
  if ((tools.missed ?? []).length === 0) return base;
  const missed = await planMisses(machine, base.plan.package, closure, tools);
  return await mergePlans(machine, base, { ...missed, name: "of the misses" });
}

/** What was missed and what that needs, apart from what the package has. */
export async function planMisses(
  machine: Machine,
  descriptor: Descriptor,
  closure: boolean,
  tools: CaptureTools,
): Promise<Captured> {
  const choices = { include: [], filters: [], volumes: [], keepSecrets: [], closure, alsoInstalled: [] };
  // Without programs: what those need is in the plan that is there.
  const bare = {
    ...descriptor,
    ...{ programs: [], services: [], schedules: [], ports: [], volumes: [], directories: [], secrets: [] },
  };
  const parts = { evidence: undefined, schedules: false, choices, exercised: [] };
  return await plan(machine, bare, parts, tools);
}
