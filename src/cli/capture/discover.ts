import { discover } from "../../discover/discover.ts";
import { renderInventory } from "../../discover/render.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";
import { remoteDryRun } from "./remote-dry-run.ts";
import { withMachine } from "./with-machine.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const address = call.args[0] ?? "local:";
  if (remoteDryRun(address, "discover", call.options, context)) return;
  const inventory = await withMachine(
    { address, options: call.options, context, endsAtOnce: true },
    discover,
  );
  const format = text(call.options, "format");
  if (format === undefined || format === "table") context.print(renderInventory(inventory));
  else context.print(printValue(inventory, format));
}
