// What of a task definition our runtime cannot honour: named, so that nobody believes it to be in force.
import type { TaskDefinition } from "../../api/shapes.ts";
import { filled, type Refusals, refusalBy } from "../refusals.ts";

const refusals: Refusals = {
  driver: "local",
  containers: [
    ["volumesFrom", ({ volumesFrom }) => filled(volumesFrom)],
    ["privileged", ({ privileged }) => privileged === true],
    ["dnsServers", ({ dnsServers }) => filled(dnsServers)],
    ["dnsSearchDomains", ({ dnsSearchDomains }) => filled(dnsSearchDomains)],
    ["dockerSecurityOptions", ({ dockerSecurityOptions }) => filled(dockerSecurityOptions)],
    ["systemControls", ({ systemControls }) => filled(systemControls)],
    ["resourceRequirements", ({ resourceRequirements }) => filled(resourceRequirements)],
    ["firelensConfiguration", ({ firelensConfiguration }) => firelensConfiguration !== undefined],
    ["credentialSpecs", ({ credentialSpecs }) => filled(credentialSpecs)],
    ["repositoryCredentials", ({ repositoryCredentials }) => repositoryCredentials !== undefined],
    ["linuxParameters.swappiness", ({ linuxParameters }) => linuxParameters?.swappiness !== undefined],
    [
      "linuxParameters.tmpfs.mountOptions",
      ({ linuxParameters }) =>
        linuxParameters?.tmpfs?.some(({ mountOptions }) => filled(mountOptions)) ?? false,
    ],
    ["interactive", ({ interactive }) => interactive === true],
    ["linuxParameters.devices", ({ linuxParameters }) => filled(linuxParameters?.devices)],
    [
      "portMappings.containerPortRange",
      ({ portMappings }) =>
        portMappings?.some((mapping) => mapping.containerPortRange !== undefined) ?? false,
    ],
  ],
  logDrivers: ["json-file", "awslogs", "syslog"],
};

export function refusalOf(definition: TaskDefinition): string | undefined {
  return refusalBy(refusals, definition);
}
