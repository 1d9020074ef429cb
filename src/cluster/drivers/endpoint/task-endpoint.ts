import type { ContainerDefinition, KeyValuePair } from "../api/shapes.ts";
import type { SeenTask } from "./driver.ts";
import type { HeldTask } from "./task-records.ts";

/** What tasks can ask on their node. */
export interface TaskEndpoint {
  /** Begins to answer for tasks, which show who they are by their key. */
  open(find: (key: string) => { task: HeldTask; seen: SeenTask } | undefined): Promise<void>;
  close(): Promise<void>;
  /** How a container learns where to ask. */
  environment(task: HeldTask, definition: ContainerDefinition): KeyValuePair[];
}
