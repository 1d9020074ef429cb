// What tasks of a definition need of a container instance, and the container instances as placement sees them.
import type { PlacementConstraint, PlacementStrategy, TaskDefinition, TaskOverride } from "../api/shapes.ts";
import type { Subject } from "../placement/expression.ts";
import type { Candidate } from "../placement/place.ts";
import type { InstanceEntity, TaskEntity } from "../state/entities.ts";
import type { State } from "../state/state.ts";
import { sizeOf } from "./check-definition.ts";
import type { Occupancy, Taken } from "./occupancy.ts";

export interface Needs {
  /** CPU units, MiB. */
  cpu: number;
  memory: number;
  /** "8080/tcp" */
  ports: string[];
}

/** The task's own sizes where it has them; else the sum of its containers', soft limits before hard ones. */
export function needsOf(definition: TaskDefinition, overrides: TaskOverride = {}): Needs {
  let cpu = 0;
  let memory = 0;
  const ports: string[] = [];
  for (const container of definition.containerDefinitions ?? []) {
    const override = overrides.containerOverrides?.find(({ name }) => name === container.name);
    cpu += override?.cpu ?? container.cpu ?? 0;
    memory +=
      override?.memoryReservation ?? override?.memory ?? container.memoryReservation ?? container.memory ?? 0;
    if (definition.networkMode === "awsvpc" || definition.networkMode === "none") continue;
    for (const { hostPort = 0, protocol = "tcp" } of container.portMappings ?? [])
      if (hostPort > 0) ports.push(`${hostPort}/${protocol}`);
  }
  return {
    cpu: sized(overrides.cpu ?? definition.cpu, "cpu") ?? cpu,
    memory: sized(overrides.memory ?? definition.memory, "memory") ?? memory,
    ports,
  };
}

function sized(text: string | undefined, field: "cpu" | "memory"): number | undefined {
  return text === undefined ? undefined : sizeOf(text, field);
}

/** The container instances of clusters as placement sees them: made once, and again when an instance has come, gone or changed. */
export class Candidates {
  readonly #state: State;
  readonly #occupancy: Occupancy;
  readonly #lists = new Map<string, readonly Candidate[]>();
  #version = -1;

  constructor(state: State, occupancy: Occupancy) {
    this.#state = state;
    this.#occupancy = occupancy;
  }

  /** All of a cluster, with what is left of them now. */
  of(cluster: string): readonly Candidate[] {
    if (this.#version !== this.#state.instance.version) this.#lists.clear();
    this.#version = this.#state.instance.version;
    let list = this.#lists.get(cluster);
    if (list === undefined) {
      list = Array.from(this.#state.instance.group(cluster), (instance) => this.one(instance));
      this.#lists.set(cluster, list);
    }
    return list;
  }

  one(instance: InstanceEntity): Candidate {
    return new InstanceCandidate(this.#occupancy, instance);
  }
}

class InstanceCandidate implements Candidate {
  readonly id: string;
  readonly available: boolean;
  readonly #occupancy: Occupancy;
  readonly #taken: Taken;
  readonly #instance: InstanceEntity;
  #subject: Subject | undefined;
  readonly ports = {
    has: (port: string): boolean =>
      this.#taken.ports.has(port) || this.#instance.reservedPorts.includes(port),
  };

  constructor(occupancy: Occupancy, instance: InstanceEntity) {
    this.id = instance.id;
    // One that an agent of somebody else's registered is not reached by the driver: nothing could be started there.
    this.available =
      instance.own && instance.wire.status === "ACTIVE" && instance.wire.agentConnected === true;
    this.#occupancy = occupancy;
    this.#taken = occupancy.ofNode(instance.node);
    this.#instance = instance;
  }

  get cpu(): number {
    return this.#instance.cpu - this.#taken.cpu;
  }

  get memory(): number {
    return this.#instance.memory - this.#taken.memory;
  }

  get subject(): Subject {
    this.#subject ??= subjectOf(this.#occupancy, this.#instance);
    return this.#subject;
  }
}

export function subjectOf(occupancy: Occupancy, instance: InstanceEntity): Subject {
  return {
    attribute: (name) => {
      const found = instance.attributes.find((attribute) => attribute.name === name);
      return found === undefined ? undefined : (found.value ?? null);
    },
    field: (name) => {
      if (name === "agentConnected") return String(instance.wire.agentConnected === true);
      if (name === "agentVersion") return instance.wire.versionInfo?.agentVersion;
      if (name === "ec2InstanceId") return instance.wire.ec2InstanceId;
      if (name === "registeredAt") return new Date((instance.wire.registeredAt ?? 0) * 1000).toISOString();
      return String(occupancy.countOf(instance.id));
    },
    hasTaskOfGroup: (group) => {
      for (const task of occupancy.tasksOf(instance.id)) if (task.wire.group === group) return true;
      return false;
    },
  };
}

/** How many of these tasks each container instance has. */
export function countByInstance(tasks: Iterable<TaskEntity>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { instance, wire } of tasks)
    if (instance !== undefined && wire.lastStatus !== "STOPPED" && wire.desiredStatus !== "STOPPED")
      counts.set(instance, (counts.get(instance) ?? 0) + 1);
  return counts;
}

/** Constraints of the definition, of its platform and of the call together. */
export function allConstraints(
  definition: TaskDefinition,
  given: readonly PlacementConstraint[] | undefined,
): PlacementConstraint[] {
  return [
    ...((definition.placementConstraints ?? []) as PlacementConstraint[]),
    ...platformConstraints(definition),
    ...(given ?? []),
  ];
}

/** Where a node says nothing of its processor it may be any. */
function platformConstraints({ runtimePlatform }: TaskDefinition): PlacementConstraint[] {
  const architecture = runtimePlatform?.cpuArchitecture?.toLowerCase();
  if (architecture === undefined) return [];
  const of = "attribute:ecs.cpu-architecture";
  return [{ type: "memberOf", expression: `${of} !exists || ${of} == ${architecture}` }];
}

/** What a service without a strategy of its own gets: over zones, then over instances. */
export const spreadByDefault: readonly PlacementStrategy[] = [
  { type: "spread", field: "attribute:ecs.availability-zone" },
  { type: "spread", field: "instanceId" },
];
