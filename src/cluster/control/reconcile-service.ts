// Brings a service to what is wanted of it: starts and stops tasks within the bounds of its deployment configuration.
import type { PlacementStrategy } from "../api/shapes.ts";
import { place } from "../placement/place.ts";
import type { DeploymentEntity, ServiceEntity, TaskEntity } from "../state/entities.ts";
import type { Control } from "./control.ts";
import { allConstraints, countByInstance, spreadByDefault } from "./demand.ts";
import { isProtected } from "./protection.ts";
import { stepDaemon, wantedByDaemon } from "./reconcile-daemon.ts";
import { isWell } from "./reconcile-tasks.ts";
import { judgeRollout } from "./rollout.ts";
import { serviceEvent, serviceLabel } from "./service-events.ts";
import { sayStopped, sayWhereStuck, start, type View } from "./service-tasks.ts";
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
  const [before] = service.deployments;
  const daemon = service.wire.schedulingStrategy === "DAEMON";
  // A rollout is judged by what is desired, which for these the instances say.
  if (daemon && before !== undefined) wantedByDaemon(control, service, before);
  const soon = [judgeRollout(control, service, [...control.occupancy.ofService(service.key)])];
  const primary = service.deployments[0];
  if (primary === undefined) return undefined;
  replaceUnhealthy(control, service, tasks);
  const live = tasks.filter(({ wire }) => wire.desiredStatus !== "STOPPED");
  const view = viewOf(control, service, primary, live, tasks.length - live.length);
  if (daemon) stepDaemon(control, service, view);
  else {
    soon.push(startMissing(control, service, view));
    stopSurplus(control, service, view);
  }
  sayWhereStuck(control, service, view);
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
    return place(control.candidates.of(service.cluster), missing, {
      ...needs,
      constraints: allConstraints(definition.wire, service.constraints),
      strategy,
      groupCounts: countByInstance(all),
      random: control.random,
    });
  });
  return undefined;
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
