// What of a task definition a driver cannot honour: the parts that all drivers have in common.
import { TranshipError } from "../../base/errors.ts";
import type { ContainerDefinition, SystemControl, TaskDefinition } from "../api/shapes.ts";
import { defaultSyslog } from "../logs/log-options.ts";

export interface Refusals {
  /** As messages call it. */
  driver: string;
  containers: readonly (readonly [field: string, isSet: (container: ContainerDefinition) => boolean])[];
  /** Besides none at all. */
  logDrivers: readonly string[];
}

export const filled = (value: readonly unknown[] | undefined): boolean => (value?.length ?? 0) > 0;

/** The sentence for the first field that is refused. */
export function refusalBy(refusals: Refusals, definition: TaskDefinition): string | undefined {
  const found = firstOf(refusals, definition);
  return found === undefined ? undefined : `The ${refusals.driver} driver does not support ${found}.`;
}

function firstOf(
  { containers: ofContainers, logDrivers }: Refusals,
  definition: TaskDefinition,
): string | undefined {
  const containers = definition.containerDefinitions ?? [];
  for (const container of containers) {
    const found = ofContainers.find(([, isSet]) => isSet(container));
    if (found !== undefined) return inContainer(`containerDefinitions.${found[0]}`, container);
    if (container.versionConsistency === "enabled")
      return inContainer("containerDefinitions.versionConsistency enabled", container);
    if (definition.networkMode === "host" && container.systemControls?.some(isOfNetwork))
      return inContainer("containerDefinitions.systemControls of a network with networkMode host", container);
    const driver = container.logConfiguration?.logDriver;
    if (driver !== undefined && !logDrivers.includes(driver))
      return inContainer(`logConfiguration.logDriver ${driver}`, container);
  }
  const { operatingSystemFamily: system = "LINUX" } = definition.runtimePlatform ?? {};
  if (system !== "LINUX") return `runtimePlatform.operatingSystemFamily ${system}`;
  if (definition.enableFaultInjection) return "enableFaultInjection";
  if (definition.ephemeralStorage !== undefined) return "ephemeralStorage";
  if (definition.pidMode !== undefined) return "pidMode";
  if (definition.ipcMode !== undefined && definition.ipcMode !== "none") return "ipcMode";
  if (definition.proxyConfiguration !== undefined) return "proxyConfiguration";
  if (filled(definition.inferenceAccelerators)) return "inferenceAccelerators";
  for (const { name, ...kinds } of definition.volumes ?? []) {
    const { dockerVolumeConfiguration: docker, configuredAtLaunch } = kinds;
    if (configuredAtLaunch) return `configuredAtLaunch of the volume ${name}`;
    if (
      kinds.efsVolumeConfiguration ??
      kinds.fsxWindowsFileServerVolumeConfiguration ??
      kinds.s3filesVolumeConfiguration
    )
      return `the kind of the volume ${name}`;
    if (docker?.driver !== undefined && docker.driver !== "local")
      return `the driver ${docker.driver} of the volume ${name}`;
    if (Object.keys(docker?.driverOpts ?? {}).length > 0) return `driverOpts of the volume ${name}`;
    // Volumes are made where they are missing.
    if (docker?.scope === "shared" && docker.autoprovision === false)
      return `autoprovision false of the volume ${name}`;
  }
  return undefined;
}

/** Whoever may register a definition makes the node connect to these addresses, and to no others. E_USAGE. */
export function refuseSyslog({ logConfiguration }: ContainerDefinition, allowed: readonly string[]): void {
  const address = logConfiguration?.options?.["syslog-address"];
  if (logConfiguration?.logDriver !== "syslog" || address === undefined) return;
  if (address === defaultSyslog || allowed.includes(address)) return;
  throw new TranshipError("E_USAGE", `the node sends no logs to ${address}`, {
    hint: "name it with --syslog where the control plane or the agent is started",
  });
}

function isOfNetwork({ namespace = "" }: SystemControl): boolean {
  return namespace.startsWith("net.");
}

function inContainer(what: string, { name }: ContainerDefinition): string {
  return `${what} (container ${name})`;
}
