import { killInstance } from "../../runtime/stop.ts";
import type { Context } from "../context.ts";
import { type Call, text } from "../verb.ts";
import { forEach } from "./each.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const signal = text(call.options, "signal") ?? "KILL";
  await forEach(call, context, (name) => killInstance(context.root, name, signal, context.log));
}
