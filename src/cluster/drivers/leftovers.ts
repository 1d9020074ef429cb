// What ended tasks leave: their containers stay for a while, so that people can look into them, and go then, the oldest first where there are many. Their logs are kept longer.
import type { Log } from "../../base/log.ts";
import type { TaskLogs } from "../logs/task-logs.ts";
import { type Containers, containerName } from "./containers.ts";
import type { HeldTask, TaskRecords } from "./task-records.ts";

/** As long as the API remembers the tasks, in milliseconds. */
export const defaultCleanupWait = 3_600_000;
/** A service whose tasks end at once would fill the disk. */
const most = 50;

export interface LeftoversOptions {
  containers: Containers;
  records: TaskRecords;
  logs: TaskLogs;
  log: Log;
  /** Milliseconds that containers stay after their task has ended. */
  wait: number;
}

export class Leftovers {
  readonly #containers: Containers;
  readonly #records: TaskRecords;
  readonly #logs: TaskLogs;
  readonly #log: Log;
  readonly #wait: number;
  /** In the order in which they were forgotten. */
  readonly #tasks: HeldTask[] = [];
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor({ containers, records, logs, log, wait }: LeftoversOptions) {
    this.#containers = containers;
    this.#records = records;
    this.#logs = logs;
    this.#log = log;
    this.#wait = wait;
  }

  add(task: HeldTask): void {
    this.#tasks.push(task);
    this.#working = this.#working.then(() => this.#try(task, () => this.#containers.release(task.spec)));
    this.#sweep();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #sweep(): void {
    clearTimeout(this.#timer);
    const due = Date.now() - this.#wait;
    for (let first = this.#tasks[0]; first !== undefined; first = this.#tasks[0]) {
      const task = first;
      if (this.#tasks.length <= most && (task.forgotten ?? 0) > due) break;
      this.#tasks.shift();
      this.#working = this.#working.then(() => this.#try(task, () => this.#remove(task)));
    }
    const [next] = this.#tasks;
    if (next === undefined) return;
    this.#timer = setTimeout(() => this.#sweep(), Math.max(1000, (next.forgotten ?? 0) - due));
    this.#timer.unref();
  }

  /** The containers go first: whoever finds the record finds out which there are. */
  async #remove(task: HeldTask): Promise<void> {
    // A disk that is full must not keep them from going.
    for (const { name } of task.state.containers) await this.#try(task, () => this.#logs.keep(task, name));
    for (const { name } of task.state.containers)
      await this.#containers.remove(containerName(task.spec.id, name));
    await this.#containers.removeVolumes(task.spec);
    this.#records.remove(task.spec.id);
  }

  async #try(task: HeldTask, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn(`cannot remove what the task ${task.spec.id} left: ${reason}`);
    }
  }
}
