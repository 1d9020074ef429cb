// Starts and stops the containers of tasks, each with what goes along: its image, what its task shares, the log of the one before it, its health check.
import type { Log } from "../../base/log.ts";
import type { ContainerDefinition } from "../api/shapes.ts";
import type { TaskLogs } from "../logs/task-logs.ts";
import { type Containers, containerName, loginFor, type SeenContainer } from "./containers.ts";
import type { TaskSpec } from "./driver.ts";
import type { TaskEndpoint } from "./endpoint/task-endpoint.ts";
import type { HealthChecks } from "./health-checks.ts";
import { refuseSyslog } from "./refusals.ts";
import type { ContainerState } from "./supervisor.ts";
import type { TaskNames } from "./task-names.ts";
import type { HeldTask } from "./task-records.ts";

export interface ContainerWorkOptions {
  containers: Containers;
  logs: TaskLogs;
  health: HealthChecks;
  names: TaskNames;
  endpoint: TaskEndpoint | undefined;
  /** Addresses to which logs may be sent, besides the node's own syslog. */
  syslog: readonly string[];
  log: Log;
}

export class ContainerWork {
  readonly #containers: Containers;
  readonly #logs: TaskLogs;
  readonly #health: HealthChecks;
  readonly #names: TaskNames;
  readonly #endpoint: TaskEndpoint | undefined;
  readonly #syslog: readonly string[];
  readonly #log: Log;
  /** By task. */
  readonly #preparing = new Map<string, Promise<void>>();

  constructor({ containers, logs, health, names, endpoint, syslog, log }: ContainerWorkOptions) {
    this.#containers = containers;
    this.#logs = logs;
    this.#health = health;
    this.#names = names;
    this.#endpoint = endpoint;
    this.#syslog = syslog;
    this.#log = log;
  }

  /** It was seen to have ended, or not to be there. */
  ended(container: ContainerState, seen: SeenContainer | undefined): void {
    container.status = "STOPPED";
    if (seen?.exitCode !== undefined) container.exitCode = seen.exitCode;
    if (seen?.reason !== undefined && /memory/i.test(seen.reason))
      container.reason = `OutOfMemoryError: ${seen.reason}`;
    else if (seen === undefined) container.reason = "The instance of the container is gone.";
  }

  async start(task: HeldTask, container: ContainerState, definition: ContainerDefinition): Promise<void> {
    const name = containerName(task.spec.id, container.name);
    try {
      // Left over from a start before this one (a restart by its policy, or a crash of ours).
      await this.#logs.keep(task, container.name);
      await this.#containers.remove(name);
      task.times.pullStartedAt ??= Date.now() / 1000;
      await this.#fetch(task.spec, definition);
      task.times.pullStoppedAt = Date.now() / 1000;
      refuseSyslog(definition, this.#syslog);
      await this.#prepare(task.spec);
      const told = this.#endpoint?.environment(task, definition) ?? [];
      await this.#containers.start(task.spec, definition, told);
      container.status = "RUNNING";
      container.startedAt = Date.now();
      this.watchHealth(task, container);
    } catch (error) {
      container.status = "STOPPED";
      container.reason = startFailure(error);
    }
  }

  /** Whatever keeps the image away is told in the same words: a registry that does not answer, one that refuses, an image that is none. */
  async #fetch(spec: TaskSpec, definition: ContainerDefinition): Promise<void> {
    const image = definition.image ?? "";
    try {
      await this.#containers.fetch(image, loginFor(spec, definition));
    } catch (error) {
      throw new Error(`CannotPullContainerError: ${image}: ${words(error)}`);
    }
  }

  /** Once for all containers of a task that start together. */
  #prepare(spec: TaskSpec): Promise<void> {
    const known = this.#preparing.get(spec.id);
    if (known !== undefined) return known;
    const work = this.#containers.prepare(spec).finally(() => {
      this.#preparing.delete(spec.id);
      this.#names.forget(spec.id);
    });
    this.#preparing.set(spec.id, work);
    return work;
  }

  watchHealth(task: HeldTask, container: ContainerState): void {
    const check = definitionOf(task, container.name)?.healthCheck;
    if (check !== undefined && container.status === "RUNNING")
      this.#health.start(containerName(task.spec.id, container.name), check);
  }

  async stop(name: string, container: ContainerState, definition: ContainerDefinition): Promise<void> {
    this.#health.stop(name);
    try {
      await this.#containers.stop(name, definition.stopTimeout ?? 30);
    } catch (error) {
      this.#log.warn(`cannot stop ${name}: ${words(error)}`);
    }
    this.ended(container, this.#containers.see(name));
  }
}

export function definitionOf({ spec }: HeldTask, container: string): ContainerDefinition | undefined {
  return spec.definition.containerDefinitions?.find(({ name }) => name === container);
}

/** The words of the real agent where clients look for them. */
function startFailure(error: unknown): string {
  const text = words(error);
  return text.startsWith("CannotPullContainerError: ") ? text : `CannotStartContainerError: ${text}`;
}

export function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
