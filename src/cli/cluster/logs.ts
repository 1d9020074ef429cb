// tranship cluster logs: lines of containers of tasks, from all nodes.
import { TranshipError } from "../../base/errors.ts";
import { type LogNotice, logPath, logTarget } from "../../cluster/api/log-stream.ts";
import type { DescribeServicesResponse, DescribeTasksResponse } from "../../cluster/api/shapes.ts";
import type { ClusterClient } from "../../cluster/client.ts";
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
  const client = clientOf(call, context);
  const cluster = text(options, "cluster") ?? "default";
  const service = text(options, "service");
  // Lines may be kept of what is forgotten, but none are added.
  const known = await isKnown(client, cluster, task, service);
  const question = {
    cluster,
    follow: flag(options, "follow") && known,
    ...withValue({ task, container, service, group: text(options, "group"), tail }),
    ...withValue({ logStream: text(options, "stream") }),
    ...moment("since"),
    ...moment("until"),
  };
  const one = task !== undefined && container !== undefined;
  const stamps = flag(options, "timestamps");
  let status: number | undefined;
  let silent = true;
  for await (const line of client.lines(logPath, logTarget, question, context.signal)) {
    if (line === "") continue;
    const event = JSON.parse(line) as LogEvent & LogNotice;
    if (event.missing !== undefined) {
      context.log.warn(`not all lines could be had: ${event.missing}`);
      status = 1;
    } else print(event, { one, stamps });
    silent = false;
  }
  if (silent && !known)
    throw new TranshipError(
      "E_CLUSTER_REFUSED",
      `the cluster ${cluster} knows no ${task === undefined ? `service ${service}` : `task ${task}`}, and no line of it is kept`,
      { hint: "`tranship cluster status` and `aws ecs list-tasks` show what there is" },
    );
  return status;
}

async function isKnown(
  client: ClusterClient,
  cluster: string,
  task: string | undefined,
  service: string | undefined,
): Promise<boolean> {
  if (task !== undefined) {
    const seen = await client.call<DescribeTasksResponse>("DescribeTasks", { cluster, tasks: [task] });
    return (seen.tasks ?? []).length > 0;
  }
  if (service === undefined) return true;
  const seen = await client.call<DescribeServicesResponse>("DescribeServices", {
    cluster,
    services: [service],
  });
  return (seen.services ?? []).length > 0;
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
