// Operations on task definitions.
import { clientError, invalidParameter } from "../api/ecs-error.ts";
import type {
  DeleteTaskDefinitionsRequest,
  DeleteTaskDefinitionsResponse,
  DeregisterTaskDefinitionRequest,
  DeregisterTaskDefinitionResponse,
  DescribeTaskDefinitionRequest,
  DescribeTaskDefinitionResponse,
  Failure,
  ListTaskDefinitionFamiliesRequest,
  ListTaskDefinitionFamiliesResponse,
  ListTaskDefinitionsRequest,
  ListTaskDefinitionsResponse,
  RegisterTaskDefinitionRequest,
  RegisterTaskDefinitionResponse,
  TaskDefinition,
} from "../api/shapes.ts";
import type { TaskDefinitionEntity } from "../state/entities.ts";
import type { State } from "../state/state.ts";
import { checkDefinition, plainSizes } from "./check-definition.ts";
import type { Call } from "./control.ts";
import { checkName, definitionOf } from "./names.ts";
import { page } from "./pages.ts";
import { checkTags } from "./tags.ts";

export function registerTaskDefinition(
  call: Call,
  input: RegisterTaskDefinitionRequest,
): RegisterTaskDefinitionResponse {
  const { state } = call.control;
  checkName(input.family, "Family");
  const tags = checkTags(input.tags);
  checkDefinition(input);
  const refused = call.control.driver.refuses(input as TaskDefinition);
  if (refused !== undefined) throw clientError(refused);
  const revision = (state.family.get(input.family)?.last ?? 0) + 1;
  const { tags: _, ...given } = input;
  const entity: TaskDefinitionEntity = {
    key: `${input.family}:${revision}`,
    family: input.family,
    revision,
    tags,
    wire: {
      ...given,
      ...plainSizes(given),
      taskDefinitionArn: call.control.arn(call.region, "task-definition", `${input.family}:${revision}`),
      revision,
      status: "ACTIVE",
      containerDefinitions: input.containerDefinitions.map((container) => ({
        ...container,
        cpu: container.cpu ?? 0,
        essential: container.essential ?? true,
        environment: container.environment ?? [],
        mountPoints: container.mountPoints ?? [],
        volumesFrom: container.volumesFrom ?? [],
        portMappings: (container.portMappings ?? []).map((mapping) => ({
          ...mapping,
          hostPort:
            mapping.hostPort ??
            (input.networkMode === "awsvpc" || input.networkMode === "host" ? mapping.containerPort : 0),
          protocol: mapping.protocol ?? "tcp",
        })),
        systemControls: container.systemControls ?? [],
      })),
      volumes: input.volumes ?? [],
      placementConstraints: input.placementConstraints ?? [],
      requiresAttributes: [],
      compatibilities: ["EXTERNAL", "EC2"],
      networkMode: input.networkMode ?? "bridge",
      registeredAt: call.control.seconds,
      registeredBy: call.principal,
    },
  };
  state.family.put({ name: input.family, last: revision });
  state.definition.put(entity);
  return { taskDefinition: entity.wire, tags };
}

export function describeTaskDefinition(
  call: Call,
  input: DescribeTaskDefinitionRequest,
): DescribeTaskDefinitionResponse {
  const found = definitionOf(call.control.state, input.taskDefinition, "Unable to describe task definition.");
  return { taskDefinition: found.wire, ...(input.include?.includes("TAGS") ? { tags: found.tags } : {}) };
}

/** It stays describable, and what runs by it goes on. */
export function deregisterTaskDefinition(
  call: Call,
  input: DeregisterTaskDefinitionRequest,
): DeregisterTaskDefinitionResponse {
  const { state } = call.control;
  if (!input.taskDefinition.includes(":")) throw clientError("Revision is missing.");
  const found = definitionOf(state, input.taskDefinition, "The specified task definition does not exist.");
  found.wire.status = "INACTIVE";
  found.wire.deregisteredAt = call.control.seconds;
  state.definition.put(found);
  return { taskDefinition: found.wire };
}

