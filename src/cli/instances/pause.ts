import { pauseInstance } from "../../runtime/pause.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";
import { forEach } from "./each.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  await forEach(call, context, (name) => pauseInstance(context.root, name));
}
