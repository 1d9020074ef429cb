import { captureMachine, describeTrim } from "../../capture/capture-machine.ts";
import { evidenceOf } from "../../capture/evidence/read-evidence.ts";
import type { Context } from "../context.ts";
import { type Call, text } from "../verb.ts";
import { runCapture } from "./capture-verb.ts";
import { applicationOf, choicesOf } from "./requests.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { args, options } = call;
  await runCapture(call, context, async (machine, reference, tools) => {
    const name = text(options, "trim");
    const trim =
      name === undefined ? undefined : { reference: name, evidence: evidenceOf(context.root, name) };
    const application = applicationOf(options, args, reference);
    const captured = await captureMachine({ machine, application, choices: choicesOf(options), trim }, tools);
    for (const line of describeTrim(captured.left)) context.say(line);
    return captured;
  });
}
