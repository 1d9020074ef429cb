import { exitStatus, TranshipError } from "../../base/errors.ts";
import { completionScripts } from "../completion/scripts.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const shell = call.args[0] ?? "";
  const script = Object.hasOwn(completionScripts, shell) ? completionScripts[shell] : undefined;
  if (script === undefined)
    throw new TranshipError("E_USAGE", `there is no completion for the shell ${JSON.stringify(shell)}`, {
      hint: `it is there for ${Object.keys(completionScripts).join(", ")}`,
    });
  context.print(script);
  return exitStatus.done;
}
