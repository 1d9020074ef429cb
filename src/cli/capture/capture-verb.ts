// What the capture verbs have in common: a name for the package, a plan instead of a run, one machine, and the end.
import { TranshipError } from "../../base/errors.ts";
import type { CaptureTools, OwnCapture } from "../../capture/captured.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Context } from "../context.ts";
import { givenLookups } from "../instances/observed.ts";
import { type Call, flag, list, text } from "../verb.ts";
import { checkEarly } from "./check-early.ts";
import { besidePlan, carryOutPlan, finishCapture, joinPlans } from "./finish.ts";
import { remoteDryRun } from "./remote-dry-run.ts";
import { captureTools, requiredTag } from "./requests.ts";
import { withMachine } from "./with-machine.ts";

/** How one kind of capture comes to its plan. */
export type CaptureWay = (machine: Machine, reference: string, tools: CaptureTools) => Promise<OwnCapture>;

/** check: looks at the call before a machine is opened; not asked where a plan is carried out. */
export async function runCapture(
  call: Call,
  context: Context,
  way: CaptureWay,
  check: () => void = () => {},
): Promise<undefined> {
  const { options } = call;
  const reference = options.planOnly === true ? (text(options, "tag") ?? "package") : requiredTag(options);
  const missed = [];
  for (const word of list(options, "addMisses")) missed.push(...(await givenLookups(word, context)));
  const tools = { ...captureTools(context), missed };
  const plan = text(options, "plan");
  if (plan !== undefined) {
    if (call.args.length > 0) throw besidePlan(plan, call.args);
    await carryOutPlan(plan, options, context, tools);
    return;
  }
  if (flag(options, "acceptChanges")) {
    throw new TranshipError("E_USAGE", "--accept-changes is for --plan FILE", {
      hint: "a plan that is carried out at once has nothing to accept",
    });
  }
  check();
  const address = text(options, "machine") ?? "local:";
  if (remoteDryRun(address, "capture", options, context, call.args)) return;
  await withMachine({ address, options, context }, async (machine) => {
    await checkEarly(machine, options, tools);
    const alone = await way(machine, reference, tools);
    const captured = { ...alone, ...(await joinPlans(alone.machine ?? machine, alone, options, tools)) };
    try {
      await finishCapture(captured.machine ?? machine, captured, options, context, tools);
    } finally {
      await captured.close?.();
    }
  });
}
