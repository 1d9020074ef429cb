// What the process that waits after the last foreground instance becomes.
import { networkIdle } from "../../runtime/linger.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

export async function run(_call: Call, context: Context): Promise<undefined> {
  await networkIdle(context.root, context.log);
}
