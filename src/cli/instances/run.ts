// tranship run: the exit status is the program's own.
import { runInstance } from "../../runtime/run.ts";
import type { Context } from "../context.ts";
import { type Call, flag } from "../verb.ts";
import { createOptions } from "./create-options.ts";

export async function run(call: Call, context: Context): Promise<number | undefined> {
  const detached = flag(call.options, "detach");
  const result = await runInstance(context.root, { ...createOptions(call), detached }, context.log);
  if (detached) context.print(result.record.id);
  return result.status;
}
