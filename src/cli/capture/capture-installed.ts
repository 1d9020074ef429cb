import { TranshipError } from "../../base/errors.ts";
import { captureInstalled } from "../../capture/capture.ts";
import type { Context } from "../context.ts";
import { type Call, text } from "../verb.ts";
import { besidePlan, carryOutPlan, finishCapture, withMachine } from "./finish.ts";
import { applicationOf, captureTools, choicesOf, requiredTag } from "./requests.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { options } = call;
  const reference = options.planOnly === true ? (text(options, "tag") ?? "package") : requiredTag(options);
  const tools = captureTools(context);
  const plan = text(options, "plan");
  if (plan !== undefined) {
    if (call.args.length > 0) throw besidePlan(plan, call.args);
    await carryOutPlan(plan, options, context, tools);
    return;
  }
  if (call.args.length === 0) {
    throw new TranshipError("E_USAGE", "no installed package is named", {
      hint: "`tranship discover MACHINE` lists them",
    });
  }
  await withMachine(text(options, "machine") ?? "local:", async (machine) => {
    const request = {
      machine,
      application: applicationOf(options, [], reference),
      names: call.args,
      choices: choicesOf(options),
    };
    await finishCapture(machine, await captureInstalled(request, tools), options, context, tools);
  });
}
