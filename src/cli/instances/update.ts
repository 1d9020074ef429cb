import { TranshipError } from "../../base/errors.ts";
import { updateClock } from "../../runtime/inprocess/update-clock.ts";
import { repairInstances } from "../../runtime/repair.ts";
import { type Update, updateInstance } from "../../runtime/update.ts";
import type { Context } from "../context.ts";
import { type Call, type OptionValues, text } from "../verb.ts";
import { restart } from "./create-options.ts";
import { forEach } from "./each.ts";
import { elementOptions } from "./element-options.ts";
import { limits } from "./limit-options.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { clock } = elementOptions(call.options);
  const update = updateOf(call.options, clock !== undefined);
  await repairInstances(context.root, context.log);
  await forEach(call, context, async (name) => {
    if (Object.keys(update).length > 0) await updateInstance(context.root, name, update);
    if (clock != null) await updateClock(context.root, name, clock);
  });
}

/** As docker: 0 (or -1 for processes) takes a limit away. */
const none = /^(0|-1|unlimited|)$/;

function updateOf(options: OptionValues, clocked: boolean): Update {
  const policy = text(options, "restart");
  const given = limits(options, none);
  if (policy === undefined && Object.keys(given).length === 0 && !clocked) {
    throw new TranshipError("E_USAGE", "nothing to change was given", {
      hint: "give a limit such as --memory, --cpus or --pids-limit, --restart or --clock",
    });
  }
  return {
    ...(Object.keys(given).length === 0 ? {} : { limits: given }),
    ...(policy === undefined ? {} : { restart: restart(policy) }),
  };
}
