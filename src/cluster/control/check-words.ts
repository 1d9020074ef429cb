// What of a container becomes words and paths of its program: what the kernel or a shell would cut off or read otherwise is refused.
import { clientError } from "../api/ecs-error.ts";
import type { ContainerDefinition, ContainerOverride, RegisterTaskDefinitionRequest } from "../api/shapes.ts";

type Words = Pick<ContainerDefinition & ContainerOverride, "name" | "command" | "environment"> &
  Pick<ContainerDefinition, "entryPoint" | "secrets">;

/** Of a container, or of what a call says instead of its definition. */
export function checkWords({
  name,
  entryPoint = [],
  command = [],
  environment = [],
  secrets = [],
}: Words): void {
  for (const word of [...entryPoint, ...command, ...environment.map(({ value = "" }) => value)])
    if (word.includes("\0")) throw clientError(`Container '${name}': a word or value has a NUL in it.`);
  // A secret whose name is a path is a file.
  const variables = [...environment, ...secrets.filter((each) => !each.name.startsWith("/"))];
  for (const { name: variable = "" } of variables)
    if (!/^[^=\0]+$/.test(variable))
      throw clientError(
        `Container '${name}': ${JSON.stringify(variable.slice(0, 60))} cannot be the name of a variable.`,
      );
}

/** Both ends of mounts are absolute. */
export function checkPaths({ volumes = [], containerDefinitions }: RegisterTaskDefinitionRequest): void {
  for (const { name, host } of volumes)
    if (host?.sourcePath !== undefined && !isPath(host.sourcePath))
      throw clientError(
        `Volume '${name}': sourcePath '${host.sourcePath.slice(0, 60)}' is not an absolute path.`,
      );
  for (const { name, mountPoints = [] } of containerDefinitions)
    for (const { containerPath = "" } of mountPoints)
      if (!isPath(containerPath) || /^[/.]+$/.test(containerPath))
        throw clientError(
          `Container '${name}': containerPath '${containerPath.slice(0, 60)}' is not an absolute path below the root.`,
        );
}

const isPath = (text: string): boolean => text.startsWith("/") && !text.includes("\0");
