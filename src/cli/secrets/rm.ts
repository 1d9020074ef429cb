// tranship secret rm
import { TranshipError } from "../../base/errors.ts";
import { SecretStore } from "../../cluster/secret-store.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const secrets = new SecretStore(context.root.path);
  for (const name of call.args) {
    if (!secrets.remove(name))
      throw new TranshipError("E_SECRET_MISSING", `there is no secret ${name}`, {
        hint: "`tranship secret ls` lists them",
      });
    context.print(name);
  }
}
