import { waitInstance } from "../../runtime/stop.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  for (const name of call.args) context.print(String(await waitInstance(context.root, name, context.signal)));
}
