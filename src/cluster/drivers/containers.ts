// What runs the containers of tasks on one machine: our runtime, or an engine beside us. The task driver decides, this carries out.
import type { ContainerDefinition, KeyValuePair, NetworkBinding, TaskDefinition } from "../api/shapes.ts";
import type { LogEvent } from "../logs/log-event.ts";
import type { RegistryLogin, Running, TaskSpec } from "./driver.ts";
import type { Health } from "./health-checks.ts";

export interface SeenContainer {
  running: boolean;
  /** Of one that has ended; undefined where nobody could tell. */
  exitCode?: number | undefined;
  reason?: string | undefined;
  runtimeId: string;
  imageDigest: string;
  bindings: NetworkBinding[];
  address: string | undefined;
  mac: string | undefined;
  /** From which it asks the endpoint of the node. Default: its address. */
  asksFrom?: string | undefined;
  /** Of one that runs, where its definition has a check and what runs it says how it goes. */
  health?: Health;
}

export type ContainerLine = Pick<LogEvent, "time" | "stream" | "text" | "partial">;

export interface ReadOptions {
  follow: boolean;
  signal: AbortSignal;
  /** RFC 3339. */
  since?: string;
}

export interface Containers {
  /** Sees to it that the image is on the machine; `login` is for its registry alone. E_IMAGE_NOT_FOUND where it is not and may not be fetched. */
  fetch(image: string, login?: RegistryLogin): Promise<void>;
  /** What the containers of a task share, before the first of them; the same again changes nothing. */
  prepare(spec: TaskSpec): Promise<void>;
  /** Whether others find the task by the name of its service; absent where that cannot be changed while it runs. Without effect on one without names. */
  setFound?(spec: TaskSpec, found: boolean): Promise<void>;
  /** Removes it once the last of them has ended; without effect where there is none. */
  release(spec: TaskSpec): Promise<void>;
  /** Those that live as long as their task, once its containers are removed. */
  removeVolumes(spec: TaskSpec): Promise<void>;
  /** Creates and starts; the engine's error where it cannot. `environment`: what the node itself tells the program, last. */
  start(spec: TaskSpec, definition: ContainerDefinition, environment: readonly KeyValuePair[]): Promise<void>;
  /** One from before, whether it runs or has ended: what we do beside it begins again. Without effect where it is not there. */
  adopt(spec: TaskSpec, definition: ContainerDefinition): void;
  /** We end; what runs goes on. */
  close(): Promise<void>;
  /** Brings what `see` tells up to date. Rejects where the engine cannot be asked: what `see` tells is as old as it was. */
  refresh(): Promise<void>;
  /** As of the last `refresh`, `start` or `stop`. undefined: there is none. */
  see(name: string): SeenContainer | undefined;
  /** SIGTERM or the image's own signal, and SIGKILL after so many seconds; resolves when it has ended. */
  stop(name: string, seconds: number): Promise<void>;
  /** Whether it runs or not; without effect where there is none. */
  remove(name: string): Promise<void>;
  /** What it wrote, in the order of time; nothing where it is not there or its lines cannot be read. With `follow` until it has ended. */
  logs(name: string, options: ReadOptions): AsyncIterable<ContainerLine>;
  exec(name: string, command: string, terminal: boolean): Running;
  /** Whether a command in the container ends with 0 within so many milliseconds; only asked of those of which `see` tells no health. */
  probe(name: string, command: readonly string[], timeout: number): Promise<boolean>;
}

/** How its image may be fetched, where the definition says so. */
export function loginFor(
  { inputs }: TaskSpec,
  { name = "" }: ContainerDefinition,
): RegistryLogin | undefined {
  return inputs[name]?.registry;
}

/** The name of a container on its machine. */
export function containerName(task: string, container: string | undefined): string {
  return `ecs-${task.slice(0, 12)}-${container ?? ""}`;
}

export const taskLabel = "com.amazonaws.ecs.task-arn";

/** What containers are labelled with, as the real agent does it. */
export function taskLabels(spec: TaskSpec, definition: ContainerDefinition): Record<string, string> {
  return {
    ...definition.dockerLabels,
    [taskLabel]: spec.taskArn,
    "com.amazonaws.ecs.cluster": spec.cluster,
    "com.amazonaws.ecs.container-name": definition.name ?? "",
    "com.amazonaws.ecs.task-definition-family": spec.family,
    "com.amazonaws.ecs.task-definition-version": String(spec.revision),
  };
}

/** What holds the network of a task whose containers share one; undefined where each has its own. No container is called so. */
export function holderOf(spec: TaskSpec): string | undefined {
  return spec.definition.networkMode === "awsvpc" ? `ecs-${spec.id.slice(0, 12)}.network` : undefined;
}

/** Of all containers of a task that share a network, and with it what names things there. */
export function sharedResolver({ containerDefinitions = [] }: TaskDefinition): {
  servers: string[];
  search: string[];
} {
  const all = (lists: (readonly string[] | undefined)[]): string[] => [
    ...new Set(lists.flatMap((list) => list ?? [])),
  ];
  return {
    servers: all(containerDefinitions.map(({ dnsServers }) => dnsServers)),
    search: all(containerDefinitions.map(({ dnsSearchDomains }) => dnsSearchDomains)),
  };
}

/** By which others of its network find a task of a service: WEB, and WEB.CLUSTER. */
export function aliasesOf({ group, cluster }: TaskSpec): string[] {
  const [, service] = /^service:([A-Za-z0-9_-]{1,63})$/.exec(group) ?? [];
  return service === undefined ? [] : [service, `${service}.${cluster}`];
}

/** Without a path on the host and not shared, a volume lives as long as its task. */
export function taskVolume(task: string, name: string | undefined): string {
  return `ecs-${task.slice(0, 12)}-${name ?? ""}`;
}

/** All such volumes of a task. */
export function volumesOfTask({ id, definition: { volumes = [] } }: TaskSpec): string[] {
  return volumes
    .filter(
      ({ host, dockerVolumeConfiguration: docker }) =>
        host?.sourcePath === undefined && docker?.scope !== "shared",
    )
    .map(({ name }) => taskVolume(id, name));
}

/** As they stand in the environment of a program. */
export function assignments(pairs: readonly KeyValuePair[]): string[] {
  return pairs.map(({ name, value }) => `${name}=${value}`);
}
