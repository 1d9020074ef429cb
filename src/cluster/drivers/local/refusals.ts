// What of a task definition our runtime cannot honour: named, so that nobody believes it to be in force.
import type { ContainerDefinition, TaskDefinition } from "../../api/shapes.ts";

type Refusal = [field: string, isSet: (container: ContainerDefinition) => boolean];

const filled = (value: readonly unknown[] | undefined): boolean => (value?.length ?? 0) > 0;

const ofContainers: readonly Refusal[] = [
  ["links", ({ links }) => filled(links)],
  ["volumesFrom", ({ volumesFrom }) => filled(volumesFrom)],
  ["privileged", ({ privileged }) => privileged === true],
  ["dnsServers", ({ dnsServers }) => filled(dnsServers)],
  ["dnsSearchDomains", ({ dnsSearchDomains }) => filled(dnsSearchDomains)],
  ["extraHosts", ({ extraHosts }) => filled(extraHosts)],
  ["dockerSecurityOptions", ({ dockerSecurityOptions }) => filled(dockerSecurityOptions)],
  ["ulimits", ({ ulimits }) => filled(ulimits)],
  ["systemControls", ({ systemControls }) => filled(systemControls)],
  ["resourceRequirements", ({ resourceRequirements }) => filled(resourceRequirements)],
  ["firelensConfiguration", ({ firelensConfiguration }) => firelensConfiguration !== undefined],
  ["credentialSpecs", ({ credentialSpecs }) => filled(credentialSpecs)],
  ["repositoryCredentials", ({ repositoryCredentials }) => repositoryCredentials !== undefined],
  ["secrets", ({ secrets }) => filled(secrets)],
  ["environmentFiles", ({ environmentFiles }) => filled(environmentFiles)],
  ["linuxParameters.devices", ({ linuxParameters }) => filled(linuxParameters?.devices)],
  [
    "linuxParameters.sharedMemorySize",
    ({ linuxParameters }) => linuxParameters?.sharedMemorySize !== undefined,
  ],
  ["linuxParameters.maxSwap", ({ linuxParameters }) => linuxParameters?.maxSwap !== undefined],
  [
    "portMappings.containerPortRange",
    ({ portMappings }) => portMappings?.some((mapping) => mapping.containerPortRange !== undefined) ?? false,
  ],
];

const logDrivers = [undefined, "json-file", "awslogs"];

export function refusalOf(definition: TaskDefinition): string | undefined {
  const containers = definition.containerDefinitions ?? [];
  for (const container of containers) {
    const found = ofContainers.find(([, isSet]) => isSet(container));
    if (found !== undefined) return refused(`containerDefinitions.${found[0]}`, container.name);
    const driver = container.logConfiguration?.logDriver;
    if (!logDrivers.includes(driver)) return refused(`logConfiguration.logDriver ${driver}`, container.name);
  }
  if (definition.pidMode !== undefined) return refused("pidMode");
  if (definition.ipcMode !== undefined && definition.ipcMode !== "none") return refused("ipcMode");
  if (definition.proxyConfiguration !== undefined) return refused("proxyConfiguration");
  if (filled(definition.inferenceAccelerators)) return refused("inferenceAccelerators");
  if (definition.networkMode === "awsvpc" && containers.length > 1)
    return refused("networkMode awsvpc with several containers");
  for (const { name, ...kinds } of definition.volumes ?? []) {
    const { dockerVolumeConfiguration: docker } = kinds;
    if (
      kinds.efsVolumeConfiguration ??
      kinds.fsxWindowsFileServerVolumeConfiguration ??
      kinds.s3filesVolumeConfiguration
    )
      return refused(`the kind of the volume ${name}`);
    if (docker?.driver !== undefined && docker.driver !== "local")
      return refused(`the driver ${docker.driver} of the volume ${name}`);
    if (Object.keys(docker?.driverOpts ?? {}).length > 0) return refused(`driverOpts of the volume ${name}`);
  }
  return undefined;
}

function refused(what: string, container?: string): string {
  const where = container === undefined ? "" : ` (container ${container})`;
  return `The local driver does not support ${what}${where}.`;
}
