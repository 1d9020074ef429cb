// A task is to end, or has ended.
import type { TaskStopCode } from "../api/shapes.ts";
import type { TaskEntity } from "../state/entities.ts";
import type { Control } from "./control.ts";

/** STOPPED tasks can be described for so long, in milliseconds. */
const remembered = 3_600_000;

/** Asks for the end; again changes nothing. */
export function endTask(control: Control, task: TaskEntity, stopCode: TaskStopCode, reason: string): void {
  const { wire } = task;
  if (wire.desiredStatus === "STOPPED") return;
  wire.desiredStatus = "STOPPED";
  wire.stopCode = stopCode;
  wire.stoppedReason = reason;
  wire.stoppingAt = control.seconds;
  if (isLetGo(control, task, stopCode)) {
    wire.lastStatus = "DEACTIVATING";
    task.deactivatingUntil = control.clock.now() + control.deregistrationDelay;
  }
  wire.version = (wire.version ?? 0) + 1;
  control.state.task.put(task);
  control.wakeTask(task.id);
  control.wakeService(task.service);
}

/**
 * Whether it still answers for a while when it is to end: whoever sends requests to the tasks of a service (a load balancer that takes its targets from
 * DescribeTasks) sees DEACTIVATING and goes to the others. Not what nobody calls, what does not work, and what must never be there twice.
 */
function isLetGo(control: Control, task: TaskEntity, stopCode: TaskStopCode): boolean {
  if (control.deregistrationDelay === 0 || stopCode !== "ServiceSchedulerInitiated") return false;
  if (task.wire.lastStatus !== "RUNNING" || task.unhealthy === true) return false;
  const service = control.state.service.get(task.service ?? "");
  if (service?.wire.status !== "ACTIVE") return false;
  if ((service.wire.deploymentConfiguration?.maximumPercent ?? 200) <= 100) return false;
  const definition = control.state.definition.get(task.definition);
  return (
    definition?.wire.containerDefinitions?.some(({ portMappings = [] }) => portMappings.length > 0) ?? false
  );
}

/** It has ended: gives its resources back. */
export function hasStopped(
  control: Control,
  task: TaskEntity,
  stopCode: TaskStopCode | undefined,
  reason: string | undefined,
): void {
  const { wire } = task;
  wire.lastStatus = "STOPPED";
  wire.desiredStatus = "STOPPED";
  wire.stoppingAt ??= control.seconds;
  wire.executionStoppedAt ??= control.seconds;
  wire.stoppedAt = control.seconds;
  if (stopCode !== undefined) wire.stopCode ??= stopCode;
  if (reason !== undefined) wire.stoppedReason ??= reason;
  for (const container of wire.containers ?? []) container.lastStatus = "STOPPED";
  wire.version = (wire.version ?? 0) + 1;
  task.forgetAt = control.clock.now() + remembered;
  delete task.protectedUntil;
  control.state.task.put(task);
  control.occupancy.release(task);
  control.wakeService(task.service);
  // Room has become free: who waits for it? The node is one of every cluster.
  for (const { name } of control.state.cluster.all()) control.roomChanged(name);
}
