// What a container can ask about itself and its task: the answers of the metadata endpoint, version 4, as the real agent words them. Pure.
import type { ContainerDefinition } from "../../api/shapes.ts";
import { containerName, taskLabels } from "../containers.ts";
import type { SeenTask } from "../driver.ts";
import type { HeldTask } from "../task-records.ts";

type Answer = Record<string, unknown>;

/** `name`: of the container, as the definition has it. */
export function containerMetadata({ spec, state }: HeldTask, seen: SeenTask, name: string): Answer {
  const definition = spec.definition.containerDefinitions?.find((each) => each.name === name) ?? {};
  const one = seen.containers.find((each) => each.name === name);
  const startedAt = state.containers.find((each) => each.name === name)?.startedAt;
  const { networkMode = "bridge" } = spec.definition;
  const addresses = (one?.networkInterfaces ?? []).map(({ privateIpv4Address }) => privateIpv4Address);
  return {
    DockerId: one?.runtimeId ?? "",
    Name: name,
    DockerName: containerName(spec.id, name),
    Image: definition.image,
    ImageID: one?.imageDigest ?? "",
    Labels: taskLabels(spec, definition),
    DesiredStatus: "RUNNING",
    KnownStatus: one?.lastStatus ?? "PENDING",
    ...(one?.exitCode === undefined ? {} : { ExitCode: one.exitCode }),
    Limits: limits(definition),
    ...(startedAt === undefined ? {} : { CreatedAt: iso(startedAt), StartedAt: iso(startedAt) }),
    Type: "NORMAL",
    ...(one?.healthStatus === undefined ? {} : { Health: { status: one.healthStatus } }),
    ContainerARN: spec.containerArns[name],
    Networks: [{ NetworkMode: networkMode, IPv4Addresses: addresses }],
  };
}

/** As the nodes' attribute ecs.availability-zone. */
const zone = "local";

export function taskMetadata(task: HeldTask, seen: SeenTask): Answer {
  const { spec } = task;
  const { cpu, memory } = spec.definition;
  return {
    Cluster: spec.cluster,
    TaskARN: spec.taskArn,
    Family: spec.family,
    Revision: String(spec.revision),
    DesiredStatus: task.state.ending === undefined ? "RUNNING" : "STOPPED",
    KnownStatus: seen.lastStatus,
    ...(cpu === undefined && memory === undefined
      ? {}
      : { Limits: { CPU: Number(cpu ?? 0) / 1024, Memory: Number(memory ?? 0) } }),
    ...times(seen),
    AvailabilityZone: zone,
    LaunchType: "EC2",
    ...(serviceOf(spec.group) === undefined ? {} : { ServiceName: serviceOf(spec.group) }),
    Containers: seen.containers.map(({ name = "" }) => containerMetadata(task, seen, name)),
  };
}

function limits({ cpu, memory }: ContainerDefinition): Answer {
  return { CPU: cpu ?? 0, ...(memory === undefined ? {} : { Memory: memory }) };
}

function times({ pullStartedAt, pullStoppedAt, executionStoppedAt }: SeenTask): Answer {
  return {
    ...(pullStartedAt === undefined ? {} : { PullStartedAt: iso(pullStartedAt * 1000) }),
    ...(pullStoppedAt === undefined ? {} : { PullStoppedAt: iso(pullStoppedAt * 1000) }),
    ...(executionStoppedAt === undefined ? {} : { ExecutionStoppedAt: iso(executionStoppedAt * 1000) }),
  };
}

function serviceOf(group: string): string | undefined {
  return /^service:(.+)$/.exec(group)?.[1];
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
