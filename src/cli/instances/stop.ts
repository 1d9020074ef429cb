import { stopInstance } from "../../runtime/stop.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";
import { forEach } from "./each.ts";
import { stopOptions } from "./stop-options.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const options = stopOptions(call.options);
  await forEach(call, context, (name) => stopInstance(context.root, name, options, context.log));
}
