// What the verbs of deployments have in common: what they work with, and how they tell what they did.
import { parseDuration } from "../../base/units.ts";
import type { Deployed } from "../../deploy/target/deploy.ts";
import type { Tools } from "../../deploy/target/versions.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { selfCommand } from "../self.ts";
import { type Call, text } from "../verb.ts";

export function deployTools({ options }: Call, context: Context): Tools {
  const { root, log, signal } = context;
  return {
    root,
    log,
    signal,
    self: selfCommand(root, options),
    wait: parseDuration(text(options, "wait") ?? "60s"),
  };
}

export function forPeople({ options }: Call): boolean {
  const format = text(options, "format");
  return format === undefined || format === "table";
}

export function tellDeployed(call: Call, context: Context, deployed: Deployed): void {
  if (!forPeople(call)) {
    context.print(printValue(deployed, text(call.options, "format") ?? "json"));
    return;
  }
  const { name, version, instance, changed } = deployed;
  context.print(`${name} ${version} ${instance.slice(0, 12)}`);
  if (!changed) context.say("it was there already; what was missing was made again");
}
