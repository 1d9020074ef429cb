// POST /v1/logs: what containers of tasks wrote, from all nodes, as lines of JSON; docs/reference/log-stream.md is its page.
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import type { Call } from "../control/control.ts";
import { clusterName, clusterOf, idOf } from "../control/names.ts";
import { asTheyCome } from "../logs/as-they-come.ts";
import { linesFrom } from "../logs/line-streams.ts";
import { type LogEvent, type LogQuery, lastOf, mergeByTime } from "../logs/log-event.ts";
import { EcsError, invalidParameter } from "./ecs-error.ts";

/** What stands in x-amz-target, so that it is signed as calls are. */
export const logTarget = "Tranship.ReadLogs";
export const logPath = "/v1/logs";

/** A line of the answer that is no line of a log. */
export interface LogNotice {
  /** A node whose lines are missing. */
  missing?: string;
}

const text = z.string().min(1).max(600);
const time = z.iso.datetime().max(40);
const question = z.strictObject({
  cluster: text.optional(),
  task: text.optional(),
  container: text.optional(),
  service: text.optional(),
  group: text.optional(),
  logStream: text.optional(),
  since: time.optional(),
  until: time.optional(),
  tail: z.number().int().min(0).max(100_000).optional(),
  follow: z.boolean().optional(),
});

/** Milliseconds after which an idle connection hears something, so that nobody takes it for dead. */
const beat = 15_000;

/** Throws what is to be answered instead. */
export function answerLogs(call: Call, body: Uint8Array, reply: FastifyReply): FastifyReply {
  const { driver, state } = call.control;
  const query = parseQuestion(body);
  clusterOf(state, query.cluster);
  if (driver.logs === undefined)
    throw new EcsError("UnsupportedFeatureException", `The driver ${driver.name} keeps no logs.`);
  const { streams, silent } = driver.logs(query);
  const missing = [...silent];
  // One node that is lost takes no other's lines along.
  const lines = streams.map(({ node, running }) => linesFrom(running, () => missing.push(node)));
  const events = asTheyCome(query.follow ? lines : [ordered(lines, query.tail)], beat);
  return reply
    .type("application/x-ndjson")
    .send(Readable.from(answer(missing, events), { objectMode: false }));
}

function parseQuestion(body: Uint8Array): LogQuery {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString());
  } catch {
    throw new EcsError("SerializationException", "The body is not JSON.");
  }
  const read = question.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw invalidParameter(
      `${issue?.path.join(".") || "The question"}: ${issue?.message ?? "not understood"}`,
    );
  }
  const { cluster, task, follow = false, ...rest } = read.data;
  return {
    ...rest,
    follow,
    cluster: clusterName(cluster),
    ...(task === undefined ? {} : { task: idOf(task, "task") }),
  };
}

async function* answer(
  missing: string[],
  events: AsyncIterable<LogEvent | undefined>,
): AsyncGenerator<string> {
  const notices = (): string[] =>
    missing.splice(0).map((node) => `${JSON.stringify({ missing: node } satisfies LogNotice)}\n`);
  yield* notices();
  for await (const event of events) {
    yield event === undefined ? "\n" : `${JSON.stringify(event)}\n`;
    yield* notices();
  }
  yield* notices();
}

function ordered(
  lines: readonly AsyncIterable<LogEvent>[],
  tail: number | undefined,
): AsyncGenerator<LogEvent> {
  return lastOf(mergeByTime(lines.map((each) => ({ from: "", open: () => each }))), tail);
}
