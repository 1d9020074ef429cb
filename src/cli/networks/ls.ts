import { listNetworks } from "../../runtime/network/list.ts";
import type { Context } from "../context.ts";
import { filterRows, printRows, printTable } from "../format.ts";
import { type Call, flag, list, text } from "../verb.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const all = listNetworks(context.root).map(({ name, driver }) => ({
    Name: name,
    Driver: driver,
    Scope: "local",
  }));
  const rows = filterRows(all, list(options, "filter"));
  const format = text(options, "format") ?? "table";
  if (flag(options, "quiet")) context.print(rows.map((row) => `${row.Name}\n`).join(""));
  else if (format !== "table") context.print(printRows(rows, format));
  else
    context.print(
      printTable(
        ["NAME", "DRIVER", "SCOPE"],
        rows.map((row) => [row.Name, row.Driver, row.Scope]),
      ),
    );
}
