import { TranshipError } from "../../base/errors.ts";
import { waitFor, waitInstance } from "../../runtime/stop.ts";
import type { Context } from "../context.ts";
import { type Call, list } from "../verb.ts";

const conditions = ["running", "healthy", "unhealthy", "stopped", "exited"] as const;
type Condition = (typeof conditions)[number];

export async function run(call: Call, context: Context): Promise<undefined> {
  const wanted = list(call.options, "condition").flatMap((word) => word.split(","));
  for (const word of wanted) {
    if (conditions.includes(word as Condition)) continue;
    throw new TranshipError("E_USAGE", `not a condition: ${JSON.stringify(word)}`, {
      hint: `give ${conditions.join(", ")}`,
    });
  }
  const ends = wanted.every((word) => word === "stopped" || word === "exited");
  for (const name of call.args) {
    const status = ends
      ? await waitInstance(context.root, name, context.log, context.signal)
      : await waitFor(context.root, name, new Set(wanted), context.log, context.signal);
    context.print(String(status));
  }
}
