// A package's descriptor as a task definition: what `cluster deploy` registers.
import { parseSize } from "../base/units.ts";
import type { Descriptor } from "../package/descriptor.ts";
import { readyTime } from "../package/ready-time.ts";
import type {
  CreateServiceRequest,
  HealthCheck,
  PortMapping,
  RegisterTaskDefinitionRequest,
  TaskDefinitionPlacementConstraint,
  Volume,
} from "./api/shapes.ts";
import { callsLabel, macLabel } from "./own-labels.ts";

export interface DeployOptions {
  service: string;
  /** As the nodes know it. */
  image: string;
  /** Containers need one; used where the descriptor has no limit. MiB. */
  memory: number;
  /** Which nodes it runs on. */
  needs: readonly TaskDefinitionPlacementConstraint[];
  /** Names of secrets by the path or variable that gets them. */
  secrets: ReadonlyMap<string, string>;
  /** Ports of the node by port of the package; others get a free one. */
  hostPorts: ReadonlyMap<number, number>;
}

/** Volumes of the package belong to the service, so that its data outlives tasks and deployments. */
export function taskDefinitionOf(
  descriptor: Descriptor,
  options: DeployOptions,
): RegisterTaskDefinitionRequest {
  const memory =
    descriptor.limits.memory === null
      ? options.memory
      : Math.ceil(parseSize(descriptor.limits.memory) / 2 ** 20);
  const cpus = descriptor.limits.cpus;
  const volumes = descriptor.volumes.map(
    (_, index): Volume => ({
      name: volumeName(options.service, index),
      dockerVolumeConfiguration: { scope: "shared", autoprovision: true, driver: "local" },
    }),
  );
  return {
    family: options.service,
    networkMode: "bridge",
    placementConstraints: [...options.needs],
    ...(cpus === null ? {} : { cpu: String(Math.round(cpus * 1024)) }),
    containerDefinitions: [
      {
        name: "main",
        image: options.image,
        memory,
        ...(cpus === null ? {} : { cpu: Math.round(cpus * 1024) }),
        essential: true,
        ...(options.secrets.size === 0
          ? {}
          : { secrets: [...options.secrets].map(([name, valueFrom]) => ({ name, valueFrom })) }),
        ...labelsOf(descriptor),
        ...healthOf(descriptor),
        portMappings: descriptor.ports.flatMap(({ port, protocol }): PortMapping[] =>
          protocol === "sctp"
            ? []
            : [{ containerPort: port, hostPort: options.hostPorts.get(port) ?? 0, protocol }],
        ),
        mountPoints: descriptor.volumes.map(({ path }, index) => ({
          sourceVolume: volumeName(options.service, index),
          containerPath: path,
        })),
      },
    ],
    volumes,
  };
}

/**
 * A task counts when its services are ready, as the package says what that is. Without a word of it a running one has to do. Until
 * their time for it is over, no failure counts; 300 s are the most that a task definition may give.
 */
function healthOf(descriptor: Descriptor): { healthCheck?: HealthCheck } {
  const ready = readyTime(descriptor);
  if (ready === undefined) return {};
  return {
    healthCheck: {
      command: ["CMD", "/.tranship/init", "--ready"],
      interval: 5,
      timeout: 5,
      retries: 3,
      startPeriod: Math.min(300, Math.ceil(ready / 1000)),
    },
  };
}

/** What nodes beside our own runtime have to be told. */
function labelsOf({ identity, syscalls }: Descriptor): { dockerLabels?: Record<string, string> } {
  const labels = {
    ...(identity.macAddress === null ? {} : { [macLabel]: identity.macAddress }),
    ...(syscalls.profile === "learned" && (syscalls.calls ?? []).length > 0
      ? { [callsLabel]: (syscalls.calls ?? []).join(" ") }
      : {}),
  };
  return Object.keys(labels).length === 0 ? {} : { dockerLabels: labels };
}

/**
 * What keeps data in a volume must never run twice: the new task waits until the old one has ended. A descriptor has no volume that is only read. `shared`:
 * its programs are known to write there together. `fixed`: a port of the node is named, which two tasks of a node cannot have at a time either: one of `count` after the other lets it go.
 */
export function deploymentOf(
  descriptor: Descriptor,
  { shared, fixed, count }: { shared: boolean; fixed: boolean; count: number },
): NonNullable<CreateServiceRequest["deploymentConfiguration"]> {
  const alone = descriptor.volumes.length > 0 && !shared;
  const others = count < 2 ? 0 : Math.floor((100 * (count - 1)) / count);
  return {
    minimumHealthyPercent: alone ? 0 : fixed ? others : 100,
    maximumPercent: alone || fixed ? 100 : 200,
    deploymentCircuitBreaker: { enable: true, rollback: true },
  };
}

function volumeName(service: string, index: number): string {
  return `${service}-data-${index + 1}`;
}
