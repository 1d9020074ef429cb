import { TranshipError } from "../../base/errors.ts";
import { captureInstalled } from "../../capture/capture-installed.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";
import { runCapture } from "./capture-verb.ts";
import { applicationOf, choicesOf } from "./requests.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { args, options } = call;
  const check = (): void => {
    if (args.length > 0) return;
    throw new TranshipError("E_USAGE", "no installed package is named", {
      hint: "`tranship discover MACHINE` lists them",
    });
  };
  await runCapture(
    call,
    context,
    (machine, reference, tools) => {
      const application = applicationOf(options, [], reference);
      return captureInstalled({ machine, application, names: args, choices: choicesOf(options) }, tools);
    },
    check,
  );
}
