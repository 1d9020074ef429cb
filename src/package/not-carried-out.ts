// What a descriptor asks for and no engine does: refused by name where it is to run, as the application would meet other files, or other programs, than it was packed for.
import { TranshipError } from "../base/errors.ts";
import type { Descriptor } from "./descriptor.ts";

export interface NotCarriedOut {
  key: "links" | "excludes";
  /** One sentence with the values concerned. */
  message: string;
  hint: string;
}

/** E_NOT_CARRIED_OUT for the first of them that the engine does not do; `from`: whose descriptor it is. */
export function checkCarriedOut(descriptor: Descriptor, from: string, inProcess: boolean): void {
  for (const { key, message, hint } of notCarriedOut(descriptor))
    if (key !== "excludes" || !inProcess)
      throw new TranshipError("E_NOT_CARRIED_OUT", `${from}: ${message}`, { hint });
}

export function notCarriedOut({ links, excludes }: Descriptor): NotCarriedOut[] {
  const found: NotCarriedOut[] = [];
  if (links.length > 0) {
    found.push({
      key: "links",
      message: `redirections of other packages are not seen: links to ${shown(links)}`,
      hint: "write those that are needed into this descriptor's own redirections, and take `links` out of it (`tranship package edit`, or `run --descriptor FILE`)",
    });
  }
  if (excludes.length > 0) {
    found.push({
      key: "excludes",
      message: `no program starts outside of the package's view under namespaces: excludes ${shown(excludes)}`,
      hint: "with --engine inprocess they are the host's own; where they may run inside like the others, take `excludes` out of the descriptor",
    });
  }
  return found;
}

function shown(names: readonly string[]): string {
  const more = names.length > 10 ? ` and ${names.length - 10} more` : "";
  return names.slice(0, 10).join(", ") + more;
}
