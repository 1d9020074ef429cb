import { isTranshipError } from "../../base/errors.ts";
import { removeNetwork } from "../../runtime/network/manage.ts";
import { repairInstances } from "../../runtime/repair.ts";
import type { Context } from "../context.ts";
import { forEach } from "../instances/each.ts";
import { type Call, flag } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  await repairInstances(context.root, context.log);
  await forEach(call, context, async (name) => {
    try {
      await removeNetwork(context.root, name, context.log);
    } catch (error) {
      // One that is not there is as it should be.
      if (!flag(call.options, "force") || !isTranshipError(error, "E_NETWORK_NOT_FOUND")) throw error;
    }
  });
}
