import { resolve } from "node:path";
import { deployPackage } from "../../deploy/target/deploy.ts";
import { packageFacts } from "../../deploy/target/versions.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { createOptions, restart } from "../instances/create-options.ts";
import { type Call, flag, text } from "../verb.ts";
import { deployTools, forPeople, tellDeployed } from "./tools.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { options } = call;
  const [reference = ""] = call.args;
  const tools = deployTools(call, context);
  const { reference: _, command: __, name, restart: ___, ...instance } = createOptions(call);
  const data = text(options, "data");
  if (flag(options, "dryRun")) {
    const { descriptor, digest } = await packageFacts(tools, reference);
    const { hooks, services, shortcuts } = descriptor;
    const plan = {
      name: name ?? descriptor.metadata.id,
      version: descriptor.metadata.version,
      digest,
      hooks,
      dryRun: true,
    };
    const lines = [
      `would deploy ${reference} as ${plan.name}, version ${plan.version}`,
      ...hooks.preInstall.map(
        (hook) =>
          `  pre-install hook on the ${hook.where}: ${hook.program ?? (hook.command ?? []).join(" ")}`,
      ),
      ...services.map((one) => `  service ${one.name}`),
      ...hooks.postInstall.map(
        (hook) =>
          `  post-install hook on the ${hook.where}: ${hook.program ?? (hook.command ?? []).join(" ")}`,
      ),
      ...shortcuts.map((one) => `  shortcut ${one.name}`),
    ];
    context.print(forPeople(call) ? lines.join("\n") : printValue(plan, text(options, "format") ?? "json"));
    return;
  }
  const deployed = await deployPackage(tools, {
    reference,
    name,
    options: instance,
    restart: restart(text(options, "restart") ?? "always"),
    hostHooks: flag(options, "allowHostHooks"),
    hostRoot: resolve(text(options, "hostRoot") ?? "/"),
    data: data === undefined ? undefined : resolve(data),
  });
  tellDeployed(call, context, deployed);
}
