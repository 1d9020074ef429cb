import { listNetworks, type Network } from "../../runtime/network/list.ts";
import type { Context } from "../context.ts";
import { columns, listing } from "../listing.ts";
import { type Call, list } from "../verb.ts";
import { networkFilter } from "./fits.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const filters = list(options, "filter").map(networkFilter);
  const whole = options.trunc === false;
  const rows = listNetworks(context.root)
    .filter((network) => filters.every((fits) => fits(network)))
    .map((network) => rowOf(network, whole));
  const table = () =>
    columns(rows, {
      "NETWORK ID": ({ ID }) => ID,
      NAME: ({ Name }) => Name,
      DRIVER: ({ Driver }) => Driver,
      SCOPE: ({ Scope }) => Scope,
    });
  context.print(listing(options, rows, { quiet: ({ ID }) => ID, table, id: "NETWORK ID" }));
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
