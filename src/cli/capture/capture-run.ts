import { captureRun } from "../../capture/capture-run.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";
import { runCapture } from "./capture-verb.ts";
import { runRequestOf } from "./requests.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  await runCapture(call, context, (machine, reference, tools) =>
    captureRun(runRequestOf(call.options, call.args, machine, reference), tools),
  );
}
