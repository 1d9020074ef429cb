import { parseDuration } from "../../base/units.ts";
import { stopInstance } from "../../runtime/stop.ts";
import type { Context } from "../context.ts";
import { type Call, text } from "../verb.ts";
import { forEach } from "./each.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const time = text(call.options, "time");
  const options = time === undefined ? {} : { timeout: parseDuration(time) };
  await forEach(call, context, (name) => stopInstance(context.root, name, options, context.log));
}
