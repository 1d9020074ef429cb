// tranship cluster events: what services of a cluster say, oldest first; -f goes on.
import { setTimeout as sleep } from "node:timers/promises";
import type { DescribeServicesResponse, ListServicesResponse } from "../../cluster/api/shapes.ts";
import type { ClusterClient } from "../../cluster/client.ts";
import type { Context } from "../context.ts";
import { printRows } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { clientOf } from "./client.ts";

interface Event {
  id: string;
  createdAt: number;
  message: string;
}

export async function run(call: Call, context: Context): Promise<undefined> {
  const client = clientOf(call, context);
  const cluster = call.args[0] ?? "default";
  const format = text(call.options, "format") ?? "table";
  const seen = new Set<string>();
  for (;;) {
    const fresh = (await eventsOf(client, cluster)).filter(({ id }) => !seen.has(id));
    for (const { id } of fresh) seen.add(id);
    if (fresh.length > 0)
      context.print(format === "table" ? fresh.map(line).join("") : printRows(fresh, format));
    if (!flag(call.options, "follow") || context.signal.aborted) return;
    await sleep(1000, undefined, { signal: context.signal }).catch(() => {});
    if (context.signal.aborted) return;
  }
}

const line = ({ createdAt, message }: Event): string =>
  `${new Date(createdAt * 1000).toISOString()} ${message}\n`;

async function eventsOf(client: ClusterClient, cluster: string): Promise<Event[]> {
  const { serviceArns = [] } = await client.call<ListServicesResponse>("ListServices", { cluster });
  const events: Event[] = [];
  for (let at = 0; at < serviceArns.length; at += 10) {
    const { services = [] } = await client.call<DescribeServicesResponse>("DescribeServices", {
      cluster,
      services: serviceArns.slice(at, at + 10),
    });
    // They come newest first; those of one moment stay in their order.
    for (const { events: some } of services)
      for (const { id = "", createdAt = 0, message = "" } of (some ?? []).toReversed())
        events.push({ id, createdAt, message });
  }
  return events.sort((a, b) => a.createdAt - b.createdAt);
}
