// Starting and ending tasks for a service, and what is said of it.
import type { place } from "../placement/place.ts";
import type { DeploymentEntity, ServiceEntity, TaskEntity } from "../state/entities.ts";
import { distribute } from "./capacity-providers.ts";
import type { Control } from "./control.ts";
import { needsOf } from "./demand.ts";
import { makeTask } from "./make-task.ts";
import { isProtected } from "./protection.ts";
import { isWell } from "./reconcile-tasks.ts";
import { serviceEvent, taskList } from "./service-events.ts";

export interface View {
  primary: DeploymentEntity;
  /** Not on their way out: those of the primary deployment in a good place, and those to be replaced. */
  good: TaskEntity[];
  old: TaskEntity[];
  /** On their way out and not gone: they count against the maximum, so that a singleton is never there twice. */
  stopping: number;
  desired: number;
  least: number;
  most: number;
}

type Choose = (
  definition: NonNullable<ReturnType<Control["state"]["definition"]["get"]>>,
  needs: ReturnType<typeof needsOf>,
) => ReturnType<typeof place>;

/** Starts what `choose` places, and says why not all could be. */
export function start(
  control: Control,
  service: ServiceEntity,
  primary: DeploymentEntity,
  count: number,
  choose: Choose,
): void {
  const definition = control.state.definition.get(primary.definition);
  const cluster = control.state.cluster.get(service.cluster);
  if (definition === undefined || cluster === undefined) return;
  const needs = needsOf(definition.wire);
  const { placed, failure } = choose(definition, needs);
  const providers = distribute(
    service.wire.capacityProviderStrategy ?? [],
    providersOf(control, service),
    count,
  );
  const region = service.wire.serviceArn.split(":")[3] ?? control.region;
  const started = placed.flatMap(({ id }, index) => {
    const instance = control.state.instance.get(id);
    if (instance === undefined) return [];
    return [
      makeTask(control, {
        region,
        cluster: service.cluster,
        clusterArn: cluster.wire.clusterArn,
        definition,
        instance,
        needs,
        overrides: {},
        group: `service:${service.name}`,
        startedBy: primary.id,
        tags: inherited(service, definition.tags),
        enableExecuteCommand: service.wire.enableExecuteCommand ?? false,
        capacityProvider: providers[index],
        launchType: service.wire.launchType,
        service: service.key,
        deployment: primary.id,
      }),
    ];
  });
  if (started.length > 0) {
    primary.wire.updatedAt = control.seconds;
    delete service.steady;
    delete service.lastComplaint;
    serviceEvent(control, service, `has started ${started.length} tasks: ${taskList(started)}.`);
  }
  if (failure !== undefined) complain(control, service, failure);
}

function providersOf(control: Control, service: ServiceEntity): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { wire } of control.occupancy.ofService(service.key)) {
    const name = wire.capacityProviderName;
    if (name !== undefined && wire.desiredStatus !== "STOPPED") counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function inherited(
  service: ServiceEntity,
  ofDefinition: readonly { key?: string | undefined; value?: string | undefined }[],
): { key?: string | undefined; value?: string | undefined }[] {
  const { propagateTags } = service.wire;
  const tags =
    propagateTags === "SERVICE"
      ? [...service.tags]
      : propagateTags === "TASK_DEFINITION"
        ? [...ofDefinition]
        : [];
  if (service.wire.enableECSManagedTags)
    tags.push(
      { key: "aws:ecs:clusterName", value: service.cluster },
      { key: "aws:ecs:serviceName", value: service.name },
    );
  return tags;
}

const complaints: Readonly<Record<string, string>> = {
  NO_INSTANCES: "No Container Instances were found in your cluster.",
  AGENT: "No container instance is ACTIVE with its agent connected.",
  ATTRIBUTE: "No container instance satisfies the placement constraints.",
  DISTINCT_INSTANCE: "Every container instance has a task of the service already.",
  "RESOURCE:CPU": "No container instance has sufficient CPU available.",
  "RESOURCE:MEMORY": "No container instance has sufficient memory available.",
  "RESOURCE:PORTS": "No container instance has the host ports free.",
};

/** Said once until it changes. */
function complain(control: Control, service: ServiceEntity, failure: string): void {
  say(
    control,
    service,
    failure,
    `was unable to place a task because no container instance met all of its requirements. Reason: ${complaints[failure] ?? failure}`,
  );
}

function say(control: Control, service: ServiceEntity, complaint: string, message: string): void {
  if (service.lastComplaint === complaint) return;
  service.lastComplaint = complaint;
  delete service.steady;
  serviceEvent(control, service, message);
}

/** A rollout whose bounds, rounded, allow neither to start a task nor to stop one waits for ever: one task of one with at least 50 and at most 150 percent, say. */
export function sayWhereStuck(control: Control, service: ServiceEntity, view: View): void {
  const { primary, good, old, stopping, desired, most } = view;
  if (primary.wire.rolloutState !== "IN_PROGRESS" || stopping > 0 || old.length === 0) return;
  if (good.length >= desired || good.length + old.length < most) return;
  // Of these something is still to be expected.
  const now = control.clock.now();
  const moves = [...good, ...old].some(
    (task) => task.wire.desiredStatus === "STOPPED" || !isWell(control, task) || isProtected(task, now),
  );
  if (moves) return;
  say(
    control,
    service,
    "CONFIGURATION",
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
  );
}

export function sayStopped(control: Control, service: ServiceEntity, tasks: readonly TaskEntity[]): void {
  if (tasks.length > 0)
    serviceEvent(control, service, `has stopped ${tasks.length} running tasks: ${taskList(tasks)}.`);
}
