// What the deployment of a version starts: services say so by startOnDeploy, which later starts of the instance do not look at. So its first start
// has a plan of its own.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { writeFileAtomic } from "../../host/files.ts";
import { step } from "../../host/steps.ts";
import type { Descriptor, Service } from "../../package/descriptor.ts";
import { compileInitPlan, encodeInitPlan } from "../../package/init-plan.ts";
import type { InstancePaths } from "../../runtime/instance-paths.ts";
import { withServices } from "../../runtime/manual-services.ts";

export const isAuto = ({ startup = "auto" }: Service): boolean => startup === "auto";

/** The descriptor as a deployment starts it, with all that those services come after; undefined: as ever. */
export function deployedFirst(descriptor: Descriptor): Descriptor | undefined {
  const usable = descriptor.services.filter(({ startup }) => startup !== "disabled");
  if (usable.every((one) => (one.startOnDeploy ?? isAuto(one)) === isAuto(one))) return undefined;
  const asked = usable.filter((one) => one.startOnDeploy ?? isAuto(one)).map(({ name }) => name);
  const services = descriptor.services.map(
    (one): Service => (isAuto(one) ? { ...one, startup: "manual" } : one),
  );
  return withServices({ ...descriptor, services }, asked, descriptor.metadata.id);
}

/** `start` finds the plan of that descriptor; what starts later finds the one that was there. Killed in between, the version is undone. */
export async function withPlanOf(
  { plan }: InstancePaths,
  descriptor: Descriptor,
  start: () => Promise<void>,
): Promise<void> {
  const before = existsSync(plan) ? readFileSync(plan) : undefined;
  step("plan of the first start of the version");
  writeFileAtomic(plan, encodeInitPlan(compileInitPlan(descriptor)));
  try {
    await start();
  } finally {
    if (before === undefined) rmSync(plan, { force: true });
    else writeFileAtomic(plan, before);
  }
}
