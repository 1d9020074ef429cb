// Brings tasks to what is wanted of them by telling the driver, and takes in what the driver tells.
import type { Container, TaskDefinition } from "../api/shapes.ts";
import type { SeenTask, TaskSpec } from "../drivers/driver.ts";
import type { TaskEntity } from "../state/entities.ts";
import type { Control } from "./control.ts";
import { hasStopped } from "./stop-task.ts";

/** Tells the driver what it does not know yet. What is started has been committed before: a crash in between starts it again, under the same id. */
export function stepTask(control: Control, task: TaskEntity): void {
  const { wire } = task;
  if (wire.lastStatus === "STOPPED") return;
  const handed = task.seen || control.handed.has(task.id);
  if (wire.desiredStatus === "STOPPED") {
    if (handed && task.deactivatingUntil !== undefined && control.clock.now() < task.deactivatingUntil) {
      control.deactivating.set(task.id, task.deactivatingUntil);
      control.driver.letGo?.(task.id);
    } else if (handed) control.driver.stop(task.id);
    else hasStopped(control, task, undefined, undefined);
    return;
  }
  if (handed) return;
  const spec = specOf(control, task);
  if (typeof spec === "string") {
    hasStopped(control, task, "TaskFailedToStart", spec);
    return;
  }
  wire.lastStatus = "PENDING";
  wire.version = (wire.version ?? 0) + 1;
  control.state.task.put(task);
  control.driver.start(spec);
  control.handed.add(task.id);
}

/** A text says why it cannot be started. */
function specOf(control: Control, task: TaskEntity): TaskSpec | string {
  const definition = control.state.definition.get(task.definition);
  const instance = task.instance === undefined ? undefined : control.state.instance.get(task.instance);
  if (definition === undefined || instance === undefined)
    return "Task definition or container instance is gone.";
  const inputs = inputsOf(control, definition.wire, task);
  if (typeof inputs === "string") return inputs;
  return {
    id: task.id,
    taskArn: task.wire.taskArn,
    cluster: task.cluster,
    node: instance.node,
    family: definition.family,
    revision: definition.revision,
    definition: definition.wire,
    overrides: task.wire.overrides ?? {},
    group: task.wire.group ?? "",
    enableExecuteCommand: task.wire.enableExecuteCommand ?? false,
    containerArns: Object.fromEntries(
      (task.wire.containers ?? []).map(({ name = "", containerArn = "" }) => [name, containerArn]),
    ),
    inputs,
    ...(roleOf(control, task) === undefined ? {} : { roleArn: roleOf(control, task) as string }),
    exclusive: isExclusive(control, task),
    createdAt: task.wire.createdAt ?? 0,
  };
}

/** What cannot be read fails the task that asks for it, and no other. */
function inputsOf(
  control: Control,
  definition: TaskDefinition,
  task: TaskEntity,
): ReturnType<Control["resolve"]> {
  try {
    return control.resolve(definition, task.wire.overrides);
  } catch (error) {
    return `ResourceInitializationError: what the task is given cannot be read: ${error instanceof Error ? error.message : error}`;
  }
}

/** ARN of the role that a task has. */
export function roleOf(control: Control, task: TaskEntity): string | undefined {
  return task.wire.overrides?.taskRoleArn ?? control.state.definition.get(task.definition)?.wire.taskRoleArn;
}

/** Of a service that may never have more tasks than it wants. */
export function isExclusive(control: Control, task: TaskEntity): boolean {
  const service = control.state.service.get(task.service ?? "");
  return (service?.wire.deploymentConfiguration?.maximumPercent ?? 200) <= 100;
}

/** A task as the driver sees it. What is not (or no longer) ours is to be ended. */
export function taskSeen(control: Control, seen: SeenTask): void {
  const task = control.state.task.get(seen.id);
  if (task === undefined) {
    if (seen.lastStatus === "STOPPED") control.driver.forget(seen.id);
    else control.driver.stop(seen.id);
    return;
  }
  // A node tells of what was placed on it, and of nothing else.
  if (seen.node !== undefined && control.state.instance.get(task.instance ?? "")?.node !== seen.node) return;
  // It stays STOPPED whatever comes late.
  if (task.wire.lastStatus === "STOPPED") {
    if (seen.lastStatus === "STOPPED") control.forgettable.add(task.id);
    else control.driver.stop(task.id);
    return;
  }
  task.seen = true;
  merge(control, task, seen);
  if (seen.lastStatus === "STOPPED") {
    hasStopped(control, task, seen.stopCode, seen.stoppedReason);
    control.forgettable.add(task.id);
  } else {
    control.state.task.put(task);
    control.wakeService(task.service);
    if (task.wire.desiredStatus === "STOPPED") control.wakeTask(task.id);
  }
}

function merge(control: Control, { wire, ...rest }: TaskEntity, seen: SeenTask): void {
  const letGo = rest.deactivatingUntil !== undefined && seen.lastStatus === "RUNNING";
  if (seen.lastStatus !== "STOPPED") wire.lastStatus = letGo ? "DEACTIVATING" : seen.lastStatus;
  if (seen.lastStatus === "RUNNING") wire.startedAt ??= seen.startedAt ?? control.seconds;
  for (const field of ["pullStartedAt", "pullStoppedAt", "executionStoppedAt"] as const)
    if (seen[field] !== undefined) wire[field] = seen[field];
  if (seen.attachments !== undefined) wire.attachments = seen.attachments;
  for (const container of seen.containers) {
    const known = wire.containers?.find(({ name }) => name === container.name);
    if (known !== undefined) Object.assign(known, withoutUndefined(container));
  }
  wire.healthStatus = healthOf(control, rest.definition, wire.containers ?? []);
  wire.version = (wire.version ?? 0) + 1;
}

function withoutUndefined(container: Container): Container {
  return Object.fromEntries(Object.entries(container).filter(([, value]) => value !== undefined));
}

/** Of the essential containers with a health check: the worst. */
function healthOf(
  control: Control,
  definition: string,
  containers: readonly Container[],
): "HEALTHY" | "UNHEALTHY" | "UNKNOWN" {
  const checked = (control.state.definition.get(definition)?.wire.containerDefinitions ?? []).filter(
    ({ healthCheck, essential }) => healthCheck !== undefined && (essential ?? true),
  );
  const states = checked.map(
    ({ name }) => containers.find((container) => container.name === name)?.healthStatus ?? "UNKNOWN",
  );
  if (states.includes("UNHEALTHY")) return "UNHEALTHY";
  return states.length > 0 && states.every((state) => state === "HEALTHY") ? "HEALTHY" : "UNKNOWN";
}

/** Whether a task does its work: RUNNING, and HEALTHY where a health check can tell. */
export function isWell(control: Control, task: TaskEntity): boolean {
  if (task.wire.lastStatus !== "RUNNING" || task.wire.desiredStatus === "STOPPED") return false;
  if (task.wire.healthStatus === "HEALTHY") return true;
  const definition = control.state.definition.get(task.definition);
  return !definition?.wire.containerDefinitions?.some(
    ({ healthCheck, essential }) => healthCheck !== undefined && (essential ?? true),
  );
}
