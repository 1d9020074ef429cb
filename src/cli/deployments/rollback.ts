import { deploymentNamed } from "../../deploy/target/record.ts";
import { rollBackDeployment } from "../../deploy/target/update.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { deployTools, forPeople, tellDeployed } from "./tools.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [name = ""] = call.args;
  if (flag(call.options, "dryRun")) {
    const { current, previous } = deploymentNamed(context.root, name);
    const plan = { name, from: current?.version, to: previous?.version, dryRun: true };
    const words =
      previous === undefined
        ? `${name} has no version before`
        : `would bring ${name} back to version ${previous.version}`;
    context.print(forPeople(call) ? words : printValue(plan, text(call.options, "format") ?? "json"));
    return;
  }
  tellDeployed(call, context, await rollBackDeployment(deployTools(call, context), name));
}
