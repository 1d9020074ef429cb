// What would fail only when a capture is done, and can be told before it begins.
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { CaptureTools } from "../../capture/captured.ts";
import { readPlan } from "../../capture/carry-out.ts";
import { refuseOtherMachine } from "../../capture/plan/merge-plans.ts";
import { checkInstalled } from "../../capture/plan-capture.ts";
import { ioError } from "../../host/files.ts";
import type { Machine } from "../../machine/machine.ts";
import { parseIdentityKinds } from "../../package/identity.ts";
import { flag, list, type OptionValues, text } from "../verb.ts";
import { refuseInstallation } from "./finish.ts";
import { alsoOf } from "./requests.ts";

/** A watch may take hours: a typing error must not cost one. */
export async function checkEarly(
  machine: Machine,
  options: OptionValues,
  tools: CaptureTools,
): Promise<void> {
  parseIdentityKinds(list(options, "keepIdentity"));
  const output = flag(options, "planOnly") ? text(options, "output") : undefined;
  if (output !== undefined) checkWritable(output);
  for (const name of alsoOf(options, "plan")) {
    const { plan } = readPlan(name, tools);
    refuseInstallation(name, plan);
    refuseOtherMachine(machine.address, { plan, name });
  }
  await checkInstalled(machine, alsoOf(options, "installed"));
}

function checkWritable(file: string): void {
  try {
    accessSync(dirname(file), constants.W_OK);
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
      throw new Error("EISDIR: it is a directory");
  } catch (cause) {
    const { message } = ioError(`cannot write the plan ${file}`, cause);
    throw new TranshipError("E_IO", message, {
      hint: "name a file in a directory that is there and that you may write to",
      cause,
    });
  }
}
