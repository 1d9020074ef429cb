import { startInstance } from "../../runtime/run.ts";
import type { Context } from "../context.ts";
import { type Call, flag } from "../verb.ts";
import { forEach } from "./each.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  await forEach(call, context, async (name) => {
    await startInstance(context.root, name, context.log, flag(call.options, "newIdentity"));
  });
}
