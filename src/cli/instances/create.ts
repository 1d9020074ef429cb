import { beginInstance, createInstance } from "../../runtime/create.ts";
import { repairInstances } from "../../runtime/repair.ts";
import { checkOptions } from "../../runtime/run.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";
import { createOptions } from "./create-options.ts";
import { pullWhereAsked } from "./run.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { root, log } = context;
  await pullWhereAsked(call, context);
  await repairInstances(root, log);
  const options = createOptions(call);
  checkOptions(options);
  const { record } = await createInstance(root, options, await beginInstance(root, options, log));
  context.print(record.id);
}
