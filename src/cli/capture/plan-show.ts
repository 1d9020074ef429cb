import { readPlanFile } from "../../capture/plan/plan-file.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";
import { showPlan } from "./finish.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  showPlan(readPlanFile(call.args[0] ?? "").plan, call.options, context);
}
