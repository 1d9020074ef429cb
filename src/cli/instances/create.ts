import { createInstance } from "../../runtime/create.ts";
import { repairInstances } from "../../runtime/repair.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";
import { createOptions } from "./create-options.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  await repairInstances(context.root, context.log);
  const { record } = await createInstance(context.root, createOptions(call), context.log);
  context.print(record.id);
}
