import { newName, openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [from = "", to = ""] = call.args;
  const store = openStore(context.root);
  const { digest } = store.resolve(from).target;
  const name = newName(to);
  const dryRun = flag(call.options, "dryRun");
  if (!dryRun) await store.tag(from, to);
  const format = text(call.options, "format");
  if (format !== undefined && format !== "table") context.print(printValue({ name, digest, dryRun }, format));
  else if (dryRun) context.print(`would name ${digest} also ${name}`);
}
