import { TranshipError } from "../../base/errors.ts";
import type { Limits } from "../../runtime/record.ts";
import { repairInstances } from "../../runtime/repair.ts";
import { type Update, updateInstance } from "../../runtime/update.ts";
import type { Context } from "../context.ts";
import { type Call, type OptionValues, text } from "../verb.ts";
import { limits, restart } from "./create-options.ts";
import { forEach } from "./each.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const update = updateOf(call.options);
  await repairInstances(context.root, context.log);
  await forEach(call, context, (name) => updateInstance(context.root, name, update));
}

function updateOf(options: OptionValues): Update {
  const policy = text(options, "restart");
  const given = limitsOf(options);
  if (policy === undefined && Object.keys(given).length === 0) {
    throw new TranshipError("E_USAGE", "nothing to change was given", {
      hint: "give one of --memory, --cpus, --pids-limit, --restart",
    });
  }
  return {
    ...(Object.keys(given).length === 0 ? {} : { limits: given }),
    ...(policy === undefined ? {} : { restart: restart(policy) }),
  };
}

/** As docker: 0 (or -1 for processes) takes a limit away. */
function limitsOf(options: OptionValues): Partial<Limits> {
  const none = /^(0|-1|unlimited)$/;
  const kinds = [
    ["memory", "memory"],
    ["cpus", "cpus"],
    ["pidsLimit", "pids"],
  ] as const;
  const given = kinds.filter(([option]) => text(options, option) !== undefined);
  const read = limits(
    Object.fromEntries(Object.entries(options).filter(([, value]) => !none.test(String(value)))),
  );
  return Object.fromEntries(given.map(([, limit]) => [limit, read[limit]]));
}
