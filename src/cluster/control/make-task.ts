// A task comes into being: placed, written down, and handed to the driver by the next step of the reconciler.
import type { Attachment, Container, LaunchType, Tag, TaskOverride } from "../api/shapes.ts";
import type { InstanceEntity, TaskDefinitionEntity, TaskEntity } from "../state/entities.ts";
import type { Control } from "./control.ts";
import type { Needs } from "./demand.ts";

export interface NewTask {
  region: string;
  cluster: string;
  clusterArn: string;
  definition: TaskDefinitionEntity;
  instance: InstanceEntity;
  needs: Needs;
  overrides: TaskOverride;
  group: string;
  startedBy?: string | undefined;
  tags: Tag[];
  enableExecuteCommand: boolean;
  capacityProvider?: string | undefined;
  /** Default: EC2. */
  launchType?: LaunchType | undefined;
  service?: string;
  deployment?: string;
}

export function makeTask(control: Control, made: NewTask): TaskEntity {
  const id = control.newId();
  const taskArn = control.arn(made.region, "task", made.cluster, id);
  const { wire: definition } = made.definition;
  const zone = made.instance.attributes.find(({ name }) => name === "ecs.availability-zone")?.value;
  const task: TaskEntity = {
    id,
    cluster: made.cluster,
    definition: made.definition.key,
    instance: made.instance.id,
    ...made.needs,
    ...(made.service === undefined ? {} : { service: made.service }),
    ...(made.deployment === undefined ? {} : { deployment: made.deployment }),
    wire: {
      taskArn,
      clusterArn: made.clusterArn,
      taskDefinitionArn: definition.taskDefinitionArn,
      containerInstanceArn: made.instance.wire.containerInstanceArn,
      lastStatus: "PROVISIONING",
      desiredStatus: "RUNNING",
      createdAt: control.seconds,
      connectivity: "CONNECTED",
      connectivityAt: control.seconds,
      cpu: String(made.needs.cpu),
      memory: String(made.needs.memory),
      group: made.group,
      ...(made.startedBy === undefined ? {} : { startedBy: made.startedBy }),
      ...(made.capacityProvider === undefined
        ? { launchType: made.launchType ?? "EC2" }
        : { capacityProviderName: made.capacityProvider }),
      ...(zone === undefined ? {} : { availabilityZone: zone }),
      enableExecuteCommand: made.enableExecuteCommand,
      healthStatus: "UNKNOWN",
      overrides: { containerOverrides: [], inferenceAcceleratorOverrides: [], ...made.overrides },
      containers: (definition.containerDefinitions ?? []).map(
        (container): Container => ({
          containerArn: control.arn(made.region, "container", made.cluster, id, control.newId()),
          taskArn,
          name: container.name,
          image: container.image,
          lastStatus: "PENDING",
          networkInterfaces: [],
          cpu: String(container.cpu ?? 0),
          ...(container.memory === undefined ? {} : { memory: String(container.memory) }),
          ...(container.memoryReservation === undefined
            ? {}
            : { memoryReservation: String(container.memoryReservation) }),
          ...(container.healthCheck === undefined ? {} : { healthStatus: "UNKNOWN" as const }),
        }),
      ),
      attachments: [] as Attachment[],
      attributes: [],
      tags: made.tags,
      version: 1,
    },
  };
  control.state.task.put(task);
  control.occupancy.add(task);
  control.wakeTask(id);
  return task;
}
