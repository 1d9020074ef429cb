import type { ContainerDefinition, KeyValuePair } from "../../api/shapes.ts";
import type { CredentialSource, SeenTask } from "../driver.ts";
import type { HeldTask } from "../task-records.ts";

/** A task that asks. */
export interface AskingTask {
  task: HeldTask;
  seen: SeenTask;
  /** From which its containers ask; asked each time, as they come with the containers. */
  addresses(): string[];
}

/** By what only the task knows: the key of its metadata, or that of its credentials. */
export type FindTask = (by: "key" | "credentialsKey", value: string) => AskingTask | undefined;

/** What tasks can ask on their node. */
export interface TaskEndpoint {
  /** Begins to answer for tasks. */
  open(find: FindTask): Promise<void>;
  credentialsFrom(source: CredentialSource): void;
  /** The task has ended and is not answered any more. */
  forget(task: string): void;
  close(): Promise<void>;
  /** How a container learns where to ask. Throws where the task has a role and cannot be given its credentials. */
  environment(task: HeldTask, definition: ContainerDefinition): KeyValuePair[];
}
