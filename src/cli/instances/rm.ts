import { isTranshipError, type TranshipError } from "../../base/errors.ts";
import { removeInstance } from "../../runtime/stop.ts";
import type { Context } from "../context.ts";
import { type Call, flag } from "../verb.ts";
import { forEach } from "./each.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const options = { force: flag(call.options, "force"), volumes: flag(call.options, "volumes") };
  // As with docker: what is not there need not be removed.
  const gone = (error: unknown): error is TranshipError =>
    options.force && isTranshipError(error, "E_INSTANCE_NOT_FOUND");
  await forEach(call, context, (name) => removeInstance(context.root, name, options, context.log), gone);
}
