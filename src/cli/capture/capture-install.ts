import { TranshipError } from "../../base/errors.ts";
import { captureInstall, describeInstaller, type InstallRequest } from "../../capture/capture-install.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Context } from "../context.ts";
import { type Call, flag, list, text } from "../verb.ts";
import { runCapture } from "./capture-verb.ts";
import { applicationOf, choicesOf, requiredTag } from "./requests.ts";
import { withMachine } from "./with-machine.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { args, options } = call;
  const check = (): void => {
    if (args.length > 0) return;
    throw new TranshipError("E_USAGE", "no installer is named", {
      hint: "give it after --, for example -- dpkg -i shop.deb",
    });
  };
  const address = text(options, "machine") ?? "local:";
  if (flag(options, "dryRun") && text(options, "plan") === undefined && !address.startsWith("ssh:")) {
    check();
    const reference = flag(options, "planOnly") ? "package" : requiredTag(options);
    await withMachine({ address, options, context, endsAtOnce: true }, async (machine) => {
      context.print((await describeInstaller(requestOf(call, machine, reference))).join("\n"));
    });
    return;
  }
  await runCapture(
    call,
    context,
    async (machine, reference, tools) => {
      const captured = await captureInstall(requestOf(call, machine, reference), tools);
      for (const line of captured.told) context.say(line);
      return captured;
    },
    check,
  );
}

function requestOf({ args, options }: Call, machine: Machine, reference: string): InstallRequest {
  return {
    machine,
    application: applicationOf(options, [], reference),
    installer: args,
    with: list(options, "with"),
    network: text(options, "network") === "host" ? "host" : "own",
    planFile: flag(options, "planOnly") ? text(options, "output") : undefined,
    choices: choicesOf(options),
  };
}
