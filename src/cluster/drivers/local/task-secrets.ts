// The secrets of a task as files, which the runtime gives to instances; they go with the task.
//
// Theory. Nobody but the owner of the state root gets into the directory; an instance sees a file of it at the place that the definition says, where
// whatever user its program has may read it, as docker does it: a definition has no words for an owner.
import { chmodSync, rmSync } from "node:fs";
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
  if (secrets.length > 0) {
    makeDirectory(own);
    chmodSync(directory, 0o700);
  }
  return secrets.map(({ name, value }, index) => {
    const source = join(own, `${definition.name ?? ""}-${index}`);
    writeFileAtomic(source, value, { mode: 0o400 });
    chmodSync(source, 0o444); // whatever the umask
    return { target: name, source };
  });
}

export function removeSecrets(directory: string, spec: TaskSpec): void {
  rmSync(join(directory, spec.id), { recursive: true, force: true });
}
