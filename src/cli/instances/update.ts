import { TranshipError } from "../../base/errors.ts";
import { networkRule } from "../../redirect/endpoints.ts";
import { updateClock } from "../../runtime/inprocess/update-clock.ts";
import { type RuleChanges, updateRules } from "../../runtime/inprocess/update-rules.ts";
import { parseRedirect } from "../../runtime/redirect/parse.ts";
import { repairInstances } from "../../runtime/repair.ts";
import { type Update, updateInstance } from "../../runtime/update.ts";
import type { Context } from "../context.ts";
import { type Call, list, type OptionValues, text } from "../verb.ts";
import { restart } from "./create-options.ts";
import { forEach } from "./each.ts";
import { elementOptions } from "./element-options.ts";
import { limits } from "./limit-options.ts";
import { connections } from "./network-options.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { clock } = elementOptions(call.options);
  const rules = ruleChanges(call.options);
  const update = updateOf(call.options, clock !== undefined || rules !== undefined);
  await repairInstances(context.root, context.log);
  await forEach(call, context, async (name) => {
    if (Object.keys(update).length > 0) await updateInstance(context.root, name, update);
    if (clock != null) await updateClock(context.root, name, clock);
    if (rules !== undefined) await updateRules(context.root, name, rules);
  });
}

function ruleChanges(options: OptionValues): RuleChanges | undefined {
  const changes: RuleChanges = {
    redirect: list(options, "redirect").map(parseRedirect),
    redirectRemove: list(options, "redirectRm").map(absolute),
    connect: connections(options),
    connectRemove: list(options, "connectRm").map(endOf),
  };
  return Object.values(changes).some((one) => one.length > 0) ? changes : undefined;
}

function absolute(path: string): string {
  if (path.startsWith("/") && !path.includes("\0")) return path;
  throw new TranshipError("E_USAGE", `--redirect-rm ${JSON.stringify(path)} is no absolute path`, {
    hint: "write the path as the application asks for it",
  });
}

function endOf(text: string): string {
  networkRule({ kind: "connect", from: text, to: "*:1" }, 0);
  return text;
}

/** As docker: 0 (or -1 for processes) takes a limit away. */
const none = /^(0|-1|unlimited|)$/;

function updateOf(options: OptionValues, clocked: boolean): Update {
  const policy = text(options, "restart");
  const given = limits(options, none);
  if (policy === undefined && Object.keys(given).length === 0 && !clocked) {
    throw new TranshipError("E_USAGE", "nothing to change was given", {
      hint: "give a limit such as --memory, --cpus or --pids-limit, --restart, --clock, --redirect or --connect",
    });
  }
  return {
    ...(Object.keys(given).length === 0 ? {} : { limits: given }),
    ...(policy === undefined ? {} : { restart: restart(policy) }),
  };
}
