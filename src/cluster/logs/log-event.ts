// Lines that containers of tasks wrote, where they come from, and how lines of many are put in order. Pure.
import type { TaskSpec } from "../drivers/driver.ts";
import { streamOf } from "./log-options.ts";

/** Of whom a line is. */
export interface LogSource {
  cluster: string;
  /** Id of the task. */
  task: string;
  container: string;
  /** "service:NAME" or "family:NAME". */
  taskGroup: string;
  /** Of awslogs; absent with other drivers. */
  group?: string;
  logStream?: string;
}

export interface LogEvent extends LogSource {
  /** RFC 3339 in UTC. */
  time: string;
  stream: "stdout" | "stderr";
  text: string;
  /** The line went on, or ended without a newline. */
  partial?: boolean;
}

/** What is asked for: every condition must hold. */
export interface LogQuery {
  cluster: string;
  /** The beginning of its id. */
  task?: string | undefined;
  container?: string | undefined;
  service?: string | undefined;
  group?: string | undefined;
  /** The beginning of its name. */
  logStream?: string | undefined;
  /** RFC 3339. */
  since?: string | undefined;
  until?: string | undefined;
  tail?: number | undefined;
  follow: boolean;
}

export function sourceOf(spec: TaskSpec, container: string, runtimeId: string): LogSource {
  const definition = spec.definition.containerDefinitions?.find(({ name }) => name === container);
  const { logDriver, options = {} } = definition?.logConfiguration ?? {};
  const plain = { cluster: spec.cluster, task: spec.id, container, taskGroup: spec.group };
  if (logDriver !== "awslogs") return plain;
  return {
    ...plain,
    group: options["awslogs-group"] ?? "",
    logStream: streamOf(options, spec.id, container, runtimeId),
  };
}

export function isAskedFor(source: LogSource, query: LogQuery): boolean {
  return (
    source.cluster === query.cluster &&
    (query.task === undefined || source.task.startsWith(query.task)) &&
    (query.container === undefined || source.container === query.container) &&
    (query.service === undefined || source.taskGroup === `service:${query.service}`) &&
    (query.group === undefined || source.group === query.group) &&
    (query.logStream === undefined || (source.logStream?.startsWith(query.logStream) ?? false))
  );
}

export function isWithin({ time }: LogEvent, { since, until }: LogQuery): boolean {
  return (since === undefined || time >= since) && (until === undefined || time <= until);
}

/** Lines of one container or node, in their order; opened when the merged ones have come so far. */
export interface OrderedLines {
  /** No line is older. */
  from: string;
  open(): AsyncIterable<LogEvent>;
}

/** All lines by their time. Only what overlaps is open at the same time. */
export async function* mergeByTime(sources: readonly OrderedLines[]): AsyncGenerator<LogEvent> {
  const waiting = [...sources].sort((left, right) => (left.from < right.from ? -1 : 1));
  const active: { event: LogEvent; lines: AsyncIterator<LogEvent> }[] = [];
  try {
    for (;;) {
      let first = earliest(active);
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        if (first !== undefined && next.from > first.event.time) break;
        waiting.shift();
        const lines = next.open()[Symbol.asyncIterator]();
        const { value, done } = await lines.next();
        if (!done) active.push({ event: value, lines });
        first = earliest(active);
      }
      if (first === undefined) return;
      yield first.event;
      const { value, done } = await first.lines.next();
      if (done) active.splice(active.indexOf(first), 1);
      else first.event = value;
    }
  } finally {
    for (const { lines } of active) await lines.return?.();
  }
}

function earliest<T extends { event: LogEvent }>(active: readonly T[]): T | undefined {
  let first = active[0];
  for (const each of active) if (first !== undefined && each.event.time < first.event.time) first = each;
  return first;
}

/** The last so many; all where no number is given. */
export async function* lastOf(
  lines: AsyncIterable<LogEvent>,
  tail: number | undefined,
): AsyncGenerator<LogEvent> {
  if (tail === undefined) {
    yield* lines;
    return;
  }
  const last: LogEvent[] = [];
  for await (const line of lines) {
    last.push(line);
    // Not one by one: moving them all for each line would cost the square.
    if (last.length > 2 * tail + 1000) last.splice(0, last.length - tail);
  }
  yield* tail === 0 ? [] : last.slice(-tail);
}
