// Which rule decides for a path, in words. Pure.
import type { FileRedirection } from "../package/descriptor.ts";
import { type Decision, decide, type Place } from "./decide.ts";
import { fileRule, makeTable } from "./rules.ts";

export interface RuleAnswer {
  /** Position in redirections.files. */
  readonly rule: number;
  readonly from: string;
  readonly match: FileRedirection["match"];
  readonly mode: string;
  /** Where the path is, after links of the package. */
  readonly location: string;
  /** The path of the package that is meant; null where the rule hides it. */
  readonly target: string | null;
  readonly reads: readonly Place[];
  readonly writes: Decision["writes"];
}

/** undefined: none decides. `placeOf` follows links of the package, as far as there is something. */
export function explainRule(
  declared: readonly FileRedirection[],
  path: string,
  placeOf: (path: string) => string,
): RuleAnswer | undefined {
  const rules = declared.map((given, i) => {
    const rule = fileRule(given, i);
    return { ...rule, from: placeOf(rule.from) };
  });
  const { location, rule, reads, writes } = decide(makeTable(rules), placeOf(path));
  if (rule === undefined) return undefined;
  const target = reads.find((place) => place.where === "package")?.path ?? null;
  const { from, match, mode } = rule;
  return { rule: rule.declared, from, match, mode, location, target, reads, writes };
}

/** A sentence for the rule, one for reading and one for writing. `linked`: the package that it is of, where that is another. */
export function describeRule(path: string, answer: RuleAnswer, linked?: string): string[] {
  const { rule, from, match, mode, location, reads, writes } = answer;
  const where = location === path ? "" : ` (it is ${location})`;
  const places = reads.map(placeText).join(", else ");
  return [
    `${path}${where} is redirected by redirections.files[${rule}]${linked === undefined ? "" : ` of ${linked}`}: ${from}, ${match}, ${mode}`,
    `  read:    ${places === "" ? "nothing (ENOENT)" : places}`,
    `  written: ${"place" in writes ? placeText(writes.place) : `refused (${writes.create})`}`,
  ];
}

function placeText({ where, path }: Place): string {
  if (where === "copy") return `the instance's own ${path}`;
  if (where === "host") return `${path} of the host, where --allow-host names it`;
  return `${path} of the package`;
}

/** Follows links by `look`, which follows all of a path that is there: the longest part that is counts. */
export function placeBy(look: (path: string) => string | undefined): (path: string) => string {
  return (path) => {
    for (let part = path; part !== "/"; part = part.slice(0, part.lastIndexOf("/")) || "/") {
      const found = look(part);
      if (found !== undefined)
        return found === "/" ? path.slice(part.length) || "/" : found + path.slice(part.length);
    }
    return path;
  };
}
