import { TranshipError } from "../../base/errors.ts";
import { createNetwork } from "../../runtime/network/manage.ts";
import { repairInstances } from "../../runtime/repair.ts";
import type { Context } from "../context.ts";
import { type Call, flag, list, text } from "../verb.ts";

/** Prints the id, as docker does. */
export async function run({ args: [name = ""], options }: Call, context: Context): Promise<undefined> {
  const driver = text(options, "driver") ?? "bridge";
  if (driver !== "bridge") {
    throw new TranshipError("E_USAGE", `there is no network driver ${JSON.stringify(driver)}`, {
      hint: "leave -d out",
    });
  }
  await repairInstances(context.root, context.log);
  const { id } = await createNetwork(context.root, {
    name,
    subnets: list(options, "subnet"),
    gateways: list(options, "gateway"),
    range: text(options, "ipRange"),
    ipv6: flag(options, "ipv6"),
    internal: flag(options, "internal"),
    labels: Object.fromEntries(list(options, "label").map(label)),
  });
  context.print(id);
}

function label(entry: string): [string, string] {
  const cut = entry.indexOf("=");
  return cut < 0 ? [entry, ""] : [entry.slice(0, cut), entry.slice(cut + 1)];
}
