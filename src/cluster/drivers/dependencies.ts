// Which containers of a task another one waits for.
import type { ContainerDefinition, ContainerDependency } from "../api/shapes.ts";

/** What is declared, and what links and borrowed volumes need. */
export function dependenciesOf({
  dependsOn,
  links,
  volumesFrom,
}: ContainerDefinition): ContainerDependency[] {
  const others = [
    ...(links ?? []).map((link) => link.split(":")[0] ?? ""),
    ...(volumesFrom ?? []).map(({ sourceContainer = "" }) => sourceContainer),
  ];
  return [
    ...(dependsOn ?? []),
    ...others.map((name): ContainerDependency => ({ containerName: name, condition: "START" })),
  ];
}
