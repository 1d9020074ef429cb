// The secrets of a task as files, which the runtime gives to instances; only root can read them, and they go with the task.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { makeDirectory, writeFileAtomic } from "../../../host/files.ts";
import type { InstanceSecret } from "../../../runtime/record.ts";
import type { ContainerDefinition } from "../../api/shapes.ts";
import type { TaskSpec } from "../driver.ts";

export function writeSecrets(
  directory: string,
  spec: TaskSpec,
  definition: ContainerDefinition,
): InstanceSecret[] {
  const { secrets = [] } = spec.inputs[definition.name ?? ""] ?? {};
  const own = join(directory, spec.id);
  return secrets.map(({ name, value }, index) => {
    makeDirectory(own);
    const source = join(own, `${definition.name ?? ""}-${index}`);
    writeFileAtomic(source, value, { mode: 0o600 });
    return { target: name, source };
  });
}

export function removeSecrets(directory: string, spec: TaskSpec): void {
  rmSync(join(directory, spec.id), { recursive: true, force: true });
}
