// A container definition as what the Engine API wants for a container. Pure.
import { capabilitySet } from "../../../runtime/oci/capabilities.ts";
import { learnedRules, seccompJson } from "../../../runtime/oci/seccomp.ts";
import type {
  ContainerDefinition,
  ContainerOverride,
  PortMapping,
  TaskDefinition,
} from "../../api/shapes.ts";
import { defaultMaxFiles, defaultMaxSize } from "../../logs/log-options.ts";
import { callsOf, macOf } from "../../own-labels.ts";
import { containerName, sharedResolver, taskLabels, taskVolume } from "../containers.ts";
import type { TaskSpec } from "../driver.ts";
import { checkRule } from "../health-checks.ts";

/** Body of POST /containers/create; only what we set. */
export interface ContainerSpec {
  Image: string;
  Entrypoint?: string[];
  Cmd?: string[];
  Env: string[];
  WorkingDir?: string;
  User?: string;
  Hostname?: string;
  MacAddress?: string;
  Tty: boolean;
  OpenStdin: boolean;
  StopTimeout: number;
  Labels: Record<string, string>;
  /** Times in nanoseconds. */
  Healthcheck: {
    Test: string[];
    Interval?: number;
    Timeout?: number;
    Retries?: number;
    StartPeriod?: number;
  };
  ExposedPorts: Record<string, object>;
  HostConfig: Record<string, unknown>;
}

const mebi = 2 ** 20;

/** `holder`: the container that has the network of the task, where the containers share one. */
export function containerSpec(
  spec: TaskSpec,
  definition: ContainerDefinition,
  holder: string | undefined,
): ContainerSpec {
  const override = spec.overrides.containerOverrides?.find(({ name }) => name === definition.name);
  const { environment: fromFiles = [], secrets = [] } = spec.inputs[definition.name ?? ""] ?? {};
  const environment = [
    ...fromFiles,
    ...(definition.environment ?? []),
    ...secrets,
    ...(override?.environment ?? []),
  ];
  const command = override?.command ?? definition.command;
  return {
    Image: definition.image ?? "",
    ...(definition.entryPoint === undefined ? {} : { Entrypoint: definition.entryPoint }),
    ...(command === undefined ? {} : { Cmd: command }),
    Env: environment.map(({ name, value }) => `${name}=${value ?? ""}`),
    ...(definition.workingDirectory === undefined ? {} : { WorkingDir: definition.workingDirectory }),
    ...(definition.user === undefined ? {} : { User: definition.user }),
    ...(definition.hostname === undefined || holder !== undefined ? {} : { Hostname: definition.hostname }),
    ...macAddress(holder === undefined ? macOf(definition) : undefined),
    Tty: definition.pseudoTerminal ?? false,
    OpenStdin: definition.interactive ?? false,
    StopTimeout: definition.stopTimeout ?? 30,
    Labels: taskLabels(spec, definition),
    Healthcheck: healthcheck(definition),
    ExposedPorts: holder === undefined ? exposed(definition.portMappings ?? []) : {},
    HostConfig: {
      ...limits(spec, definition, override),
      ...network(spec, definition, holder),
      Mounts: mounts(spec, definition),
      VolumesFrom: (definition.volumesFrom ?? []).map(
        ({ sourceContainer, readOnly }) =>
          `${containerName(spec.id, sourceContainer)}${readOnly ? ":ro" : ""}`,
      ),
      Tmpfs: Object.fromEntries(
        (definition.linuxParameters?.tmpfs ?? []).map(({ containerPath, size, mountOptions }) => [
          containerPath,
          [`size=${size}m`, ...(mountOptions ?? [])].join(","),
        ]),
      ),
      CapAdd: definition.linuxParameters?.capabilities?.add ?? [],
      CapDrop: definition.linuxParameters?.capabilities?.drop ?? [],
      Init: definition.linuxParameters?.initProcessEnabled ?? false,
      ...security(definition),
      ReadonlyRootfs: definition.readonlyRootFilesystem ?? false,
      RestartPolicy: { Name: "no" },
      LogConfig: logging(definition),
    },
  };
}

/** In the form that every version of the engine takes. */
export function macAddress(mac: string | undefined): { MacAddress?: string } {
  return mac === undefined ? {} : { MacAddress: mac };
}

/** The engine's own filter of system calls, or a narrower one: with the label nothing is allowed that is not without. */
function security(definition: ContainerDefinition): { SecurityOpt?: string[] } {
  const calls = callsOf(definition);
  if (calls === undefined) return {};
  const { add = [], drop = [] } = definition.linuxParameters?.capabilities ?? {};
  const rules = learnedRules(calls, capabilitySet(add, drop));
  return { SecurityOpt: [`seccomp=${JSON.stringify(seccompJson(rules, process.arch))}`] };
}

/** As with the real service a check of the image itself does not count. */
function healthcheck({ healthCheck }: ContainerDefinition): ContainerSpec["Healthcheck"] {
  if (healthCheck === undefined) return { Test: ["NONE"] };
  const { command, interval, timeout, retries, startPeriod } = checkRule(healthCheck);
  return {
    Test: ["CMD", ...command],
    Interval: interval * 1e6,
    Timeout: timeout * 1e6,
    Retries: retries,
    StartPeriod: startPeriod * 1e6,
  };
}

