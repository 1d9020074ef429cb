import { captureMachine, describeTrim } from "../../capture/capture-machine.ts";
import { evidenceOf } from "../../capture/read-evidence.ts";
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
  const trim = text(options, "trim");
  const evidence =
    trim === undefined ? undefined : { reference: trim, evidence: evidenceOf(context.root, trim) };
  await withMachine(text(options, "machine") ?? "local:", async (machine) => {
    const request = {
      machine,
      application: applicationOf(options, call.args, reference),
      choices: choicesOf(options),
      trim: evidence,
    };
    const captured = await captureMachine(request, tools);
    for (const line of describeTrim(captured.left)) context.say(line);
    await finishCapture(machine, captured, options, context, tools);
  });
}
