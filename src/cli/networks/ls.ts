import { listNetworks, type Network } from "../../runtime/network/list.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { type Call, flag, list, text } from "../verb.ts";
import { networkFilter } from "./fits.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const filters = list(options, "filter").map(networkFilter);
  const whole = options.trunc === false;
  const rows = listNetworks(context.root)
    .filter((network) => filters.every((fits) => fits(network)))
    .map((network) => rowOf(network, whole));
  const format = text(options, "format") ?? "table";
  if (flag(options, "quiet")) context.print(rows.map((row) => `${row.ID}\n`).join(""));
  else if (format !== "table") context.print(printRows(rows, format));
  else
    context.print(
      printTable(
        ["NETWORK ID", "NAME", "DRIVER", "SCOPE"],
        rows.map((row) => [row.ID, row.Name, row.Driver, row.Scope]),
      ),
    );
}

/** By the names that docker's templates have. */
function rowOf({ id, name, driver, internal, subnet6, labels, createdAt }: Network, whole: boolean) {
  return {
    ID: whole ? id : id.slice(0, 12),
    Name: name,
    Driver: driver,
    Scope: "local",
    IPv4: "true",
    IPv6: String(subnet6 !== undefined),
    Internal: String(internal),
    Labels: labels,
    CreatedAt: createdAt ?? "",
  };
}
