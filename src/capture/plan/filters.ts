// Rules of --include, --exclude and --filter-from: as with rsync, the first rule that fits a path decides, what no rule fits stays,
// and what is below a directory that is left out is left out too.
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import { unescapeBytes } from "../../formats/escape.ts";
import { maxPatternLength, type PathPattern, pathPattern } from "../../formats/path-pattern.ts";

export interface FilterRule {
  keep: boolean;
  pattern: PathPattern;
  /** How it was given: "--exclude *.log", "- *.log (rules.txt)". */
  told: string;
}

const maxRules = 10_000;

/** text: a pattern as a person types it; a byte that does not print is \xNN. In files of rules a broken one fits nothing, as with rsync; of a flag it is an error. */
export function parsePattern(text: string, where: string): PathPattern {
  const pattern = pathPattern(unescapeBytes(text));
  if (pattern !== undefined && !(pattern.broken && where.startsWith("--"))) return pattern;
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  throw new TranshipError("E_USAGE", `${where}: the pattern ${JSON.stringify(shown)} can fit nothing`, {
    hint: `a pattern is a path or a name of up to ${maxPatternLength} bytes, with *, **, ? and [a-z]; / in front begins at the root`,
  });
}

/** A file of rules, one a line: "+ PATTERN" keeps, "- PATTERN" leaves out, # and ; begin comments. */
export function parseFilterFile(text: string, name: string): FilterRule[] {
  const rules: FilterRule[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const where = `${name}:${index + 1}`;
    const match = /^([+-]) (.*)$/.exec(line);
    if (match === null || rules.length >= maxRules) {
      const problem =
        match === null ? `${JSON.stringify(line.slice(0, 80))} is no rule` : `more than ${maxRules} rules`;
      throw new TranshipError("E_USAGE", `${where}: ${problem}`, {
        hint: "write `+ PATTERN` to keep, `- PATTERN` to leave out, one a line; # begins a comment",
      });
    }
    const [, sign, body = ""] = match;
    rules.push({ keep: sign === "+", pattern: parsePattern(body, where), told: `${sign} ${body} (${name})` });
  }
  return rules;
}

/** Why a path is left out, in words; undefined where it stays. Directories above are remembered, so ask it of one tree. */
export function filterOf(
  rules: readonly FilterRule[],
): (path: ByteString, isDirectory: boolean) => string | undefined {
  if (rules.length === 0) return () => undefined;
  const known = new Map<ByteString, string | undefined>([["", undefined]]);
  const own = (path: ByteString, isDirectory: boolean): string | undefined => {
    const rule = rules.find((one) => one.pattern.fits(path, isDirectory));
    return rule === undefined || rule.keep ? undefined : rule.told;
  };
  const directory = (path: ByteString): string | undefined => {
    if (known.has(path)) return known.get(path);
    const told = directory(path.slice(0, path.lastIndexOf("/"))) ?? own(path, true);
    known.set(path, told);
    return told;
  };
  return (path, isDirectory) => {
    if (path === "/") return undefined;
    if (isDirectory) return directory(path);
    return directory(path.slice(0, path.lastIndexOf("/"))) ?? own(path, false);
  };
}
