import { readFileSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { parsePlan } from "../../capture/plan.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";
import { showPlan } from "./finish.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const file = call.args[0] ?? "";
  let words: string;
  try {
    words = readFileSync(file, "utf8");
  } catch (cause) {
    throw new TranshipError("E_IO", `cannot read the plan ${file}: ${(cause as Error).message}`, { cause });
  }
  showPlan(parsePlan(words, file), call.options, context);
}
