// tranship events: what happened, and what happens from now on.
import { TranshipError } from "../../base/errors.ts";
import type { RecordedEvent } from "../../runtime/events/note.ts";
import { followEvents } from "../../runtime/events/read.ts";
import type { Context } from "../context.ts";
import { checkTemplate, renderTemplate } from "../format.ts";
import { printText } from "../streams.ts";
import { plainText } from "../terminal.ts";
import { type Call, list, text } from "../verb.ts";
import { timeOf } from "./time-of.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const now = Date.now();
  const since = text(options, "since");
  const until = text(options, "until");
  const from = since === undefined ? now : timeOf("--since", since);
  const to = until === undefined ? Number.POSITIVE_INFINITY : timeOf("--until", until);
  const filters = list(options, "filter").map(parseFilter);
  const format = text(options, "format") ?? "table";
  // What is wrong with it is told before the first event.
  if (format !== "table" && format !== "json") checkTemplate(format);
  const show = (event: RecordedEvent): string => {
    if (format === "table") return lineOf(event);
    return format === "json" ? JSON.stringify(shown(event), plain) : renderTemplate(format, shown(event));
  };
  await followEvents(context.root, { signal: context.signal, until: to }, (event) => {
    const time = Date.parse(event.time);
    if (time >= from && time <= to && filters.every((filter) => fits(event, filter)))
      printText(`${show(event)}\n`);
  });
}

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  return typeof value === "bigint" ? Number(value) : value;
}

/** Docker's words for the same. */
function shown(event: RecordedEvent): Record<string, unknown> {
  const { type, action, id, attributes, time } = event;
  const milliseconds = Date.parse(time);
  const nanoseconds = /\.(\d+)/.exec(time)?.[1]?.padEnd(9, "0").slice(0, 9) ?? "000000000";
  const seconds = Math.floor(milliseconds / 1000);
  return {
    status: action,
    id,
    from: attributes.image ?? "",
    Type: type,
    Action: action,
    // A map: an attribute that an event lacks is nothing, not a mistake.
    Actor: { ID: id, Attributes: new Map(Object.entries(attributes)) },
    scope: "local",
    time: seconds,
    timeNano: BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds),
    ...(event.run === undefined ? {} : { run: event.run }),
  };
}

function lineOf({ type, action, id, attributes, time }: RecordedEvent): string {
  const pairs = Object.entries(attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  const details = pairs.length === 0 ? "" : ` (${pairs.join(", ")})`;
  return plainText(`${time} ${type} ${action} ${id}${details}`).replaceAll("\n", "\\n");
}

interface Filter {
  key: string;
  value: string;
}

const keys = ["instance", "container", "event", "type", "image", "label", "volume", "network"];

function parseFilter(entry: string): Filter {
  const cut = entry.indexOf("=");
  const key = entry.slice(0, Math.max(cut, 0));
  if (keys.includes(key)) return { key, value: entry.slice(cut + 1) };
  throw new TranshipError("E_USAGE", `not a filter: ${JSON.stringify(entry)}`, {
    hint: `write KEY=VALUE, where KEY is one of ${keys.join(", ")}`,
  });
}

function fits({ type, action, id, attributes }: RecordedEvent, { key, value }: Filter): boolean {
  switch (key) {
    case "event":
      return action === value;
    case "type":
      return type === (value === "container" ? "instance" : value);
    case "image":
      return attributes.image === value;
    case "label": {
      const cut = value.indexOf("=");
      return cut < 0
        ? attributes[value] !== undefined
        : attributes[value.slice(0, cut)] === value.slice(cut + 1);
    }
    default: {
      const kind = key === "container" ? "instance" : key;
      return type === kind && (attributes.name === value || (value !== "" && id.startsWith(value)));
    }
  }
}
