// A container definition as what our runtime is asked for. Pure.
import { nativePath } from "../../../host/native.ts";
import type { NetworkRedirection } from "../../../package/descriptor.ts";
import type { CreateOptions } from "../../../runtime/create-options.ts";
import type { HealthRequest } from "../../../runtime/health/rule.ts";
import type { Limits } from "../../../runtime/limits/limits.ts";
import type { InstanceLog, InstanceMount, Resolver } from "../../../runtime/record.ts";
import { isOfIpc, isOfNetwork } from "../../../runtime/sysctls.ts";
import { tmpfsMount } from "../../../runtime/volumes/tmpfs.ts";
import type { ContainerDefinition } from "../../api/shapes.ts";
import { defaultMaxFiles, defaultMaxSize, sizeOption } from "../../logs/log-options.ts";
import { callsOf, macOf, sharedMac } from "../../own-labels.ts";
import { containerName, holderOf, sharedResolver, taskLabels, taskVolume } from "../containers.ts";
import type { TaskSpec } from "../driver.ts";
import { checkRule } from "../health-checks.ts";

const mebi = 2 ** 20;
/** Where the program that holds a network is seen inside its instance. */
const holderProgram = "/.tranship-pause";

/** The network of all tasks of a cluster that have a network of their own. */
export function networkName({ cluster }: TaskSpec): string {
  return `ecs-${cluster}`;
}

/** The network of tasks of a cluster whose containers are linked: the default one has no names. No cluster is called so. */
function linkNetwork({ cluster }: TaskSpec): string {
  return `ecs-${cluster}.links`;
}

/** The network that a container is put into besides or instead of the default one; it is to be made where it is missing. */
export function ownNetworkOf(spec: TaskSpec): string | undefined {
  if (holderOf(spec) !== undefined) return networkName(spec);
  const linked = spec.definition.containerDefinitions?.some(({ links }) => (links?.length ?? 0) > 0);
  return linked && (spec.definition.networkMode ?? "bridge") === "bridge" ? linkNetwork(spec) : undefined;
}

/** Names in its hosts file: of others of the task, whom they follow to other addresses, and of other hosts. */
export function namesOf(
  spec: TaskSpec,
  { links = [], extraHosts = [] }: ContainerDefinition,
): NetworkRedirection[] {
  const hosts = extraHosts.map(({ hostname = "", ipAddress = "" }) => ({
    kind: "name" as const,
    from: hostname,
    to: ipAddress,
  }));
  const others = links.flatMap((link) => {
    const [name, alias = name] = link.split(":");
    const to = containerName(spec.id, name);
    return [...new Set([alias, name])].map((from = "") => ({ kind: "name" as const, from, to }));
  });
  return [...hosts, ...others];
}

/** Any image does: only our own program runs in it. */
export function holderOptions(spec: TaskSpec, first: ContainerDefinition, name: string): CreateOptions {
  return {
    reference: first.image ?? "",
    command: [],
    name,
    entrypoint: [holderProgram],
    ...(first.hostname === undefined ? {} : { hostname: first.hostname }),
    network: "bridge",
    networks: [{ network: networkName(spec), aliases: [] }],
    ...resolverOf(sharedResolver(spec.definition)),
    ...identityOf(sharedMac(spec.definition)),
    ...sysctlsOf(spec.definition.containerDefinitions ?? [], isOfNetwork),
    mounts: [
      {
        kind: "bind",
        source: nativePath("pause"),
        target: holderProgram,
        readOnly: true,
        anonymous: false,
        seed: false,
      },
    ],
    stopTimeout: 1000,
    health: { command: "none" },
    labels: { ...taskLabels(spec, { name: "" }), "com.tranship.holder": "true" },
  };
}

export function optionsOf(spec: TaskSpec, definition: ContainerDefinition): CreateOptions {
  const override = spec.overrides.containerOverrides?.find(({ name }) => name === definition.name);
  const { environment: fromFiles = [] } = spec.inputs[definition.name ?? ""] ?? {};
  const environment = [...fromFiles, ...(definition.environment ?? []), ...(override?.environment ?? [])];
  return {
    reference: definition.image ?? "",
    command: override?.command ?? definition.command ?? [],
    name: containerName(spec.id, definition.name),
    ...(definition.entryPoint === undefined ? {} : { entrypoint: definition.entryPoint }),
    environment: environment.map(({ name, value }) => `${name}=${value ?? ""}`),
    ...(definition.workingDirectory === undefined ? {} : { workingDirectory: definition.workingDirectory }),
    ...(definition.user === undefined ? {} : { user: definition.user }),
    terminal: definition.pseudoTerminal ?? false,
    interactive: definition.interactive ?? false,
    ...networkOf(spec, definition),
    mounts: mountsOf(spec, definition),
    limits: limitsOf(spec, definition),
    capAdd: definition.linuxParameters?.capabilities?.add ?? [],
    capDrop: definition.linuxParameters?.capabilities?.drop ?? [],
    readOnly: definition.readonlyRootFilesystem ?? false,
    ...syscallsOf(definition),
    ...sysctlsOf([definition], holderOf(spec) === undefined ? () => true : isOfIpc),
    stopTimeout: (definition.stopTimeout ?? 30) * 1000,
    health: healthOf(definition),
    log: logOf(definition),
    labels: taskLabels(spec, definition),
  };
}

