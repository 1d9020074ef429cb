// What native/supervise becomes at the end of a foreground instance that left more than a few files.
import { foregroundEnded } from "../../runtime/foreground.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

export async function run({ args: [id = "", status] }: Call, context: Context): Promise<number> {
  return await foregroundEnded(context.root, id, Number(status), context.log);
}
