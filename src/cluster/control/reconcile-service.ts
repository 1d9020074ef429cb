// Brings a service to what is wanted of it: starts and stops tasks within the bounds of its deployment configuration.
import type { PlacementStrategy } from "../api/shapes.ts";
import { place } from "../placement/place.ts";
import type { DeploymentEntity, ServiceEntity, TaskEntity } from "../state/entities.ts";
import { distribute } from "./capacity-providers.ts";
import type { Control } from "./control.ts";
import {
  allConstraints,
  candidateOf,
  candidatesOf,
  countByInstance,
  needsOf,
  spreadByDefault,
} from "./demand.ts";
import { makeTask } from "./make-task.ts";
import { isProtected } from "./protection.ts";
import { isWell } from "./reconcile-tasks.ts";
import { judgeRollout } from "./rollout.ts";
import { serviceEvent, serviceLabel, taskList } from "./service-events.ts";
import { endTask } from "./stop-task.ts";

/** A task that ran for so long, in milliseconds, has not failed its deployment when it ends later. */
export const steadyAfter = 10_000;
/** How long INACTIVE services can be described. */
const remembered = 3_600_000;

/** Returns when it wants to be called again, in milliseconds since 1970, if nothing happens before. */
export function stepService(control: Control, service: ServiceEntity): number | undefined {
  const tasks = [...control.occupancy.ofService(service.key)].filter(
    ({ wire }) => wire.lastStatus !== "STOPPED",
  );
  if (service.wire.status === "DRAINING") return drain(control, service, tasks);
  if (service.wire.status !== "ACTIVE" || service.wire.deploymentController?.type === "EXTERNAL")
    return undefined;
  const soon = [judgeRollout(control, service, [...control.occupancy.ofService(service.key)])];
  const primary = service.deployments[0];
  if (primary === undefined) return undefined;
  replaceUnhealthy(control, service, tasks);
  const live = tasks.filter(({ wire }) => wire.desiredStatus !== "STOPPED");
  const view = viewOf(control, service, primary, live, tasks.length - live.length);
  if (service.wire.schedulingStrategy === "DAEMON") stepDaemon(control, service, view);
  else {
    soon.push(startMissing(control, service, view));
    stopSurplus(control, service, view);
  }
  for (const task of live) if (isProtected(task, control.clock.now())) soon.push(task.protectedUntil);
  const times = soon.filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

function drain(control: Control, service: ServiceEntity, tasks: readonly TaskEntity[]): number | undefined {
  const ended = tasks.filter(({ wire }) => wire.desiredStatus !== "STOPPED");
  for (const task of ended)
    endTask(
      control,
      task,
      "ServiceSchedulerInitiated",
      `Scaling activity initiated by (${serviceLabel(service)})`,
    );
  sayStopped(control, service, ended);
  if (tasks.length > 0) return undefined;
  service.wire.status = "INACTIVE";
  service.inactiveAt = control.clock.now();
  service.deployments = [];
  control.state.service.put(service);
  return service.inactiveAt + remembered;
}

/** Forgets an INACTIVE service with its records when its time has come. */
export function forgetService(control: Control, service: ServiceEntity): void {
  if (service.inactiveAt === undefined || control.clock.now() < service.inactiveAt + remembered) return;
  for (const { id } of [...control.state.serviceDeployment.group(service.key)])
    control.state.serviceDeployment.delete(id);
  for (const { id } of [...control.state.revision.group(service.key)]) control.state.revision.delete(id);
  for (const { id } of [...control.state.taskSet.group(service.key)]) control.state.taskSet.delete(id);
  control.state.service.delete(service.key);
}

interface View {
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

function viewOf(
  control: Control,
  service: ServiceEntity,
  primary: DeploymentEntity,
  live: readonly TaskEntity[],
  stopping: number,
): View {
  const draining = (task: TaskEntity): boolean =>
    control.state.instance.get(task.instance ?? "")?.wire.status === "DRAINING";
  const good = live.filter((task) => task.deployment === primary.id && !draining(task));
  const old = live.filter((task) => !good.includes(task));
  const desired = service.wire.desiredCount;
  const { minimumHealthyPercent = 100, maximumPercent = 200 } = service.wire.deploymentConfiguration ?? {};
  return {
    primary,
    good,
    old,
    stopping,
    desired,
    least: Math.ceil((desired * minimumHealthyPercent) / 100),
    most: Math.floor((desired * maximumPercent) / 100),
  };
}

function replaceUnhealthy(control: Control, service: ServiceEntity, tasks: readonly TaskEntity[]): void {
  const grace = (service.wire.healthCheckGracePeriodSeconds ?? 0) * 1000;
  for (const task of tasks) {
    if (task.wire.healthStatus !== "UNHEALTHY" || task.wire.lastStatus !== "RUNNING") continue;
    if (
      task.wire.desiredStatus === "STOPPED" ||
      control.clock.now() < (task.wire.startedAt ?? 0) * 1000 + grace
    )
      continue;
    serviceEvent(control, service, `(task ${task.id}) failed container health checks.`);
    task.unhealthy = true;
    endTask(
      control,
      task,
      "ServiceSchedulerInitiated",
      `Task failed container health checks (${serviceLabel(service)})`,
    );
  }
}

/** As many as are missing and the maximum allows. Returns when to try again after failures. */
function startMissing(control: Control, service: ServiceEntity, view: View): number | undefined {
  const { primary, good, old, stopping, desired, most } = view;
  const missing = Math.min(desired - good.length, most - good.length - old.length - stopping);
  if (missing <= 0 || primary.wire.rolloutState === "FAILED") return undefined;
  if (primary.notBefore !== undefined && control.clock.now() < primary.notBefore) return primary.notBefore;
  start(control, service, primary, missing, (definition, needs) => {
    const strategy: readonly PlacementStrategy[] =
      service.strategy.length > 0 ? service.strategy : spreadByDefault;
    const all = [...good, ...old];
    return place(candidatesOf(control, service.cluster), missing, {
      ...needs,
      constraints: allConstraints(definition.wire, service.constraints),
      strategy,
      groupCounts: countByInstance(all),
      random: control.random,
    });
  });
  return undefined;
}

type Choose = (
  definition: NonNullable<ReturnType<Control["state"]["definition"]["get"]>>,
  needs: ReturnType<typeof needsOf>,
) => ReturnType<typeof place>;

function start(
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
  if (service.lastComplaint === failure) return;
  service.lastComplaint = failure;
  delete service.steady;
  serviceEvent(
    control,
    service,
    `was unable to place a task because no container instance met all of its requirements. Reason: ${complaints[failure] ?? failure}`,
  );
}

/** What is to be replaced goes as far as the minimum allows; what is too much goes too. Protected tasks stay. */
function stopSurplus(control: Control, service: ServiceEntity, view: View): void {
  const { good, old, desired, least } = view;
  const now = control.clock.now();
  const well = [...good, ...old].filter((task) => isWell(control, task)).length;
  let spare = Math.max(0, well - least);
  const candidates: TaskEntity[] = [...order(control, old)];
  // With a failed rollout nothing takes the place of the old ones.
  if (view.primary.wire.rolloutState === "FAILED" && desired > 0) candidates.length = 0;
  const surplus = good.length - desired;
  const chosen: TaskEntity[] = [];
  for (const task of candidates) {
    if (isProtected(task, now)) continue;
    if (isWell(control, task)) {
      if (spare === 0) continue;
      spare--;
    }
    chosen.push(task);
  }
  if (surplus > 0)
    chosen.push(
      ...order(control, good)
        .filter((task) => !isProtected(task, now))
        .slice(0, surplus),
    );
  for (const task of chosen)
    endTask(
      control,
      task,
      "ServiceSchedulerInitiated",
      `Scaling activity initiated by (deployment ${view.primary.id})`,
    );
  sayStopped(control, service, chosen);
}

/** Those that do not work first, then the youngest. */
function order(control: Control, tasks: readonly TaskEntity[]): TaskEntity[] {
  const rank = (task: TaskEntity): number => (isWell(control, task) ? 1 : 0);
  return tasks.toSorted((a, b) => rank(a) - rank(b) || (b.wire.createdAt ?? 0) - (a.wire.createdAt ?? 0));
}

function sayStopped(control: Control, service: ServiceEntity, tasks: readonly TaskEntity[]): void {
  if (tasks.length > 0)
    serviceEvent(control, service, `has stopped ${tasks.length} running tasks: ${taskList(tasks)}.`);
}

/** One task on each container instance that satisfies the constraints. */
function stepDaemon(control: Control, service: ServiceEntity, view: View): void {
  const { primary, good, old } = view;
  const definition = control.state.definition.get(primary.definition);
  if (definition === undefined) return;
  const constraints = allConstraints(definition.wire, service.constraints);
  const needs = needsOf(definition.wire);
  const wanted = [...control.state.instance.group(service.cluster)].filter((instance) => {
    const candidate = {
      ...candidateOf(control, instance),
      cpu: needs.cpu,
      memory: needs.memory,
      ports: new Set<string>(),
    };
    return (
      place([candidate], 1, {
        ...needs,
        constraints,
        strategy: [],
        groupCounts: new Map(),
        random: control.random,
      }).failure === undefined
    );
  });
  service.wire.desiredCount = wanted.length;
  const { minimumHealthyPercent = 0 } = service.wire.deploymentConfiguration ?? {};
  const least = Math.ceil((wanted.length * minimumHealthyPercent) / 100);
  let spare = Math.max(0, [...good, ...old].filter((task) => isWell(control, task)).length - least);
  const ended: TaskEntity[] = [];
  for (const task of old) {
    const needed = wanted.some(({ id }) => id === task.instance);
    if (isProtected(task, control.clock.now()) || (needed && isWell(control, task) && spare-- <= 0)) continue;
    ended.push(task);
  }
  for (const task of good) if (!wanted.some(({ id }) => id === task.instance)) ended.push(task);
  for (const task of ended)
    endTask(
      control,
      task,
      "ServiceSchedulerInitiated",
      `Scaling activity initiated by (deployment ${primary.id})`,
    );
  sayStopped(control, service, ended);
  if (primary.wire.rolloutState === "FAILED") return;
  if (primary.notBefore !== undefined && control.clock.now() < primary.notBefore) return;
  // An instance whose old task still runs waits until that has gone.
  const busy = new Set(
    [...control.occupancy.ofService(service.key)]
      .filter(({ wire }) => wire.lastStatus !== "STOPPED")
      .map(({ instance }) => instance),
  );
  const empty = wanted.filter(({ id }) => !busy.has(id));
  if (empty.length === 0) return;
  start(control, service, primary, empty.length, (_definition, demand) => {
    const placed = empty.map((instance) => candidateOf(control, instance));
    const results = placed.map((candidate) =>
      place([candidate], 1, {
        ...demand,
        constraints: [],
        strategy: [],
        groupCounts: new Map(),
        random: control.random,
      }),
    );
    const failure = results.find((result) => result.failure !== undefined)?.failure;
    return {
      placed: results.flatMap((result) => result.placed),
      ...(failure === undefined ? {} : { failure }),
    };
  });
}
