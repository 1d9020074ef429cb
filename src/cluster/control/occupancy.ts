// What the tasks take of each container instance, and which tasks a service has: kept beside the state, so that placement need not count.
import type { TaskEntity } from "../state/entities.ts";
import type { State } from "../state/state.ts";

/** Of one container instance; the same object as long as it is there. */
export interface Taken {
  cpu: number;
  memory: number;
  ports: Set<string>;
  tasks: Set<string>;
}

export class Occupancy {
  readonly #state: State;
  readonly #byInstance = new Map<string, Taken>();
  readonly #byService = new Map<string, Set<string>>();

  constructor(state: State) {
    this.#state = state;
    for (const task of state.task.all()) this.add(task);
  }

  /** A task that has not STOPPED holds its resources; every remembered one of a service belongs to it. */
  add(task: TaskEntity): void {
    if (task.service !== undefined) {
      const tasks = this.#byService.get(task.service);
      if (tasks === undefined) this.#byService.set(task.service, new Set([task.id]));
      else tasks.add(task.id);
    }
    if (task.instance === undefined || task.wire.lastStatus === "STOPPED") return;
    const taken = this.#taken(task.instance);
    if (taken.tasks.has(task.id)) return;
    taken.tasks.add(task.id);
    taken.cpu += task.cpu;
    taken.memory += task.memory;
    for (const port of task.ports) taken.ports.add(port);
  }

  /** It has STOPPED. */
  release(task: TaskEntity): void {
    const taken = task.instance === undefined ? undefined : this.#byInstance.get(task.instance);
    if (taken === undefined || !taken.tasks.delete(task.id)) return;
    taken.cpu -= task.cpu;
    taken.memory -= task.memory;
    for (const port of task.ports) taken.ports.delete(port);
  }

  forget(task: TaskEntity): void {
    this.release(task);
    if (task.service === undefined) return;
    const tasks = this.#byService.get(task.service);
    tasks?.delete(task.id);
    if (tasks?.size === 0) this.#byService.delete(task.service);
  }

  clear(): void {
    this.#byInstance.clear();
    this.#byService.clear();
  }

  of(instance: string): Taken {
    return this.#taken(instance);
  }

  *tasksOf(instance: string): Generator<TaskEntity> {
    for (const id of this.#byInstance.get(instance)?.tasks ?? []) {
      const task = this.#state.task.get(id);
      if (task !== undefined) yield task;
    }
  }

  /** Also those that have STOPPED and are not forgotten. */
  *ofService(key: string): Generator<TaskEntity> {
    for (const id of this.#byService.get(key) ?? []) {
      const task = this.#state.task.get(id);
      if (task !== undefined) yield task;
    }
  }

  #taken(instance: string): Taken {
    let taken = this.#byInstance.get(instance);
    if (taken === undefined) {
      taken = { cpu: 0, memory: 0, ports: new Set(), tasks: new Set() };
      this.#byInstance.set(instance, taken);
    }
    return taken;
  }
}
