import { CredentialStore } from "../../image/registry/credentials.ts";
import { registryEndpoint } from "../../image/registry/endpoint.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { registry } = registryEndpoint(call.args[0] ?? "docker.io");
  const removed = await new CredentialStore({ log: context.log }).erase(registry);
  const format = text(call.options, "format");
  if (format !== undefined && format !== "table") context.print(printValue({ registry, removed }, format));
  else context.print(removed ? `Removing login credentials for ${registry}` : `Not logged in to ${registry}`);
}
