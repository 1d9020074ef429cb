// tranship export kubernetes: see src/export/kubernetes.ts.

import { exportFacts } from "../../export/facts.ts";
import { kubernetesOf } from "../../export/kubernetes.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";
import { deliver, packageFor, wishesOf } from "./exporting.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const found = await packageFor(call, context);
  const facts = exportFacts(found.descriptor, found.reference, wishesOf(call, found));
  deliver(call, context, kubernetesOf(facts));
}
