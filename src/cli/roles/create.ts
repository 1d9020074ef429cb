// tranship role create: what tasks with this role may call here.
import { TranshipError } from "../../base/errors.ts";
import { RoleStore } from "../../cluster/roles/role-store.ts";
import { readInput } from "../../host/files.ts";
import type { Context } from "../context.ts";
import { type Call, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [name = ""] = call.args;
  new RoleStore(context.root.path).put(name, policyOf(text(call.options, "policy") ?? ""));
  context.print(name);
}

/** The name of a policy, or a file with a document. */
function policyOf(given: string): unknown {
  if (given === "read-only" || given === "full") return given;
  const content = readInput(given, "the policy", 64 << 10)?.toString("utf8");
  if (content === undefined)
    throw new TranshipError("E_USAGE", `${given} is too large for a policy`, { hint: "give at most 64 KiB" });
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw new TranshipError("E_USAGE", `${given} is not JSON: ${(cause as Error).message}`, {
      hint: "give read-only, full, or a file with an IAM policy document",
      cause,
    });
  }
}
