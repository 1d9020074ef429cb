// Services with the scheduling strategy DAEMON.
import { place } from "../placement/place.ts";
import type { DeploymentEntity, InstanceEntity, ServiceEntity, TaskEntity } from "../state/entities.ts";
import type { Control } from "./control.ts";
import { allConstraints, needsOf } from "./demand.ts";
import { isProtected } from "./protection.ts";
import { isWell } from "./reconcile-tasks.ts";
import { sayStopped, start, type View } from "./service-tasks.ts";
import { endTask } from "./stop-task.ts";

/**
 * Those that have what a task needs, by definition and constraints; they are the desired count. Also one that is not connected and has a task: that
 * goes on until the node counts as lost, whether the node, its agent or we were away.
 */
export function wantedByDaemon(
  control: Control,
  service: ServiceEntity,
  primary: DeploymentEntity,
): InstanceEntity[] {
  const definition = control.state.definition.get(primary.definition);
  if (definition === undefined) return [];
  const constraints = allConstraints(definition.wire, service.constraints);
  const needs = needsOf(definition.wire);
  const busy = busyWith(control, service);
  const wanted = [...control.state.instance.group(service.cluster)].filter((instance) => {
    const { id, subject, available: connected } = control.candidates.one(instance);
    const available = connected || (instance.wire.status === "ACTIVE" && busy.has(id));
    const { cpu, memory } = needs;
    const candidate = { id, subject, available, cpu, memory, ports: new Set<string>() };
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
  return wanted;
}

/** Ids of the instances on which the service has a task that has not ended. */
function busyWith(control: Control, service: ServiceEntity): Set<string | undefined> {
  const busy = new Set<string | undefined>();
  for (const { wire, instance } of control.occupancy.ofService(service.key))
    if (wire.lastStatus !== "STOPPED") busy.add(instance);
  return busy;
}

/** One task on each container instance that satisfies the constraints. */
export function stepDaemon(control: Control, service: ServiceEntity, view: View): void {
  const { primary, good, old } = view;
  if (control.state.definition.get(primary.definition) === undefined) return;
  const wanted = wantedByDaemon(control, service, primary);
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
  const busy = busyWith(control, service);
  const empty = wanted.filter(({ id }) => !busy.has(id));
  if (empty.length === 0) return;
  start(control, service, primary, empty.length, (_definition, demand) => {
    const placed = empty.map((instance) => control.candidates.one(instance));
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