function limits(
  spec: TaskSpec,
  definition: ContainerDefinition,
  override: ContainerOverride | undefined,
): Record<string, unknown> {
  const task = Number(spec.overrides.memory ?? spec.definition.memory);
  const memory = override?.memory ?? definition.memory ?? (Number.isInteger(task) ? task : undefined);
  const cpu = override?.cpu ?? definition.cpu ?? 0;
  const reserved = override?.memoryReservation ?? definition.memoryReservation;
  const { sharedMemorySize, maxSwap, swappiness } = definition.linuxParameters ?? {};
  return {
    ...(memory === undefined ? {} : { Memory: memory * mebi }),
    ...(memory === undefined || maxSwap === undefined ? {} : { MemorySwap: (memory + maxSwap) * mebi }),
    ...(swappiness === undefined ? {} : { MemorySwappiness: swappiness }),
    ...(reserved === undefined ? {} : { MemoryReservation: reserved * mebi }),
    // As the real agent: shares for what a container asks for, a quota where the task has a limit of its own.
    CpuShares: Math.max(2, cpu),
    ...(spec.definition.cpu !== undefined && cpu > 0 ? { NanoCpus: Math.round((cpu / 1024) * 1e9) } : {}),
    ...(sharedMemorySize === undefined ? {} : { ShmSize: sharedMemorySize * mebi }),
    Ulimits: (definition.ulimits ?? []).map(({ name, softLimit, hardLimit }) => ({
      Name: name,
      Soft: softLimit,
      Hard: hardLimit,
    })),
  };
}

function network(
  spec: TaskSpec,
  definition: ContainerDefinition,
  holder: string | undefined,
): Record<string, unknown> {
  if (holder !== undefined)
    return {
      NetworkMode: `container:${holder}`,
      Sysctls: sysctls([definition], (name) => !isOfNetwork(name)),
    };
  const { networkMode = "bridge" } = spec.definition;
  const none = networkMode === "none" || definition.disableNetworking === true;
  return {
    NetworkMode: networkMode === "host" ? "host" : none ? "none" : "bridge",
    PortBindings: networkMode === "bridge" ? bindings(definition.portMappings ?? []) : {},
    Links: (definition.links ?? []).map((link) => {
      const [name, alias = name] = link.split(":");
      return `${containerName(spec.id, name)}:${alias}`;
    }),
    ...hosts({ containerDefinitions: [definition] }),
    Sysctls: sysctls([definition]),
  };
}

const isOfNetwork = (name: string): boolean => name.startsWith("net.");

/** Later ones go before. */
function sysctls(
  containers: readonly ContainerDefinition[],
  which: (name: string) => boolean = () => true,
): Record<string, string> {
  const all = containers.flatMap(({ systemControls }) => systemControls ?? []);
  return Object.fromEntries(
    all.flatMap(({ namespace = "", value = "" }) => (which(namespace) ? [[namespace, value]] : [])),
  );
}

/** Names, name servers and settings of the kernel, which belong to whoever has the network: of all containers that share it. */
export function hosts(definition: TaskDefinition): Record<string, unknown> {
  const { containerDefinitions = [] } = definition;
  const { servers, search } = sharedResolver(definition);
  return {
    ExtraHosts: containerDefinitions.flatMap(({ extraHosts = [] }) =>
      extraHosts.map(({ hostname, ipAddress }) => `${hostname}:${ipAddress}`),
    ),
    Dns: servers,
    DnsSearch: search,
    Sysctls: sysctls(containerDefinitions, isOfNetwork),
  };
}

function mounts(spec: TaskSpec, definition: ContainerDefinition): object[] {
  return (definition.mountPoints ?? []).map(({ sourceVolume, containerPath = "/", readOnly = false }) => {
    const volume = spec.definition.volumes?.find(({ name }) => name === sourceVolume);
    const path = volume?.host?.sourcePath;
    if (path !== undefined) return { Type: "bind", Source: path, Target: containerPath, ReadOnly: readOnly };
    const docker = volume?.dockerVolumeConfiguration;
    const shared = docker?.scope === "shared";
    return {
      Type: "volume",
      Source: shared ? sourceVolume : taskVolume(spec.id, sourceVolume),
      Target: containerPath,
      ReadOnly: readOnly,
      ...(docker?.labels === undefined ? {} : { VolumeOptions: { Labels: docker.labels } }),
    };
  });
}

function exposed(mappings: readonly PortMapping[]): Record<string, object> {
  return Object.fromEntries(mappings.map((mapping) => [keyOf(mapping), {}]));
}

function bindings(mappings: readonly PortMapping[]): Record<string, object[]> {
  const result: Record<string, object[]> = {};
  for (const mapping of mappings) {
    const { hostPort = 0 } = mapping;
    const key = keyOf(mapping);
    result[key] = [...(result[key] ?? []), { HostIp: "", HostPort: hostPort === 0 ? "" : String(hostPort) }];
  }
  return result;
}

function keyOf({ containerPort = 0, protocol = "tcp" }: PortMapping): string {
  return `${containerPort}/${protocol}`;
}

/** Log groups are kept on the node: the engine has the lines of containers that are there, within bounds. */
function logging({ logConfiguration }: ContainerDefinition): object {
  if (logConfiguration === undefined || logConfiguration.logDriver === "awslogs") {
    const Config = { "max-size": String(defaultMaxSize), "max-file": String(defaultMaxFiles) };
    return { Type: "json-file", Config };
  }
  return { Type: logConfiguration.logDriver, Config: logConfiguration.options ?? {} };
}
