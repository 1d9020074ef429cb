import { captureInstalled } from "../../capture/capture.ts";
import type { Context } from "../context.ts";
import { type Call, text } from "../verb.ts";
import { carryOutPlan, finishCapture, withMachine } from "./finish.ts";
import { applicationOf, captureTools, choicesOf, requiredTag } from "./requests.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { options } = call;
  const reference = options.planOnly === true ? (text(options, "tag") ?? "package") : requiredTag(options);
  const tools = captureTools(context);
  const plan = text(options, "plan");
  if (plan !== undefined) {
    await carryOutPlan(plan, options, context, tools);
    return;
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
