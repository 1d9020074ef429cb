import { discover } from "../../discover/discover.ts";
import { renderInventory } from "../../discover/render.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";
import { withMachine } from "./finish.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const inventory = await withMachine(call.args[0] ?? "local:", discover, context.signal);
  const format = text(call.options, "format");
  if (format === undefined || format === "table") context.print(renderInventory(inventory));
  else context.print(printValue(inventory, format));
}
