import { captureRun } from "../../capture/capture.ts";
import type { Context } from "../context.ts";
import { type Call, text } from "../verb.ts";
import { besidePlan, carryOutPlan, finishCapture, withMachine } from "./finish.ts";
import { captureTools, requiredTag, runRequestOf } from "./requests.ts";

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
  await withMachine(text(options, "machine") ?? "local:", async (machine) => {
    const captured = await captureRun(runRequestOf(options, call.args, machine, reference), tools);
    await finishCapture(machine, captured, options, context, tools);
  });
}
