import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { type Call, flag } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [from = "", to = ""] = call.args;
  const store = openStore(context.root);
  if (flag(call.options, "dryRun")) {
    context.print(`would name ${store.resolve(from).target.digest} also ${to}`);
    return;
  }
  await store.tag(from, to);
}
