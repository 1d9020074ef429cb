// What of a task definition an engine beside us is not asked for: named, so that nobody believes it to be in force.
import type { TaskDefinition } from "../../api/shapes.ts";
import { filled, type Refusals, refusalBy } from "../refusals.ts";

/** What would loosen the isolation of the node is not for whoever may register a definition. */
const refusals: Refusals = {
  driver: "docker",
  containers: [
    ["privileged", ({ privileged }) => privileged === true],
    ["dockerSecurityOptions", ({ dockerSecurityOptions }) => filled(dockerSecurityOptions)],
    ["linuxParameters.devices", ({ linuxParameters }) => filled(linuxParameters?.devices)],
    ["resourceRequirements", ({ resourceRequirements }) => filled(resourceRequirements)],
    ["firelensConfiguration", ({ firelensConfiguration }) => firelensConfiguration !== undefined],
    ["credentialSpecs", ({ credentialSpecs }) => filled(credentialSpecs)],
    ["secrets with a path", ({ secrets }) => secrets?.some(({ name }) => name.startsWith("/")) ?? false],
    [
      "portMappings.containerPortRange",
      ({ portMappings }) =>
        portMappings?.some((mapping) => mapping.containerPortRange !== undefined) ?? false,
    ],
  ],
  logDrivers: ["json-file", "awslogs", "syslog"],
};

export function refusalOfEngine(definition: TaskDefinition): string | undefined {
  return refusalBy(refusals, definition);
}
