// tranship run: the exit status is the program's own.
import { TranshipError } from "../../base/errors.ts";
import { type RunOptions, runInstance } from "../../runtime/run.ts";
import type { Context } from "../context.ts";
import { selfCommand } from "../self.ts";
import { type Call, flag, text } from "../verb.ts";
import { createOptions } from "./create-options.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { root, log } = context;
  const options: RunOptions = createOptions(call);
  if (!flag(call.options, "detach")) options.foreground = selfCommand(root, call.options);
  if (text(call.options, "tether") !== undefined) throw noTether();
  if (flag(call.options, "observe")) {
    // Loaded by those who ask for it alone.
    const { chooseTracer } = await import("../../capture/tracer.ts");
    options.observe = chooseTracer("auto", log);
  }
  const record = await runInstance(root, options, log);
  context.print(record.id);
}

function noTether(): TranshipError {
  return new TranshipError("E_USAGE", "--tether is not possible yet: nothing was started", {
    hint: "--observe tells what is missing, and `capture ... --add-misses INSTANCE` takes it in",
  });
}
