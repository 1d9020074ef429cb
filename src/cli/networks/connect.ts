import { connectInstance } from "../../runtime/network/connect.ts";
import { repairInstances } from "../../runtime/repair.ts";
import type { Context } from "../context.ts";
import { alias } from "../instances/network-options.ts";
import { type Call, list, text } from "../verb.ts";

export async function run({ args, options }: Call, { root, log }: Context): Promise<undefined> {
  const [network = "", instance = ""] = args;
  const [address, address6] = [text(options, "ip"), text(options, "ip6")];
  await repairInstances(root, log);
  const request = {
    network,
    aliases: list(options, "alias").map(alias),
    ...(address === undefined ? {} : { address }),
    ...(address6 === undefined ? {} : { address6 }),
  };
  await connectInstance(root, instance, request, log);
}