/** Init checks. As with the real service a check of the image itself does not count; what follows from a result is the control plane's to say. */
function healthOf({ healthCheck }: ContainerDefinition): HealthRequest {
  if (healthCheck === undefined) return { command: "none" };
  const rule = checkRule(healthCheck);
  return { ...rule, startInterval: rule.interval, onFailure: "none" };
}

/** Whatever the driver, the lines are in the runtime's own log first, within bounds. */
function logOf({ logConfiguration }: ContainerDefinition): InstanceLog {
  const { options = {} } = logConfiguration ?? {};
  return {
    maxSize: sizeOption(options["max-size"] ?? "") ?? defaultMaxSize,
    maxFiles: Number(options["max-file"] ?? defaultMaxFiles),
  };
}

function syscallsOf(definition: ContainerDefinition): Pick<CreateOptions, "calls"> {
  const calls = callsOf(definition);
  return calls === undefined ? {} : { calls };
}

/** Of several containers for which one instance holds the network: later ones go before. */
function sysctlsOf(
  containers: readonly ContainerDefinition[],
  which: (name: string) => boolean,
): Pick<CreateOptions, "sysctls"> {
  const controls = containers.flatMap(({ systemControls = [] }) => systemControls);
  const chosen = controls.filter(({ namespace = "" }) => which(namespace));
  if (chosen.length === 0) return {};
  return { sysctls: Object.fromEntries(chosen.map(({ namespace = "", value = "" }) => [namespace, value])) };
}

function resolverOf({ servers, search }: Resolver): Pick<CreateOptions, "resolver"> {
  return servers.length + search.length === 0 ? {} : { resolver: { servers, search } };
}

/** It is lent to one running container of the node at a time. */
function identityOf(mac: string | undefined): Pick<CreateOptions, "identity"> {
  return mac === undefined ? {} : { identity: { mac } };
}

type NetworkChoice = Pick<
  CreateOptions,
  "network" | "networks" | "networkOf" | "hostname" | "ports" | "resolver" | "identity"
>;

function networkOf(spec: TaskSpec, definition: ContainerDefinition): NetworkChoice {
  const { networkMode = "bridge" } = spec.definition;
  const holder = holderOf(spec);
  if (holder !== undefined) return { network: "container", networkOf: holder };
  const own = {
    ...(definition.hostname === undefined ? {} : { hostname: definition.hostname }),
    ...resolverOf({ servers: definition.dnsServers ?? [], search: definition.dnsSearchDomains ?? [] }),
  };
  if (networkMode === "host") return { network: "host", ...own };
  if (networkMode === "none" || definition.disableNetworking) return { network: "none", ...own };
  const ports = (definition.portMappings ?? []).map((mapping) => ({
    hostAddress: "",
    hostPort: mapping.hostPort ?? 0,
    containerPort: mapping.containerPort ?? 0,
    protocol: mapping.protocol ?? "tcp",
  }));
  const network = ownNetworkOf(spec);
  const networks = network === undefined ? {} : { networks: [{ network, aliases: [] }] };
  return { network: "bridge", ...networks, ports, ...own, ...identityOf(macOf(definition)) };
}

function limitsOf(spec: TaskSpec, definition: ContainerDefinition): Limits {
  const override = spec.overrides.containerOverrides?.find(({ name }) => name === definition.name);
  const memory =
    override?.memory ?? definition.memory ?? numeric(spec.overrides.memory ?? spec.definition.memory);
  const cpu = override?.cpu ?? definition.cpu ?? 0;
  const { linuxParameters: { sharedMemorySize, maxSwap } = {}, ulimits } = definition;
  const memoryReservation = override?.memoryReservation ?? definition.memoryReservation;
  const bytes = (mib: number | undefined): number | null => (mib === undefined ? null : mib * mebi);
  return {
    memory: bytes(memory),
    memoryReservation: bytes(memoryReservation),
    memorySwap: memory === undefined || maxSwap === undefined ? null : (memory + maxSwap) * mebi,
    cpus: spec.definition.cpu !== undefined && cpu > 0 ? cpu / 1024 : null,
    // As the real agent: what a container asks for is its share.
    cpuShares: cpu > 0 ? Math.max(2, cpu) : null,
    pids: null,
    shmSize: bytes(sharedMemorySize),
    ulimits:
      ulimits?.map(({ name, softLimit, hardLimit }) => ({ name, soft: softLimit, hard: hardLimit })) ?? null,
  };
}

function numeric(text: string | undefined): number | undefined {
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

function mountsOf(spec: TaskSpec, definition: ContainerDefinition): InstanceMount[] {
  const mounts = (definition.mountPoints ?? []).map(
    ({ sourceVolume, containerPath = "/", readOnly = false }): InstanceMount => {
      const volume = spec.definition.volumes?.find(({ name }) => name === sourceVolume);
      const path = volume?.host?.sourcePath;
      if (path !== undefined)
        return { kind: "bind", source: path, target: containerPath, readOnly, anonymous: false, seed: false };
      const shared = volume?.dockerVolumeConfiguration?.scope === "shared";
      return {
        kind: "volume",
        source: shared ? (sourceVolume ?? "") : taskVolume(spec.id, sourceVolume),
        target: containerPath,
        readOnly,
        anonymous: false,
        seed: true,
      };
    },
  );
  for (const { containerPath = "", size, mountOptions = [] } of definition.linuxParameters?.tmpfs ?? [])
    mounts.push(tmpfsMount(containerPath, [...mountOptions, `size=${size}m`]));
  return mounts;
}
