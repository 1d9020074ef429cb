import { updateDeployment } from "../../deploy/target/update.ts";
import { packageFacts } from "../../deploy/target/versions.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, list, text } from "../verb.ts";
import { deployTools, forPeople, tellDeployed } from "./tools.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { options } = call;
  const [reference = ""] = call.args;
  const tools = deployTools(call, context);
  const name = text(options, "name");
  if (flag(options, "dryRun")) {
    const { descriptor, digest } = await packageFacts(tools, reference);
    const { id, version } = descriptor.metadata;
    const plan = { name: name ?? id, version, digest, dryRun: true };
    context.print(
      forPeople(call)
        ? `would bring ${plan.name} to version ${version}`
        : printValue(plan, text(options, "format") ?? "json"),
    );
    return;
  }
  const request = {
    reference,
    name,
    hooks: flag(options, "hooks"),
    hostHooks: flag(options, "allowHostHooks"),
    linked: list(options, "linked"),
  };
  tellDeployed(call, context, await updateDeployment(tools, request));
}
