// tranship cluster logs: lines of containers of tasks, from all nodes.
import { type LogNotice, logPath, logTarget } from "../../cluster/api/log-stream.ts";
import type { LogEvent } from "../../cluster/logs/log-event.ts";
import type { Context } from "../context.ts";
import { tailOf } from "../instances/tail-of.ts";
import { timeOf } from "../instances/time-of.ts";
import { printText } from "../streams.ts";
import { type Call, flag, text } from "../verb.ts";
import { clientOf } from "./client.ts";

export async function run(call: Call, context: Context): Promise<number | undefined> {
  const { options } = call;
  const [task] = call.args;
  const container = text(options, "container");
  const moment = (name: "since" | "until"): object => {
    const given = text(options, name);
    return given === undefined ? {} : { [name]: new Date(timeOf(`--${name}`, given)).toISOString() };
  };
  const tail = tailOf(text(options, "tail"));
  const question = {
    cluster: text(options, "cluster") ?? "default",
    follow: flag(options, "follow"),
    ...withValue({ task, container, service: text(options, "service"), group: text(options, "group"), tail }),
    ...withValue({ logStream: text(options, "stream") }),
    ...moment("since"),
    ...moment("until"),
  };
  const one = task !== undefined && container !== undefined;
  const stamps = flag(options, "timestamps");
  let status: number | undefined;
  for await (const line of clientOf(call, context).lines(logPath, logTarget, question, context.signal)) {
    if (line === "") continue;
    const event = JSON.parse(line) as LogEvent & LogNotice;
    if (event.missing !== undefined) {
      context.log.warn(`not all lines could be had: ${event.missing}`);
      status = 1;
    } else print(event, { one, stamps });
  }
  return status;
}

/** What it wrote to stderr goes to ours. A line without an end gets one where another container's may follow. */
function print(event: LogEvent, { one, stamps }: { one: boolean; stamps: boolean }): void {
  const words = [
    ...(one ? [] : [`${event.task.slice(0, 12)}/${event.container} |`]),
    ...(stamps ? [event.time] : []),
  ];
  const end = one || event.text.endsWith("\n") ? "" : "\n";
  printText([...words, event.text].join(" ") + end, event.stream === "stderr" ? 2 : 1);
}

function withValue(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
