// tranship exec: the exit status is the command's own.
import { execInInstance } from "../../runtime/exec.ts";
import type { Context } from "../context.ts";
import { type Call, flag, text } from "../verb.ts";
import { environment } from "./create-options.ts";

export async function run({ args, options }: Call, context: Context): Promise<number> {
  const [name = "", ...command] = args;
  const workingDirectory = text(options, "workdir");
  const user = text(options, "user");
  return await execInInstance(
    context.root,
    name,
    {
      command,
      interactive: flag(options, "interactive"),
      terminal: flag(options, "tty"),
      detached: flag(options, "detach"),
      environment: environment(options),
      ...(workingDirectory === undefined ? {} : { workingDirectory }),
      ...(user === undefined ? {} : { user }),
    },
    context.log,
  );
}
