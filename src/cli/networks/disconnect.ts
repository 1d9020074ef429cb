import { releaseHost } from "../../runtime/end.ts";
import { disconnectInstance } from "../../runtime/network/connect.ts";
import { repairInstances } from "../../runtime/repair.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

export async function run(
  { args: [network = "", instance = ""] }: Call,
  { root, log }: Context,
): Promise<undefined> {
  await repairInstances(root, log);
  await disconnectInstance(root, instance, network, log);
  await releaseHost(root, log);
}
