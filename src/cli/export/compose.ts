// tranship export compose: see src/export/compose.ts.
import { composeOf } from "../../export/compose.ts";
import { exportFacts } from "../../export/facts.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";
import { deliver, packageFor, wishesOf } from "./exporting.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const found = await packageFor(call, context);
  const facts = exportFacts(found.descriptor, found.reference, wishesOf(call, found));
  deliver(call, context, composeOf(facts));
}
