// tranship secret create: what tasks of clusters are given by name.
import { TranshipError } from "../../base/errors.ts";
import { SecretStore } from "../../cluster/secret-store.ts";
import { readInput } from "../../host/files.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [name = "", file = "-"] = call.args;
  const value = readInput(file, "the secret", 1 << 20);
  if (value === undefined)
    throw new TranshipError("E_USAGE", `${file} is too large for a secret`, { hint: "give at most 64 KiB" });
  new SecretStore(context.root.path).put(name, value);
  context.print(name);
}
