// What of a task definition our runtime cannot honour: named, so that nobody believes it to be in force.
import { isOfIpc, isOfNetwork } from "../../../runtime/sysctls.ts";
import { isTmpfsOption } from "../../../runtime/volumes/tmpfs.ts";
import type { TaskDefinition } from "../../api/shapes.ts";
import { filled, type Refusals, refusalBy } from "../refusals.ts";

const refusals: Refusals = {
  driver: "local",
  containers: [
    ["privileged", ({ privileged }) => privileged === true],
    ["dockerSecurityOptions", ({ dockerSecurityOptions }) => filled(dockerSecurityOptions)],
    [
      "systemControls that are not of the ipc or network namespace",
      ({ systemControls }) =>
        systemControls?.some(({ namespace = "" }) => !isOfIpc(namespace) && !isOfNetwork(namespace)) ?? false,
    ],
    ["resourceRequirements", ({ resourceRequirements }) => filled(resourceRequirements)],
    ["firelensConfiguration", ({ firelensConfiguration }) => firelensConfiguration !== undefined],
    ["credentialSpecs", ({ credentialSpecs }) => filled(credentialSpecs)],
    ["linuxParameters.swappiness", ({ linuxParameters }) => linuxParameters?.swappiness !== undefined],
    [
      "linuxParameters.tmpfs.mountOptions that let set-user-id programs or devices work, or that are no tmpfs's",
      ({ linuxParameters }) =>
        linuxParameters?.tmpfs?.some(({ mountOptions = [] }) => !mountOptions.every(isTmpfsOption)) ?? false,
    ],
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
