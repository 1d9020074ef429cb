// What a descriptor asks for and no engine does yet: told by name wherever the descriptor is used, never passed over.
import type { Descriptor } from "./descriptor.ts";

export interface NotCarriedOut {
  key: "links" | "excludes";
  /** One sentence with the values concerned. */
  message: string;
  hint: string;
}

export function notCarriedOut({ links, excludes }: Descriptor): NotCarriedOut[] {
  const found: NotCarriedOut[] = [];
  if (links.length > 0) {
    found.push({
      key: "links",
      message: `redirections of other packages are not seen: links to ${shown(links)}`,
      hint: "write those that are needed into this descriptor's own redirections",
    });
  }
  if (excludes.length > 0) {
    found.push({
      key: "excludes",
      message: `no program starts outside of the package's view under namespaces: excludes ${shown(excludes)}`,
      hint: "such a program runs inside like the others; with --engine inprocess it is the host's own",
    });
  }
  return found;
}

function shown(names: readonly string[]): string {
  const more = names.length > 10 ? ` and ${names.length - 10} more` : "";
  return names.slice(0, 10).join(", ") + more;
}
