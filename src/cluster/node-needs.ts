// Where a package runs, as constraints on the attributes that nodes have: what `assess` says about a machine, said for all of them.
import { assess } from "../assess/assess.ts";
import { vsyscall } from "../assess/rules/vsyscall.ts";
import { readTarget } from "../assess/target.ts";
import { discover } from "../discover/discover.ts";
import type { Machine } from "../machine/machine.ts";
import type { Descriptor } from "../package/descriptor.ts";
import type { TaskDefinitionPlacementConstraint } from "./api/shapes.ts";

/** As the ECS words them; ours for what is the same in both. */
const architectures: Readonly<Record<string, string>> = { amd64: "x86_64" };

/** `machine`: the package's own files. */
export async function nodeNeeds(
  descriptor: Descriptor,
  machine: Machine,
): Promise<TaskDefinitionPlacementConstraint[]> {
  const { architecture } = descriptor.origin;
  const needs = [`attribute:ecs.cpu-architecture == ${architectures[architecture] ?? architecture}`];
  if (needsOurRuntime(descriptor)) needs.push("attribute:tranship.engines == namespace");
  if (await callsVsyscall(machine)) needs.push("attribute:tranship.vsyscall != none");
  return needs.map((expression) => ({ type: "memberOf", expression }));
}

/** An engine that runs the bare image does not carry these out. */
function needsOurRuntime({ redirections, elements, identity, links }: Descriptor): boolean {
  return (
    links.length > 0 ||
    redirections.files.length + redirections.network.length > 0 ||
    elements.clock !== null ||
    elements.uname !== null ||
    identity.machineId !== null ||
    identity.hostId !== null ||
    identity.dmi !== null
  );
}

/** Whether it would end on a kernel without the vsyscall page. */
async function callsVsyscall(machine: Machine): Promise<boolean> {
  const target = { ...readTarget(), vsyscall: "none" as const };
  const { verdict } = await assess(await discover(machine), machine, target, { rules: [vsyscall] });
  return verdict === "Blocked";
}
