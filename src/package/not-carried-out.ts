// What a descriptor asks for and no engine does: refused by name where it is to run, as the application would meet other files, or other programs, than it was packed for.
import { TranshipError } from "../base/errors.ts";
import type { Descriptor } from "./descriptor.ts";

export interface NotCarriedOut {
  key: "excludes";
  /** One sentence with the values concerned. */
  message: string;
  hint: string;
}

/** E_NOT_CARRIED_OUT for the first of them that the engine does not do; `from`: whose descriptor it is. */
export function checkCarriedOut(descriptor: Descriptor, from: string, inProcess: boolean): void {
  if (inProcess) return;
  for (const { message, hint } of notCarriedOut(descriptor))
    throw new TranshipError("E_NOT_CARRIED_OUT", `${from}: ${message}`, { hint });
}

export function notCarriedOut({ excludes }: Descriptor): NotCarriedOut[] {
  if (excludes.length === 0) return [];
  return [
    {
      key: "excludes",
      message: `no program starts outside of the package's view under namespaces: excludes ${shown(excludes)}`,
      hint: "with --engine inprocess they are the host's own; where they may run inside like the others, take `excludes` out of the descriptor",
    },
  ];
}

function shown(names: readonly string[]): string {
  const more = names.length > 10 ? ` and ${names.length - 10} more` : "";
  return names.slice(0, 10).join(", ") + more;
}
