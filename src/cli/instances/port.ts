import { inspectInstance } from "../../runtime/find.ts";
import type { Context } from "../context.ts";
import { printRows } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run({ args, options }: Call, context: Context): Promise<undefined> {
  const { status } = inspectInstance(context.root, args[0] ?? "");
  const ports = status.state === "running" ? (status.launch?.ports ?? []) : [];
  const rows = ports.map((port) => ({
    Port: `${port.containerPort}/${port.protocol}`,
    Host: `${port.hostAddress || "0.0.0.0"}:${port.hostPort}`,
  }));
  const format = text(options, "format") ?? "table";
  if (format !== "table") context.print(printRows(rows, format));
  else context.print(rows.map((row) => `${row.Port} -> ${row.Host}\n`).join(""));
}
