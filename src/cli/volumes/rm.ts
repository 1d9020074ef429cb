import { isTranshipError } from "../../base/errors.ts";
import { repairInstances } from "../../runtime/repair.ts";
import { deleteVolume } from "../../runtime/volumes/list.ts";
import type { Context } from "../context.ts";
import { forEach } from "../instances/each.ts";
import { type Call, flag } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  await repairInstances(context.root, context.log);
  await forEach(call, context, async (name) => {
    try {
      await deleteVolume(context.root, name);
    } catch (error) {
      // One that is not there is as it should be.
      if (!flag(call.options, "force") || !isTranshipError(error, "E_VOLUME_NOT_FOUND")) throw error;
    }
  });
}
