// Judges how far the rollout of a service has come: failed tasks, the circuit breaker, completion, rollback.
import type {
  DeploymentEntity,
  RevisionEntity,
  ServiceDeploymentEntity,
  ServiceEntity,
  TaskEntity,
} from "../state/entities.ts";
import type { Control } from "./control.ts";
import { resumeDeployment, startDeployment } from "./deployments.ts";
import { steadyAfter } from "./reconcile-service.ts";
import { isWell } from "./reconcile-tasks.ts";
import { serviceEvent } from "./service-events.ts";

/** `tasks`: all that are remembered. Returns when it wants to be called again, in milliseconds since 1970. */
export function judgeRollout(
  control: Control,
  service: ServiceEntity,
  tasks: readonly TaskEntity[],
): number | undefined {
  const primary = service.deployments[0];
  if (primary === undefined) return undefined;
  const record = control.state.serviceDeployment.get(primary.serviceDeployment);
  if (primary.wire.desiredCount !== service.wire.desiredCount) {
    primary.wire.desiredCount = service.wire.desiredCount;
    control.state.service.put(service);
  }
  countFailures(control, service, primary, tasks);
  const soon = [noteWell(control, primary, tasks)];
  const stopped =
    record !== undefined && ["ROLLBACK_REQUESTED", "STOP_REQUESTED"].includes(record.wire.status);
  if (stopped) obeyStop(control, service, primary, record);
  else if (breaks(service, primary, record)) trip(control, service, primary, record);
  else soon.push(complete(control, service, primary, record, tasks));
  // What it went back to may be there already, and nothing else would happen.
  if (service.deployments[0] !== primary) soon.push(control.clock.now());
  const times = soon.filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Milliseconds that the tasks of a rollout have to do well before it is completed, where a circuit breaker watches over it and could go back: a program that ends at once has been RUNNING too. */
const provenAfter = 5_000;

/** When a rollout that has what it wants may be called completed; undefined: now. */
function provenAt(
  control: Control,
  service: ServiceEntity,
  primary: DeploymentEntity,
  record: ServiceDeploymentEntity | undefined,
  tasks: readonly TaskEntity[],
): number | undefined {
  const breaker = service.wire.deploymentConfiguration?.deploymentCircuitBreaker;
  if (!breaker?.enable || primary.rollback === true || record === undefined) return undefined;
  if (lastCompleted(control, service, record) === undefined) return undefined;
  const latest = Math.max(0, ...tasks.map(({ wellSince }) => wellSince ?? 0));
  return latest + provenAfter > control.clock.now() ? latest + provenAfter : undefined;
}

/** A task that ends by itself before it has worked for a while has failed its deployment; so has one whose health check failed. */
function countFailures(
  control: Control,
  service: ServiceEntity,
  primary: DeploymentEntity,
  tasks: readonly TaskEntity[],
): void {
  for (const task of tasks) {
    if (task.deployment !== primary.id || task.judged || task.wire.lastStatus !== "STOPPED") continue;
    task.judged = true;
    control.state.task.put(task);
    const byItself =
      task.wire.stopCode === "EssentialContainerExited" ||
      task.wire.stopCode === "TaskFailedToStart" ||
      task.unhealthy === true;
    if (!byItself) continue;
    const ran = (task.wire.stoppedAt ?? 0) * 1000 - (task.wellSince ?? Number.POSITIVE_INFINITY);
    if (task.wellSince !== undefined && ran >= steadyAfter && !task.unhealthy) continue;
    primary.wire.failedTasks = (primary.wire.failedTasks ?? 0) + 1;
    primary.consecutiveFailures = (primary.consecutiveFailures ?? 0) + 1;
    primary.notBefore = control.clock.now() + backOff(primary.consecutiveFailures);
    if (primary.consecutiveFailures === 3)
      serviceEvent(control, service, "is unable to consistently start tasks successfully.");
    control.state.service.put(service);
  }
}

/** The first three at once, then after 5 s, 10 s and so on, at most 5 minutes, in milliseconds. */
function backOff(failures: number): number {
  return failures < 3 ? 0 : Math.min(300_000, 5000 * 2 ** Math.min(failures - 3, 10));
}

/** Since when each task does well; one that has for a while clears the count of failures in a row. */
function noteWell(
  control: Control,
  primary: DeploymentEntity,
  tasks: readonly TaskEntity[],
): number | undefined {
  const now = control.clock.now();
  let soon: number | undefined;
  for (const task of tasks) {
    if (task.deployment !== primary.id || task.wire.lastStatus === "STOPPED") continue;
    if (!isWell(control, task)) continue;
    if (task.wellSince === undefined) {
      task.wellSince = now;
      control.state.task.put(task);
    }
    const at = task.wellSince + steadyAfter;
    if (at > now) {
      if (primary.consecutiveFailures) soon = Math.min(soon ?? at, at);
    } else if (primary.consecutiveFailures) {
      delete primary.consecutiveFailures;
      delete primary.notBefore;
    }
  }
  return soon;
}

function thresholdOf(service: ServiceEntity): number {
  const given = service.wire.deploymentConfiguration?.deploymentCircuitBreaker?.thresholdConfiguration;
  const { desiredCount } = service.wire;
  if (given?.type === "COUNT") return given.value;
  const part = Math.ceil((desiredCount * (given?.value ?? 50)) / 100);
  if (given?.type === "UNBOUNDED_PERCENT") return Math.max(1, part);
  return Math.min(200, Math.max(3, part));
}

function breaks(
  service: ServiceEntity,
  primary: DeploymentEntity,
  record: ServiceDeploymentEntity | undefined,
): boolean {
  const breaker = service.wire.deploymentConfiguration?.deploymentCircuitBreaker;
  if (!breaker?.enable || primary.wire.rolloutState !== "IN_PROGRESS") return false;
  const failures =
    breaker.resetOnHealthyTask === false
      ? (primary.wire.failedTasks ?? 0)
      : (primary.consecutiveFailures ?? 0);
  // What is told stays that of the rollout which failed, while its rollback is under way.
  if (record?.wire.deploymentCircuitBreaker !== undefined && primary.rollback !== true) {
    record.wire.deploymentCircuitBreaker.failureCount = failures;
    record.wire.deploymentCircuitBreaker.threshold = thresholdOf(service);
  }
  return failures >= thresholdOf(service);
}

function trip(
  control: Control,
  service: ServiceEntity,
  primary: DeploymentEntity,
  record: ServiceDeploymentEntity | undefined,
): void {
  primary.wire.rolloutState = "FAILED";
  primary.wire.rolloutStateReason = "ECS deployment circuit breaker: tasks failed to start.";
  primary.wire.updatedAt = control.seconds;
  if (record?.wire.deploymentCircuitBreaker !== undefined)
    record.wire.deploymentCircuitBreaker.status = "TRIGGERED";
  serviceEvent(control, service, `(deployment ${primary.id}) deployment failed: tasks failed to start.`);
  const back =
    service.wire.deploymentConfiguration?.deploymentCircuitBreaker?.rollback === true &&
    primary.rollback !== true;
  if (
    back &&
    record !== undefined &&
    rollBack(control, service, primary, record, "Circuit breaker threshold exceeded.")
  )
    return;
  finish(control, record, primary.rollback ? "ROLLBACK_FAILED" : "STOPPED", primary.wire.rolloutStateReason);
}

function obeyStop(
  control: Control,
  service: ServiceEntity,
  primary: DeploymentEntity,
  record: ServiceDeploymentEntity,
): void {
  primary.wire.rolloutState = "FAILED";
  primary.wire.rolloutStateReason = "Stopped by the user.";
  if (
    record.wire.status === "ROLLBACK_REQUESTED" &&
    rollBack(control, service, primary, record, "Stop requested by the user.")
  )
    return;
  finish(control, record, "STOPPED", "Stopped by the user.");
  control.state.service.put(service);
}

/** To the last revision whose rollout was completed: with the tasks of it that still run, else anew. False where there is none. */
function rollBack(
  control: Control,
  service: ServiceEntity,
  failed: DeploymentEntity,
  record: ServiceDeploymentEntity,
  reason: string,
): boolean {
  const last = lastCompleted(control, service, record);
  const definition = last === undefined ? undefined : control.state.definition.get(definitionOf(last));
  if (last === undefined || definition === undefined) return false;
  const region = service.wire.serviceArn.split(":")[3] ?? control.region;
  let deployment = service.deployments.find((one) => one !== failed && one.revision === last.id);
  if (deployment !== undefined) resumeDeployment(control, service, deployment, record);
  else deployment = startDeployment(control, region, service, definition, { reason, rollbackOf: record });
  record.wire.status = "ROLLBACK_IN_PROGRESS";
  record.wire.statusReason = reason;
  record.wire.rollback = {
    reason,
    startedAt: control.seconds,
    serviceRevisionArn: control.state.revision.get(deployment.revision)?.wire.serviceRevisionArn,
  };
  record.wire.updatedAt = control.seconds;
  control.state.serviceDeployment.put(record);
  deployment.wire.rolloutStateReason = `ECS deployment circuit breaker: rolling back to deploymentId ${deployment.id}.`;
  serviceEvent(control, service, `rolling back to (deployment ${deployment.id}).`);
  failed.wire.desiredCount = 0;
  return true;
}

const definitionOf = ({ wire }: RevisionEntity): string => wire.taskDefinition?.split("/").at(-1) ?? "";

function lastCompleted(
  control: Control,
  service: ServiceEntity,
  except: ServiceDeploymentEntity,
): RevisionEntity | undefined {
  let found: ServiceDeploymentEntity | undefined;
  for (const record of control.state.serviceDeployment.group(service.key)) {
    if (record === except || !["SUCCESSFUL", "ROLLBACK_SUCCESSFUL"].includes(record.wire.status)) continue;
    if (found === undefined || (record.wire.finishedAt ?? 0) >= (found.wire.finishedAt ?? 0)) found = record;
  }
  const arn = found?.wire.rollback?.serviceRevisionArn ?? found?.wire.targetServiceRevision?.arn;
  return arn === undefined ? undefined : control.state.revision.get(arn.split("/").at(-1) ?? "");
}

function complete(
  control: Control,
  service: ServiceEntity,
  primary: DeploymentEntity,
  record: ServiceDeploymentEntity | undefined,
  tasks: readonly TaskEntity[],
): number | undefined {
  const live = tasks.filter(({ wire }) => wire.lastStatus !== "STOPPED");
  const well = live.filter((task) => task.deployment === primary.id && isWell(control, task)).length;
  const others = live.some((task) => task.deployment !== primary.id);
  dropEmpty(control, service, live);
  const draining = live.some(
    (task) => control.state.instance.get(task.instance ?? "")?.wire.status === "DRAINING",
  );
  const reached = well === service.wire.desiredCount && live.length === well && !others && !draining;
  if (reached && primary.wire.rolloutState === "IN_PROGRESS") {
    const at = provenAt(control, service, primary, record, live);
    if (at !== undefined) return at;
    primary.wire.rolloutState = "COMPLETED";
    primary.wire.rolloutStateReason = `ECS deployment ${primary.id} completed.`;
    primary.wire.updatedAt = control.seconds;
    serviceEvent(control, service, `(deployment ${primary.id}) deployment completed.`);
    finish(control, record, primary.rollback ? "ROLLBACK_SUCCESSFUL" : "SUCCESSFUL", undefined);
  }
  if (reached && service.steady !== true && primary.wire.rolloutState === "COMPLETED") {
    service.steady = true;
    serviceEvent(control, service, "has reached a steady state.");
  } else if (!reached && service.steady === true) {
    delete service.steady;
    control.state.service.put(service);
  }
  return undefined;
}

/** Deployments whose last task has gone vanish. A failed one that is not PRIMARY too. */
function dropEmpty(control: Control, service: ServiceEntity, live: readonly TaskEntity[]): void {
  const kept = service.deployments.filter(
    (deployment, index) => index === 0 || live.some((task) => task.deployment === deployment.id),
  );
  if (kept.length === service.deployments.length) return;
  service.deployments = kept;
  control.state.service.put(service);
}

function finish(
  control: Control,
  record: ServiceDeploymentEntity | undefined,
  status: NonNullable<ServiceDeploymentEntity["wire"]["status"]>,
  reason: string | undefined,
): void {
  if (record === undefined) return;
  record.wire.status = status as never;
  record.wire.finishedAt = control.seconds;
  record.wire.updatedAt = control.seconds;
  if (status === "STOPPED") record.wire.stoppedAt = control.seconds;
  if (reason !== undefined) record.wire.statusReason = reason;
  if (record.wire.deploymentCircuitBreaker?.status === "MONITORING")
    record.wire.deploymentCircuitBreaker.status = "MONITORING_COMPLETE";
  control.state.serviceDeployment.put(record);
}
