import { renameInstance } from "../../runtime/rename.ts";
import { repairInstances } from "../../runtime/repair.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

export async function run({ args: [name = "", wanted = ""] }: Call, context: Context): Promise<undefined> {
  await repairInstances(context.root, context.log);
  await renameInstance(context.root, name, wanted);
}
