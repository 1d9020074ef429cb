// Task sets of services with the EXTERNAL deployment controller: kept as state for the controller that asks for them. No tasks are started for them here.
import { EcsError, invalidParameter } from "../api/ecs-error.ts";
import type {
  CreateTaskSetRequest,
  CreateTaskSetResponse,
  DeleteTaskSetRequest,
  DeleteTaskSetResponse,
  DescribeTaskSetsRequest,
  DescribeTaskSetsResponse,
  Failure,
  Scale,
  TaskSet,
  UpdateServicePrimaryTaskSetRequest,
  UpdateServicePrimaryTaskSetResponse,
  UpdateTaskSetRequest,
  UpdateTaskSetResponse,
} from "../api/shapes.ts";
import type { ServiceEntity, TaskSetEntity } from "../state/entities.ts";
import type { Call } from "./control.ts";
import { clusterOf, definitionOf, resource, serviceOf } from "./names.ts";
import { checkTags } from "./tags.ts";

export function createTaskSet(call: Call, input: CreateTaskSetRequest): CreateTaskSetResponse {
  const { control } = call;
  const service = serviceFor(call, input);
  if (service.wire.deploymentController?.type !== "EXTERNAL")
    throw invalidParameter(
      "Amazon ECS only supports task sets for services with the EXTERNAL deployment controller.",
    );
  if (service.wire.status !== "ACTIVE")
    throw new EcsError("ServiceNotActiveException", "Service was not ACTIVE.");
  const definition = definitionOf(control.state, input.taskDefinition, "Unable to find task definition.");
  const number = `ecs-svc/${control.newNumber(19)}`;
  const entity: TaskSetEntity = {
    id: number,
    service: service.key,
    wire: {
      id: number,
      taskSetArn: control.arn(call.region, "task-set", service.cluster, service.name, number),
      serviceArn: service.wire.serviceArn,
      clusterArn: service.wire.clusterArn,
      ...(input.externalId === undefined ? {} : { externalId: input.externalId }),
      status: "ACTIVE",
      taskDefinition: definition.wire.taskDefinitionArn,
      computedDesiredCount: computed(service, input.scale),
      pendingCount: 0,
      runningCount: 0,
      createdAt: control.seconds,
      updatedAt: control.seconds,
      launchType: input.launchType ?? "EC2",
      ...(input.networkConfiguration === undefined
        ? {}
        : { networkConfiguration: input.networkConfiguration }),
      loadBalancers: [],
      serviceRegistries: [],
      scale: input.scale ?? { value: 0, unit: "PERCENT" },
      stabilityStatus: "STABILIZING",
      stabilityStatusAt: control.seconds,
      tags: checkTags(input.tags),
    },
  };
  control.state.taskSet.put(entity);
  return { taskSet: entity.wire };
}

function computed(service: ServiceEntity, scale: Scale | undefined): number {
  const value = scale?.value ?? 0;
  if (!(value >= 0 && value <= 100))
    throw invalidParameter("The scale of a task set is between 0 and 100 percent.");
  return Math.ceil((service.wire.desiredCount * value) / 100);
}

export function describeTaskSets(call: Call, input: DescribeTaskSetsRequest): DescribeTaskSetsResponse {
  const service = serviceFor(call, input);
  const all = [...call.control.state.taskSet.group(service.key)];
  if (input.taskSets === undefined || input.taskSets.length === 0)
    return { taskSets: all.map(({ wire }) => shown(wire, input.include)), failures: [] };
  const taskSets: TaskSet[] = [];
  const failures: Failure[] = [];
  for (const text of input.taskSets) {
    const found = all.find(({ id }) => id === idIn(text));
    if (found === undefined) failures.push({ arn: text, reason: "MISSING" });
    else taskSets.push(shown(found.wire, input.include));
  }
  return { taskSets, failures };
}

function shown(wire: TaskSet, include: readonly string[] | undefined): TaskSet {
  return include?.includes("TAGS") ? wire : { ...wire, tags: [] };
}

export function updateTaskSet(call: Call, input: UpdateTaskSetRequest): UpdateTaskSetResponse {
  const service = serviceFor(call, input);
  const found = taskSetOf(call, service, input.taskSet);
  found.wire.computedDesiredCount = computed(service, input.scale);
  found.wire.scale = input.scale;
  found.wire.updatedAt = call.control.seconds;
  call.control.state.taskSet.put(found);
  return { taskSet: found.wire };
}

export function deleteTaskSet(call: Call, input: DeleteTaskSetRequest): DeleteTaskSetResponse {
  const service = serviceFor(call, input);
  const found = taskSetOf(call, service, input.taskSet);
  if (found.wire.status === "PRIMARY" && !input.force)
    throw invalidParameter("A PRIMARY task set is deleted with force only.");
  call.control.state.taskSet.delete(found.id);
  return { taskSet: { ...found.wire, status: "DRAINING" } };
}

export function updateServicePrimaryTaskSet(
  call: Call,
  input: UpdateServicePrimaryTaskSetRequest,
): UpdateServicePrimaryTaskSetResponse {
  const service = serviceFor(call, input);
  const found = taskSetOf(call, service, input.primaryTaskSet);
  for (const other of [...call.control.state.taskSet.group(service.key)]) {
    other.wire.status = other === found ? "PRIMARY" : "ACTIVE";
    call.control.state.taskSet.put(other);
  }
  service.wire.taskDefinition = found.wire.taskDefinition;
  call.control.state.service.put(service);
  return { taskSet: found.wire };
}

function serviceFor(call: Call, input: { cluster: string; service: string }): ServiceEntity {
  return serviceOf(call.control.state, clusterOf(call.control.state, input.cluster).name, input.service);
}

function taskSetOf(call: Call, service: ServiceEntity, text: string): TaskSetEntity {
  const found = call.control.state.taskSet.get(idIn(text));
  if (found === undefined || found.service !== service.key)
    throw new EcsError("TaskSetNotFoundException", "The specified task set wasn't found.");
  return found;
}

function idIn(text: string): string {
  return text.startsWith("arn:") ? resource(text, "task-set").split("/").slice(-2).join("/") : text;
}
