// tranship export ecs: see src/export/ecs.ts.
import { TranshipError } from "../../base/errors.ts";
import { ecsOf } from "../../export/ecs.ts";
import { exportFacts } from "../../export/facts.ts";
import type { Context } from "../context.ts";
import { type Call, text } from "../verb.ts";
import { deliver, packageFor, wishesOf } from "./exporting.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const found = await packageFor(call, context);
  const facts = exportFacts(found.descriptor, found.reference, wishesOf(call, found));
  const wishes = {
    launchType: text(call.options, "launchType") === "FARGATE" ? "FARGATE" : "EC2",
    memory: memoryOf(text(call.options, "memory") ?? "512"),
    efs: text(call.options, "efs"),
    executionRole: text(call.options, "executionRole"),
  } as const;
  deliver(call, context, ecsOf(facts, wishes));
}

function memoryOf(value: string): number {
  const memory = Number(value);
  if (Number.isInteger(memory) && memory >= 4) return memory;
  throw new TranshipError("E_USAGE", `--memory ${value} is not a number of MiB, at least 4`, {
    hint: "it holds where the package has no limit of its own",
  });
}
