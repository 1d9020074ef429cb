import type { Deployment, Service } from "../api/shapes.ts";
import type { ServiceEntity, TaskEntity } from "../state/entities.ts";
import type { Control } from "./control.ts";

export interface Counts {
  running: number;
  pending: number;
}

/** Of tasks that are not on their way out. */
export function countsOf(tasks: Iterable<TaskEntity>): Counts {
  const counts = { running: 0, pending: 0 };
  for (const { wire } of tasks) {
    if (wire.lastStatus === "RUNNING") counts.running++;
    else if (
      ["PROVISIONING", "PENDING", "ACTIVATING"].includes(wire.lastStatus) &&
      wire.desiredStatus !== "STOPPED"
    )
      counts.pending++;
  }
  return counts;
}

/** A service as clients see it, with its counts as they are now. */
export function shownService(control: Control, service: ServiceEntity, withTags: boolean): Service {
  const tasks = [...control.occupancy.ofService(service.key)];
  const counts = countsOf(tasks);
  const deployments = service.deployments.map((deployment): Deployment => {
    const own = countsOf(tasks.filter((task) => task.deployment === deployment.id));
    return { ...deployment.wire, runningCount: own.running, pendingCount: own.pending };
  });
  const primary = service.deployments[0];
  const record =
    primary === undefined ? undefined : control.state.serviceDeployment.get(primary.serviceDeployment);
  const revisions = service.deployments.flatMap((deployment, index) => {
    const arn = control.state.revision.get(deployment.revision)?.wire.serviceRevisionArn;
    const shown = deployments[index];
    return arn === undefined
      ? []
      : [
          {
            arn,
            requestedTaskCount: shown?.desiredCount,
            runningTaskCount: shown?.runningCount,
            pendingTaskCount: shown?.pendingCount,
          },
        ];
  });
  return {
    ...service.wire,
    runningCount: counts.running,
    pendingCount: counts.pending,
    deployments,
    taskSets: [...control.state.taskSet.group(service.key)].map(({ wire }) => wire),
    ...(record === undefined ? {} : { currentServiceDeployment: record.wire.serviceDeploymentArn }),
    currentServiceRevisions: revisions,
    ...(withTags ? { tags: service.tags } : {}),
  };
}
