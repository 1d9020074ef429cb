// What the tasks take of each node, and which ones a container instance and a service have: kept beside the state, so that placement need not count.
// A node is a container instance of every cluster, and has its room once.
import type { TaskEntity } from "../state/entities.ts";
import type { State } from "../state/state.ts";

/** Of one node, by tasks of whatever cluster; the same object as long as it is there. */
export interface Taken {
  cpu: number;
  memory: number;
  ports: Set<string>;
}

interface Held {
  node: Taken;
  tasks: Set<string>;
}

export class Occupancy {
  readonly #state: State;
  readonly #byNode = new Map<string, Taken>();
  readonly #byInstance = new Map<string, Held>();
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
    const held = this.#held(task.instance);
    if (held.tasks.has(task.id)) return;
    held.tasks.add(task.id);
    const taken = held.node;
    taken.cpu += task.cpu;
    taken.memory += task.memory;
    for (const port of task.ports) taken.ports.add(port);
  }

  /** It has STOPPED. */
  release(task: TaskEntity): void {
    const held = task.instance === undefined ? undefined : this.#byInstance.get(task.instance);
    if (held === undefined || !held.tasks.delete(task.id)) return;
    const taken = held.node;
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
    this.#byNode.clear();
    this.#byInstance.clear();
    this.#byService.clear();
  }

  /** `node`: as the driver calls it. */
  ofNode(node: string): Taken {
    let taken = this.#byNode.get(node);
    if (taken === undefined) {
      taken = { cpu: 0, memory: 0, ports: new Set() };
      this.#byNode.set(node, taken);
    }
    return taken;
  }

  countOf(instance: string): number {
    return this.#byInstance.get(instance)?.tasks.size ?? 0;
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

  /** A task may be there for longer than its container instance, whose node it keeps. */
  #held(instance: string): Held {
    let held = this.#byInstance.get(instance);
    if (held === undefined) {
      held = { node: this.ofNode(this.#state.instance.get(instance)?.node ?? instance), tasks: new Set() };
      this.#byInstance.set(instance, held);
    }
    return held;
  }
}
