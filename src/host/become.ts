// Another program in our own place: same pid, same start time, same streams; nothing of ours is left to be freed.
import { TranshipError } from "../base/errors.ts";
import { stepsEnvironment } from "./steps.ts";

/** Never returns: Node aborts where the kernel refuses the program, so the caller has looked that it is there. */
export function become(command: readonly string[]): never {
  if (process.execve === undefined) {
    throw new TranshipError(
      "E_INTERNAL",
      `Node.js ${process.version} cannot execute a program in its own place`,
    );
  }
  const environment: NodeJS.ProcessEnv = { ...process.env, ...stepsEnvironment() };
  for (const [name, value] of Object.entries(environment)) if (value === undefined) delete environment[name];
  return process.execve(command[0] ?? "", [...command], environment);
}
