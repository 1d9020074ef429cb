import { findNetwork, type Network } from "../../runtime/network/list.ts";
import type { Context } from "../context.ts";
import { printRows } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run({ args, options }: Call, context: Context): Promise<undefined> {
  const found = args.map((name) => networkView(findNetwork(context.root, name)));
  context.print(printRows(found, text(options, "format") ?? "json"));
}

/** As docker shows a network, with its device on this host. */
export function networkView({ name, driver, subnet, gateway, device, up, members }: Network): object {
  return {
    Name: name,
    Driver: driver,
    Scope: "local",
    IPAM: { Config: subnet === undefined ? [] : [{ Subnet: subnet, Gateway: gateway }] },
    Device: device ?? null,
    Up: up,
    Containers: Object.fromEntries(
      members.map((one) => [
        one.id,
        { Name: one.name, IPv4Address: one.address ?? "", MacAddress: one.mac ?? "" },
      ]),
    ),
  };
}
