// tranship ps: docker's columns.
import { TranshipError } from "../../base/errors.ts";
import { formatAge } from "../../base/units.ts";
import { type ListedInstance, listInstances } from "../../runtime/find.ts";
import { describePort } from "../../runtime/network/ports.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { type Call, flag, list, text } from "../verb.ts";

/** The names that docker's templates have. */
interface Row {
  ID: string;
  Image: string;
  Command: string;
  CreatedAt: string;
  RunningFor: string;
  Status: string;
  State: string;
  Ports: string;
  Names: string;
  Labels: Readonly<Record<string, string>>;
}

export async function run(call: Call, context: Context): Promise<undefined> {
  const { options } = call;
  const filters = list(options, "filter").map(parseFilter);
  const all = flag(options, "all") || filters.some((filter) => filter.key === "status");
  const found = listInstances(context.root).filter(
    (instance) =>
      (all || instance.status.state === "running" || instance.status.state === "starting") &&
      filters.every((filter) => fits(instance, filter)),
  );
  const whole = options.trunc === false;
  const rows = found.map((instance) => rowOf(instance, whole));
  const format = text(options, "format") ?? "table";
  if (flag(options, "quiet")) context.print(rows.map((row) => `${row.ID}\n`).join(""));
  else if (format !== "table") context.print(printRows(rows, format));
  else context.print(table(rows));
}

function table(rows: readonly Row[]): string {
  const headers = ["INSTANCE ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"];
  const cells = rows.map((row) => [
    row.ID,
    row.Image,
    row.Command,
    row.RunningFor,
    row.Status,
    row.Ports,
    row.Names,
  ]);
  return printTable(headers, cells);
}

function rowOf({ record, status }: ListedInstance, whole: boolean): Row {
  const command = record.command.length === 0 ? "(services)" : record.command.join(" ");
  const ports = status.state === "running" ? (status.launch?.ports ?? []) : [];
  return {
    ID: whole ? record.id : record.id.slice(0, 12),
    Image: record.image.reference,
    Command: JSON.stringify(whole || command.length <= 20 ? command : `${command.slice(0, 19)}…`),
    CreatedAt: record.createdAt,
    RunningFor: `${formatAge(Date.now() - Date.parse(record.createdAt))} ago`,
    Status: describeStatus({ status }),
    State: status.state,
    Ports: ports.map(describePort).join(", "),
    Names: record.name,
    Labels: record.labels,
  };
}

function describeStatus({ status }: Pick<ListedInstance, "status">): string {
  const since = (time: string | undefined): string => formatAge(Date.now() - Date.parse(time ?? ""));
  switch (status.state) {
    case "created":
      return "Created";
    case "starting":
      return "Starting";
    case "running":
      return `Up ${since(status.launch?.startedAt)}`;
    default:
      return `Exited (${status.exitStatus ?? "unknown"})${status.endedAt === undefined ? "" : ` ${since(status.endedAt)} ago`}`;
  }
}

interface Filter {
  key: string;
  value: string;
}

const filterKeys = ["id", "name", "status", "label", "ancestor"];

function parseFilter(entry: string): Filter {
  const cut = entry.indexOf("=");
  const key = entry.slice(0, Math.max(cut, 0));
  if (filterKeys.includes(key)) return { key, value: entry.slice(cut + 1) };
  throw new TranshipError("E_USAGE", `not a filter: ${JSON.stringify(entry)}`, {
    hint: `write KEY=VALUE, where KEY is one of ${filterKeys.join(", ")}`,
  });
}

function fits({ record, status }: ListedInstance, { key, value }: Filter): boolean {
  switch (key) {
    case "id":
      return record.id.startsWith(value);
    case "name":
      return record.name.includes(value);
    case "status":
      return status.state === value;
    case "ancestor":
      return record.image.reference === value || record.image.digest === value;
    default: {
      const cut = value.indexOf("=");
      if (cut < 0) return record.labels[value] !== undefined;
      return record.labels[value.slice(0, cut)] === value.slice(cut + 1);
    }
  }
}
