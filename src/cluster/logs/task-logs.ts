// The logs of the tasks of a node: of containers that are there, from where their engine has them; of those that were removed, from what was kept.
import { setTimeout as sleep } from "node:timers/promises";
import { type Containers, containerName } from "../drivers/containers.ts";
import type { HeldTask, TaskRecords } from "../drivers/task-records.ts";
import {
  isAskedFor,
  isWithin,
  type LogEvent,
  type LogQuery,
  type LogSource,
  lastOf,
  mergeByTime,
  type OrderedLines,
  sourceOf,
} from "./log-event.ts";
import type { LogKeeper } from "./log-keeper.ts";

/** Milliseconds between looks for containers that have come. */
const interval = 500;
/** Lines that may wait for who follows. */
const highWater = 1000;

interface Present {
  name: string;
  runtimeId: string;
  running: boolean;
  source: LogSource;
}

export class TaskLogs {
  readonly #containers: Containers;
  readonly #records: TaskRecords;
  readonly #keeper: LogKeeper;

  constructor(containers: Containers, records: TaskRecords, keeper: LogKeeper) {
    this.#containers = containers;
    this.#records = records;
    this.#keeper = keeper;
  }

  /** Before a container is removed; without effect where it is not there, or has a driver whose lines are not kept. */
  async keep({ spec }: HeldTask, container: string): Promise<void> {
    const name = containerName(spec.id, container);
    const seen = this.#containers.see(name);
    const definition = spec.definition.containerDefinitions?.find((each) => each.name === container);
    const driver = definition?.logConfiguration?.logDriver ?? "json-file";
    if (seen === undefined || seen.running || !["json-file", "awslogs"].includes(driver)) return;
    const source = sourceOf(spec, container, seen.runtimeId);
    const lines = this.#containers.logs(name, { follow: false, signal: new AbortController().signal });
    await this.#keeper.keep(source, seen.runtimeId, withSource(lines, source));
  }

  async *read(query: LogQuery, signal: AbortSignal): AsyncGenerator<LogEvent> {
    // In this order: what is removed between both is kept by then.
    const present = this.#present(query);
    const kept = this.#keeper.find((source) => isAskedFor(source, query));
    const runs = new Set(kept.map(({ run }) => run));
    const cut = (source: LogSource): string =>
      new Date(Date.now() - this.#keeper.timeOf(source)).toISOString();
    const live = present
      .filter(({ runtimeId }) => !runs.has(runtimeId))
      .map((each): OrderedLines => ({ from: "", open: () => this.#linesOf(each, signal) }));
    const last = new Map<string, string>();
    const wanted = async function* (lines: AsyncIterable<LogEvent>): AsyncGenerator<LogEvent> {
      for await (const line of lines) {
        last.set(`${line.task}.${line.container}`, line.time);
        if (isWithin(line, query) && line.time >= cut(line)) yield line;
      }
    };
    yield* lastOf(wanted(mergeByTime([...kept, ...live])), query.tail);
    if (query.follow && !signal.aborted) yield* this.#follow(query, last, signal);
  }

  /** From what was kept, where it has been removed meanwhile. */
  async *#linesOf({ name, source, runtimeId }: Present, signal: AbortSignal): AsyncGenerator<LogEvent> {
    if (this.#containers.see(name)?.runtimeId === runtimeId)
      yield* withSource(this.#containers.logs(name, { follow: false, signal }), source);
    else
      for (const { run, open } of this.#keeper.find(({ task }) => task === source.task))
        if (run === runtimeId) yield* open();
  }

  /** Until the signal, or until the containers of the one task that is asked for have ended. */
  async *#follow(
    query: LogQuery,
    last: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): AsyncGenerator<LogEvent> {
    const queue: LogEvent[] = [];
    const begun = new Set<string>();
    let pumps = 0;
    const pump = async ({ name, source }: Present): Promise<void> => {
      const since = last.get(`${source.task}.${source.container}`);
      const lines = this.#containers.logs(name, {
        follow: true,
        signal,
        ...(since === undefined ? {} : { since }),
      });
      for await (const line of withSource(lines, source)) {
        if ((since !== undefined && line.time <= since) || !isWithin(line, query)) continue;
        queue.push(line);
        while (queue.length > highWater && !signal.aborted) await sleep(20);
      }
    };
    for (let idle = 0; !signal.aborted; ) {
      const present = this.#present(query);
      for (const each of present) {
        if (begun.has(each.runtimeId)) continue;
        begun.add(each.runtimeId);
        pumps++;
        void pump(each)
          .catch(() => {}) // its engine has lost it
          .finally(() => pumps--);
      }
      const quiet = queue.length === 0;
      yield* queue.splice(0);
      // A task has no more containers to come once it has ended; others may get some at any time.
      const over = query.task !== undefined && pumps === 0 && !present.some(({ running }) => running);
      idle = over && quiet ? idle + 1 : 0;
      if (idle > 3 && this.#hasEnded(query)) return;
      await sleep(quiet ? Math.min(interval, 100) : 10);
    }
  }

  #hasEnded(query: LogQuery): boolean {
    return this.#records
      .all()
      .filter(({ spec }) => spec.id.startsWith(query.task ?? ""))
      .every(({ state }) => state.containers.every(({ status }) => status === "STOPPED"));
  }

  #present(query: LogQuery): Present[] {
    return this.#records.all().flatMap(({ spec, state }) =>
      state.containers.flatMap(({ name: container }) => {
        const name = containerName(spec.id, container);
        const seen = this.#containers.see(name);
        if (seen === undefined) return [];
        const source = sourceOf(spec, container, seen.runtimeId);
        const { runtimeId, running } = seen;
        return isAskedFor(source, query) ? [{ name, source, runtimeId, running }] : [];
      }),
    );
  }
}

async function* withSource(
  lines: AsyncIterable<Omit<LogEvent, keyof LogSource>>,
  source: LogSource,
): AsyncGenerator<LogEvent> {
  for await (const line of lines) yield { ...source, ...line };
}
