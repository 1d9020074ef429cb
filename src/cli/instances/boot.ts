// tranship boot: after a reboot, and before one.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { installRoot } from "../../host/native.ts";
import { runChecked } from "../../host/process.ts";
import { bootInstances, shutDownInstances, unitName, unitText, wantedInstances } from "../../runtime/boot.ts";
import type { Context } from "../context.ts";
import { deployTools } from "../deployments/tools.ts";
import { asTranshipError } from "../failure.ts";
import { type Call, flag, text } from "../verb.ts";

export async function run({ options }: Call, context: Context): Promise<number> {
  const { root, log } = context;
  const unit = unitText(root, join(installRoot, "bin/tranship"));
  if (flag(options, "print")) {
    context.print(unit);
    return 0;
  }
  if (flag(options, "install")) return await install(context, unit, text(options, "unitDir"));
  if (flag(options, "dryRun")) {
    for (const { record } of wantedInstances(root)) context.print(record.name);
    return 0;
  }
  if (flag(options, "down")) {
    for (const name of await shutDownInstances(root, log)) context.print(name);
    return 0;
  }
  // Loaded here alone: most hosts have no deployment.
  const { deploymentNames } = await import("../../deploy/target/record.ts");
  let wrong: string[] = [];
  if (deploymentNames(root).length > 0) {
    const { repairDeployments } = await import("../../deploy/target/repair.ts");
    wrong = await repairDeployments(deployTools({ args: [], options }, context));
  }
  const results = await bootInstances(root, log);
  for (const { name, failure } of results) {
    if (failure === undefined) context.print(name);
    else log.error(`${name} could not be started: ${asTranshipError(failure).message}`);
  }
  const failed = results.filter(({ failure }) => failure !== undefined);
  if (failed.length > 0) {
    throw new TranshipError(
      "E_RUNTIME",
      `${failed.length} of ${results.length} instances could not be started`,
      {
        hint: `\`tranship boot\` tries again, or start them by hand: tranship start ${failed.map(({ name }) => name).join(" ")}`,
      },
    );
  }
  if (wrong.length > 0)
    throw new TranshipError("E_RUNTIME", `deployments that are not as they should be: ${wrong.join(", ")}`, {
      hint: "the messages above say why; see `tranship package deployed`",
    });
  return 0;
}

const systemDirectory = "/etc/systemd/system";

async function install(context: Context, unit: string, wanted: string | undefined): Promise<number> {
  const directory = wanted ?? systemDirectory;
  if (!existsSync(directory)) {
    throw new TranshipError("E_IO", `there is no ${directory}: this host has no systemd`, {
      hint: "call `tranship boot` from what starts services here",
    });
  }
  const name = unitName(context.root.path);
  const path = join(directory, name);
  writeFileAtomic(path, unit, { mode: 0o644 });
  context.print(path);
  if (directory === systemDirectory && existsSync("/run/systemd/system")) {
    await runChecked("systemctl", ["daemon-reload"]);
    await runChecked("systemctl", ["enable", name]);
  } else context.say(`enable it with: systemctl enable ${name}`);
  return 0;
}
