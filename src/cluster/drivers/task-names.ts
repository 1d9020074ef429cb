// By the name of its service a task with a network of its own is found while it does its work, and no longer: docs/decisions/0065-names-of-tasks-that-work.md
import type { Log } from "../../base/log.ts";
import type { Containers } from "./containers.ts";
import { statusOfTask } from "./supervisor.ts";
import type { HeldTask } from "./task-records.ts";

export class TaskNames {
  readonly #containers: Containers;
  readonly #log: Log;
  /** What was last asked for, by task. */
  readonly #asked = new Map<string, boolean>();
  #working: Promise<void> = Promise.resolve();

  constructor(containers: Containers, log: Log) {
    this.#containers = containers;
    this.#log = log;
  }

  /** Call whenever something of the task may have changed; without effect where it is as it was. */
  follow(task: HeldTask): void {
    const { id } = task.spec;
    const found = isToBeFound(task);
    if (this.#asked.get(id) === found) return;
    this.#asked.set(id, found);
    this.#working = this.#working.then(async () => {
      try {
        await this.#containers.setFound?.(task.spec, found);
      } catch (error) {
        this.#asked.delete(id); // tried again at the next look
        this.#log.warn(`cannot ${found ? "give" : "take"} task ${id} its names: ${String(error)}`);
      }
    });
  }

  /** What had its names has been made anew, or the task is gone. */
  forget(id: string): void {
    this.#asked.delete(id);
  }

  close(): Promise<void> {
    return this.#working;
  }
}

/** As a load balancer does that takes its targets from DescribeTasks: RUNNING, HEALTHY where that is checked, and not let go. */
export function isToBeFound({ spec, state, letGo }: HeldTask): boolean {
  const definitions = spec.definition.containerDefinitions ?? [];
  if (letGo === true || statusOfTask(definitions, state) !== "RUNNING") return false;
  return definitions.every(({ name, healthCheck, essential = true }) => {
    if (healthCheck === undefined || !essential) return true;
    return state.containers.find((each) => each.name === name)?.health === "HEALTHY";
  });
}
