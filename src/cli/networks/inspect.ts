import { findNetwork, type Network } from "../../runtime/network/list.ts";
import type { Context } from "../context.ts";
import { printRows } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run({ args, options }: Call, context: Context): Promise<undefined> {
  const found = args.map((name) => networkView(findNetwork(context.root, name)));
  context.print(printRows(found, text(options, "format") ?? "json"));
}

/** As docker shows a network, with its device on this host. */
export function networkView(network: Network): object {
  const { name, id, createdAt, driver, subnet6, internal, labels, device, up, members } = network;
  return {
    Name: name,
    Id: id,
    Created: createdAt ?? "0001-01-01T00:00:00Z",
    Scope: "local",
    Driver: driver,
    EnableIPv4: true,
    EnableIPv6: subnet6 !== undefined,
    IPAM: { Driver: "default", Options: {}, Config: configs(network) },
    Internal: internal,
    Device: device ?? null,
    Up: up,
    Containers: Object.fromEntries(
      members.map((one) => [
        one.id,
        {
          Name: one.name,
          MacAddress: one.mac ?? "",
          IPv4Address: one.address ?? "",
          IPv6Address: one.address6 ?? "",
          Aliases: one.aliases,
        },
      ]),
    ),
    Options: {},
    Labels: labels,
  };
}

function configs({ subnet, gateway, range, subnet6, gateway6 }: Network): object[] {
  const four =
    subnet === undefined
      ? []
      : [{ Subnet: subnet, ...(range === undefined ? {} : { IPRange: range }), Gateway: gateway }];
  return subnet6 === undefined ? four : [...four, { Subnet: subnet6, Gateway: gateway6 }];
}
