// What a rule means for a location: where it is read, where it is written, and which errors stand in place of both. Both engines keep to it;
// docs/guide/redirections.md tells it to users.
import { type PlacedRule, type RuleTable, ruleFor } from "./rules.ts";

export interface Place {
  /**
   * copy: the instance's own; package: the files of the package; host: the target machine's own; unredirected: no rule decides, so as the engine
   * has it (namespace: the package, in-process: the host).
   */
  readonly where: "copy" | "package" | "host" | "unredirected";
  readonly path: string;
  /** package: as in FileRule. */
  readonly root?: number;
}

export interface Decision {
  readonly location: string;
  /** undefined: none decides. */
  readonly rule: PlacedRule | undefined;
  /** In the order in which they are looked at; a name that an earlier one has removed is not looked for in later ones. Empty: ENOENT. */
  readonly reads: readonly Place[];
  /** What is there is changed at `place`, after it was copied there. Or the error: `create` where the name would be new. */
  readonly writes:
    | { readonly place: Place }
    | { readonly change: "ENOENT" | "EROFS"; readonly create: "ENOENT" | "EROFS" };
}

/** `location` is one of locate(). */
export function decide(table: RuleTable, location: string): Decision {
  const rule = ruleFor(table, location);
  if (rule === undefined) {
    const place = { where: "unredirected", path: location } as const;
    return { location, rule, reads: [place], writes: { place } };
  }
  const path = targetOf(rule, location);
  const inPackage = { where: "package", path, root: rule.root } as const;
  const onHost = { where: "host", path: location } as const;
  switch (rule.mode) {
    case "full": {
      // The copy is that of the package's file: who asks for `to` itself sees the same.
      const copy = { where: "copy", path } as const;
      return { location, rule, reads: [copy, inPackage], writes: { place: copy } };
    }
    case "write-copy": {
      // The copy is that of the place asked for: `to` and the host's file stay as they are.
      const copy = { where: "copy", path: location } as const;
      return { location, rule, reads: [copy, inPackage, onHost], writes: { place: copy } };
    }
    case "merged":
      return { location, rule, reads: [inPackage, onHost], writes: { place: onHost } };
    case "hide":
      return {
        ...{ location, rule, reads: [] },
        writes: { change: "ENOENT", create: location === rule.from ? "EROFS" : "ENOENT" },
      };
    case "read-only":
      return { location, rule, reads: [inPackage], writes: { change: "EROFS", create: "EROFS" } };
    case "host":
      return { location, rule, reads: [onHost], writes: { place: onHost } };
  }
}

/** Where the rule leads a location that it decides for; "" for modes that lead nowhere. */
export function targetOf(rule: PlacedRule, location: string): string {
  if (rule.mode === "hide" || rule.mode === "host") return "";
  const below = rule.from === "/" ? location : location.slice(rule.from.length);
  if (below === "" || below === "/") return rule.to;
  return rule.to === "/" ? below : `${rule.to}${below}`;
}
