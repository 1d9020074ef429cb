import { TranshipError } from "../../base/errors.ts";
import { CredentialStore } from "../../image/registry/credentials.ts";
import { registryEndpoint } from "../../image/registry/endpoint.ts";
import { RegistryClient } from "../../image/registry/registry-client.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, type OptionValues, text } from "../verb.ts";
import { askFor, askSecretly, readSecret } from "./ask.ts";
import { registrySettings } from "./settings.ts";

/** Keeps the credentials when the registry has accepted them. */
export async function run(call: Call, context: Context): Promise<undefined> {
  const remote = registryEndpoint(call.args[0] ?? "docker.io");
  const credentials = await credentialsOf(call.options, context);
  const settings = { ...registrySettings(call.options, context), credentials };
  const client = new RegistryClient(remote, settings);
  try {
    await client.ping();
  } catch (error) {
    if (!(error instanceof TranshipError) || error.code !== "E_REGISTRY_DENIED") throw error;
    throw new TranshipError(
      "E_REGISTRY_DENIED",
      `${remote.host} does not accept ${credentials.username} and that password`,
      {
        hint: "nothing was kept; check both, and whether the registry wants a token as the password",
        cause: error,
      },
    );
  } finally {
    await client.close();
  }
  const kept = await new CredentialStore(settings).set(remote.registry, credentials);
  const format = text(call.options, "format");
  const result = { registry: remote.registry, username: credentials.username, kept };
  context.print(format === undefined || format === "table" ? "Login Succeeded" : printValue(result, format));
  const open = kept.startsWith("docker-credential-")
    ? ""
    : ", where its owner can read them; a credential helper would hide them";
  context.say(`credentials of ${remote.registry} are kept in ${kept}${open}`);
}

async function credentialsOf(
  options: OptionValues,
  context: Context,
): Promise<{ username: string; password: string }> {
  const given = text(options, "password");
  const piped = flag(options, "passwordStdin");
  if (given !== undefined && piped)
    throw new TranshipError("E_USAGE", "--password and --password-stdin contradict each other", {
      hint: "give one of them",
    });
  const ask = !context.noInput;
  const username = text(options, "username") ?? (ask && !piped ? await askFor("Username: ") : "");
  const password = piped ? readSecret() : (given ?? (ask ? await askSecretly("Password: ") : ""));
  if (username === "" || password === "") {
    throw new TranshipError("E_USAGE", `a login needs ${username === "" ? "a name" : "a password"}`, {
      hint: "give -u NAME and --password-stdin",
    });
  }
  if (username.includes(":"))
    throw new TranshipError("E_USAGE", `${username} cannot be a name: it has a colon`);
  return { username, password };
}
