// What is to be done next for the containers of one task: order, conditions, ends, restarts. Pure: a driver carries it out and says what it saw.
import type { ContainerDefinition } from "../api/shapes.ts";
import { dependenciesOf } from "./dependencies.ts";
import type { Health } from "./health-checks.ts";

export interface ContainerState {
  name: string;
  /** STARTING: told to start, not seen running yet. STOPPING: told to stop. */
  status: "PENDING" | "STARTING" | "RUNNING" | "STOPPING" | "STOPPED";
  exitCode?: number;
  reason?: string;
  health?: Health;
  /** Of the last start, in milliseconds since 1970. */
  startedAt?: number;
  restarts: number;
}

export interface TaskState {
  containers: ContainerState[];
  /** Set once the task is to end. */
  ending?: { stopCode?: "EssentialContainerExited" | "TaskFailedToStart"; reason?: string };
  /** In milliseconds since 1970. */
  createdAt: number;
}

export type Action = { do: "start" | "stop"; name: string };

/** Default and bounds of the real service, in milliseconds. */
const defaultStartTimeout = 180_000;
const defaultRestartPeriod = 300_000;

/** Changes `state` (what is told to start is STARTING then) and says what to do. */
export function nextActions(
  definitions: readonly ContainerDefinition[],
  state: TaskState,
  now: number,
): Action[] {
  judgeEnds(definitions, state, now);
  if (state.ending === undefined) judgeDependencies(definitions, state, now);
  return state.ending === undefined ? starts(definitions, state, now) : stops(definitions, state);
}

/** A container has ended: is it started again, or does the task end with it? */
function judgeEnds(definitions: readonly ContainerDefinition[], state: TaskState, now: number): void {
  if (state.ending !== undefined) return;
  for (const definition of definitions) {
    const container = find(state, definition.name);
    if (container.status !== "STOPPED") continue;
    if (mayRestart(definition, container, now)) {
      container.status = "PENDING";
      container.restarts++;
      delete container.exitCode;
      delete container.reason;
      continue;
    }
    if (!(definition.essential ?? true)) continue;
    const started = container.startedAt !== undefined;
    state.ending = started
      ? {
          stopCode: "EssentialContainerExited",
          reason: container.reason ?? "Essential container in task exited",
        }
      : { stopCode: "TaskFailedToStart", reason: container.reason ?? "The container could not be started." };
    return;
  }
}

function mayRestart({ restartPolicy }: ContainerDefinition, container: ContainerState, now: number): boolean {
  if (!restartPolicy?.enabled || container.startedAt === undefined) return false;
  if (restartPolicy.ignoredExitCodes?.includes(container.exitCode ?? -1)) return false;
  const period = (restartPolicy.restartAttemptPeriod ?? defaultRestartPeriod / 1000) * 1000;
  return now - container.startedAt >= period;
}

/** A condition that cannot come true any more, or does not in time, fails the task. */
function judgeDependencies(definitions: readonly ContainerDefinition[], state: TaskState, now: number): void {
  for (const definition of definitions) {
    if (find(state, definition.name).status !== "PENDING") continue;
    for (const { containerName, condition } of dependenciesOf(definition)) {
      const other = find(state, containerName);
      const target = definitions.find(({ name }) => name === containerName);
      const late =
        now - state.createdAt >
        (target?.startTimeout === undefined ? defaultStartTimeout : target.startTimeout * 1000);
      const failed =
        (condition === "SUCCESS" && other.status === "STOPPED" && other.exitCode !== 0) ||
        (other.status === "STOPPED" && other.startedAt === undefined) ||
        (condition === "HEALTHY" && other.status === "STOPPED") ||
        (late && !isMet(condition, other));
      if (!failed) continue;
      state.ending = {
        stopCode: "TaskFailedToStart",
        reason: `Container ${definition.name} waits for ${containerName} to be ${condition}, which it ${late ? "was not in time" : "will not be"}.`,
      };
      return;
    }
  }
}

function isMet(condition: string, other: ContainerState): boolean {
  const ran = other.startedAt !== undefined && other.status !== "STARTING" && other.status !== "PENDING";
  if (condition === "START") return ran;
  if (condition === "HEALTHY") return other.status === "RUNNING" && other.health === "HEALTHY";
  if (condition === "COMPLETE") return ran && other.status === "STOPPED";
  return ran && other.status === "STOPPED" && other.exitCode === 0;
}

function starts(definitions: readonly ContainerDefinition[], state: TaskState, now: number): Action[] {
  const actions: Action[] = [];
  for (const definition of definitions) {
    const container = find(state, definition.name);
    if (container.status !== "PENDING") continue;
    const ready = dependenciesOf(definition).every(({ containerName, condition }) =>
      isMet(condition, find(state, containerName)),
    );
    if (!ready) continue;
    container.status = "STARTING";
    container.health = definition.healthCheck === undefined ? (container.health ?? "UNKNOWN") : "UNKNOWN";
    delete container.startedAt;
    state.createdAt = Math.max(state.createdAt, now);
    actions.push({ do: "start", name: container.name });
  }
  return actions;
}

/** Those that others depend on end after them. */
function stops(definitions: readonly ContainerDefinition[], state: TaskState): Action[] {
  const actions: Action[] = [];
  for (const container of state.containers) {
    if (container.status === "PENDING") container.status = "STOPPED";
    if (container.status !== "RUNNING") continue;
    const needed = definitions.some(
      (definition) =>
        dependenciesOf(definition).some(({ containerName }) => containerName === container.name) &&
        isUp(find(state, definition.name)),
    );
    if (needed) continue;
    container.status = "STOPPING";
    actions.push({ do: "stop", name: container.name });
  }
  return actions;
}

const isUp = ({ status }: ContainerState): boolean =>
  status === "STARTING" || status === "RUNNING" || status === "STOPPING";

/** Of the task, from its containers. */
export function statusOfTask(
  definitions: readonly ContainerDefinition[],
  state: TaskState,
): "PENDING" | "ACTIVATING" | "RUNNING" | "STOPPING" | "STOPPED" {
  if (state.containers.every(({ status }) => status === "STOPPED")) return "STOPPED";
  if (state.ending !== undefined) return "STOPPING";
  const ready = definitions.every((definition) => {
    const { status } = find(state, definition.name);
    return status === "RUNNING" || (status === "STOPPED" && !(definition.essential ?? true));
  });
  if (ready) return "RUNNING";
  return state.containers.some(({ status }) => status === "RUNNING" || status === "STOPPED")
    ? "ACTIVATING"
    : "PENDING";
}

function find(state: TaskState, name: string | undefined): ContainerState {
  const found = state.containers.find((container) => container.name === name);
  if (found === undefined) throw new Error(`the task has no container ${name}`);
  return found;
}
