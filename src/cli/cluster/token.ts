// tranship cluster token: what nodes need to join.
import { joinToken } from "../../cluster/keys.ts";
import type { Context } from "../context.ts";
import { type Call, flag } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  context.print(joinToken(context.root.path, flag(call.options, "rotate")));
}
