// tranship cluster events: what services of a cluster say, oldest first; -f goes on.
import { setTimeout as sleep } from "node:timers/promises";
import { type ClusterClient, isUnreachable } from "../../cluster/client.ts";
import { allServices } from "../../cluster/listing.ts";
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
  const cluster = call.args[0] ?? "default";
  const format = text(call.options, "format") ?? "table";
  const follow = flag(call.options, "follow");
  const seen = new Set<string>();
  let away = false;
  for (let first = true; ; first = false) {
    const events = await eventsOf(clientOf(call, context), cluster).catch((error: unknown) => {
      // Who follows wants to see what comes when a control plane that is started again goes on.
      if (first || !follow || !isUnreachable(error)) throw error;
      if (!away) context.log.warn(`${error.message}; trying again`);
      return undefined;
    });
    away = events === undefined;
    const fresh = (events ?? []).filter(({ id }) => !seen.has(id));
    for (const { id } of fresh) seen.add(id);
    if (fresh.length > 0)
      context.print(format === "table" ? fresh.map(line).join("") : printRows(fresh, format));
    if (!follow || context.signal.aborted) return;
    await sleep(1000, undefined, { signal: context.signal }).catch(() => {});
    if (context.signal.aborted) return;
  }
}

const line = ({ createdAt, message }: Event): string =>
  `${new Date(createdAt * 1000).toISOString()} ${message}\n`;

async function eventsOf(client: ClusterClient, cluster: string): Promise<Event[]> {
  const events: Event[] = [];
  // They come newest first; those of one moment stay in their order.
  for (const { events: some } of await allServices(client, cluster))
    for (const { id = "", createdAt = 0, message = "" } of (some ?? []).toReversed())
      events.push({ id, createdAt, message });
  return events.sort((a, b) => a.createdAt - b.createdAt);
}
