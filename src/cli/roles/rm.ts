// tranship role rm
import { TranshipError } from "../../base/errors.ts";
import { RoleStore } from "../../cluster/roles/role-store.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const roles = new RoleStore(context.root.path);
  for (const name of call.args) {
    if (!roles.remove(name))
      throw new TranshipError("E_USAGE", `there is no role ${name}`, {
        hint: "`tranship role ls` lists them",
      });
    context.print(name);
  }
}