/** Only INACTIVE ones; one that tasks still use is DELETE_IN_PROGRESS until they have ended. */
export function deleteTaskDefinitions(
  call: Call,
  input: DeleteTaskDefinitionsRequest,
): DeleteTaskDefinitionsResponse {
  const { state } = call.control;
  if (input.taskDefinitions.length > 10)
    throw invalidParameter("At most 10 task definitions can be deleted in one call.");
  const taskDefinitions: TaskDefinition[] = [];
  const failures: Failure[] = [];
  // All of them before any is changed: one that names no revision refuses the call.
  const named = input.taskDefinitions.map((text) => [text, lookUp(call, text)] as const);
  for (const [text, found] of named) {
    if (found === undefined) failures.push({ arn: text, reason: "MISSING" });
    else if (found.wire.status === "ACTIVE")
      failures.push({
        arn: found.wire.taskDefinitionArn,
        reason: "INVALID",
        detail:
          "The specified task definition is still in ACTIVE status. Please deregister the target and try again.",
      });
    else {
      found.wire.status = "DELETE_IN_PROGRESS";
      found.wire.deleteRequestedAt = call.control.seconds;
      if (isUsed(state, found)) state.definition.put(found);
      else state.definition.delete(found.key);
      taskDefinitions.push(found.wire);
    }
  }
  return { taskDefinitions, failures };
}

function lookUp(call: Call, text: string): TaskDefinitionEntity | undefined {
  if (!text.replace(/^arn:(?:[^:]*:){4}/, "").includes(":")) throw clientError("Revision is missing.");
  try {
    return definitionOf(call.control.state, text, "");
  } catch {
    return undefined;
  }
}

/** Those whose last user has gone since they were deleted. */
export function forgetDeleted(state: State): void {
  for (const definition of [...state.definition.all()])
    if (definition.wire.status === "DELETE_IN_PROGRESS" && !isUsed(state, definition))
      state.definition.delete(definition.key);
}

function isUsed(state: State, { key }: TaskDefinitionEntity): boolean {
  for (const task of state.task.all())
    if (task.definition === key && task.wire.lastStatus !== "STOPPED") return true;
  for (const service of state.service.all())
    if (service.wire.status === "ACTIVE" && service.deployments.some(({ definition }) => definition === key))
      return true;
  return false;
}

export function listTaskDefinitions(
  call: Call,
  input: ListTaskDefinitionsRequest,
): ListTaskDefinitionsResponse {
  const status = input.status ?? "ACTIVE";
  const sign = input.sort === "DESC" ? -1 : 1;
  const arns: string[] = [];
  for (const { family, wire } of call.control.state.definition.all()) {
    if (wire.status !== status) continue;
    if (input.familyPrefix === undefined || family === input.familyPrefix) arns.push(wire.taskDefinitionArn);
  }
  const { keys, ...more } = page(arns, input, {
    question: "ListTaskDefinitions",
    compare: (a, b) => sign * compareRevisions(a, b),
  });
  return { taskDefinitionArns: keys, ...more };
}

/** By family, then by number of the revision. */
function compareRevisions(a: string, b: string): number {
  const [, familyA = "", revisionA] = /^(.*):(\d+)$/.exec(a) ?? [];
  const [, familyB = "", revisionB] = /^(.*):(\d+)$/.exec(b) ?? [];
  if (familyA !== familyB) return familyA < familyB ? -1 : 1;
  return Number(revisionA) - Number(revisionB);
}

export function listTaskDefinitionFamilies(
  call: Call,
  input: ListTaskDefinitionFamiliesRequest,
): ListTaskDefinitionFamiliesResponse {
  const { state } = call.control;
  const families = new Map<string, boolean>();
  for (const { family, wire } of state.definition.all()) {
    if (!family.startsWith(input.familyPrefix ?? "")) continue;
    families.set(family, (families.get(family) ?? false) || wire.status === "ACTIVE");
  }
  const status = input.status ?? "ALL";
  const names = [...families]
    .filter(([, active]) => status === "ALL" || (status === "ACTIVE") === active)
    .map(([family]) => family);
  const { keys, ...more } = page(names, input, { question: "ListTaskDefinitionFamilies" });
  return { families: keys, ...more };
}
