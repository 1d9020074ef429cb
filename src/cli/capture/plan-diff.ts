import { exitStatus } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { describeDifference, diffPlans } from "../../capture/plan/plan-diff.ts";
import { readPlanFile } from "../../capture/plan/plan-file.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import type { Call } from "../verb.ts";
import { formatOf } from "./finish.ts";

/** Exit status 4 where the plans differ. */
export async function run(call: Call, context: Context): Promise<number> {
  const [before = "", after = ""] = call.args;
  const difference = diffPlans(readPlanFile(before).plan, readPlanFile(after).plan);
  const format = formatOf(call.options);
  context.print(
    format === undefined
      ? describeDifference(difference, formatSize).join("\n")
      : printValue(difference, format),
  );
  return difference.same ? exitStatus.done : exitStatus.no;
}
