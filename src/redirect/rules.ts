// The rules of files as both engines see them: cleaned, in the order of their search, and the search itself.
//
// A rule is about a location: an absolute path of the application's view without ".", "..", doubled or trailing slashes and
// without symbolic links before its last component (locate.ts leads there). Which of several rules decides: exact before folder,
// longer before shorter, then declaration. The table is sorted by `from` so that all that lies below a path follows it
// directly: "/" counts as the smallest byte. The last entry that is not greater than a location is then either the rule for it or
// below one, and `outer` leads from there to all folders around it. policy.bin keeps this order: docs/internals/policy-bin.md.
import { TranshipError } from "../base/errors.ts";
import type { FileRedirection } from "../package/descriptor.ts";

/** `host`: as the host has it, whatever a shorter rule says; made by engines, never written in a descriptor. */
export type RuleMode = FileRedirection["mode"] | "host";

export interface FileRule {
  readonly from: string;
  /** A path inside the package; "" for the modes hide and host, which lead nowhere. */
  readonly to: string;
  readonly match: FileRedirection["match"];
  readonly mode: RuleMode;
  /** Whose files `to` names: 0, the package with what it links to (decision 94). policy.bin could say the n-th of its links; nothing does. */
  readonly root: number;
  /** Position in redirections.files of the package that declares it. */
  readonly declared: number;
}

export interface PlacedRule extends FileRule {
  /** Index in the table of the longest folder rule around this one; null: there is none. */
  readonly outer: number | null;
}

export type RuleTable<Rule extends FileRule = FileRule> = ReadonlyArray<Rule & Pick<PlacedRule, "outer">>;

export const maxRules = 4096;
export const maxPath = 4095;

const encoder = new TextEncoder();

/** Bytes of the path, as a length for what the kernel limits. */
export function byteLength(path: string): number {
  return encoder.encode(path).length;
}

/** An absolute path without ".", doubled and trailing slashes. E_DESCRIPTOR_INVALID where it is none, or leaves its root by "..". */
export function cleanPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  const wrong = !path.startsWith("/") || path.includes("\0") || parts.includes("..");
  if (wrong || !path.isWellFormed() || byteLength(path) > maxPath)
    throw new TranshipError("E_DESCRIPTOR_INVALID", `not a path of a redirection: ${JSON.stringify(path)}`, {
      hint: `write an absolute path without \`..\`, of at most ${maxPath} bytes`,
    });
  return `/${parts.join("/")}`;
}

/** Whether `path` is `folder` or lies below it. Both are locations. */
export function isWithin(path: string, folder: string): boolean {
  return folder === "/" || path === folder || path.startsWith(`${folder}/`);
}

/** The rule of a descriptor, cleaned. What is hidden is hidden with all below it, whatever its `match`. Throws as cleanPath() does. */
export function fileRule({ from, to, match, mode }: FileRedirection, declared: number, root = 0): FileRule {
  const hide = mode === "hide";
  const more = hide ? { to: "", match: "folder" as const } : { to: cleanPath(to), match };
  return { from: cleanPath(from), ...more, mode, root, declared };
}

/** Of rules with the same `from` and `match` the first counts. E_LIMIT beyond maxRules. */
export function makeTable<Rule extends FileRule>(rules: readonly Rule[]): RuleTable<Rule> {
  const first = new Map<string, Rule>();
  for (const rule of rules) {
    const key = `${rule.match} ${rule.from}`;
    if (!first.has(key)) first.set(key, rule);
  }
  if (first.size > maxRules)
    throw new TranshipError("E_LIMIT", `${first.size} redirections of files, at most ${maxRules}`);
  const sorted = [...first.values()].map((rule) => ({ rule, key: sortKey(rule.from) }));
  sorted.sort((a, b) => compareKeys(a.key, b.key) || matchOrder(a.rule) - matchOrder(b.rule));
  const around: number[] = [];
  return sorted.map(({ rule }, index) => {
    while (around.length > 0 && !isWithin(rule.from, sorted[around.at(-1) ?? 0]?.rule.from ?? ""))
      around.pop();
    const outer = around.at(-1) ?? null;
    if (rule.match === "folder") around.push(index);
    return { ...rule, outer };
  });
}

/** A folder rule stands before the exact rule of the same path. */
export function matchOrder(rule: Pick<FileRule, "match">): number {
  return rule.match === "folder" ? 0 : 1;
}

/** The bytes by which rules are sorted: those of the path, with "/" as 0, which no path holds. */
export function sortKey(path: string): Uint8Array {
  return encoder.encode(path).map((byte) => (byte === 0x2f ? 0 : byte));
}

export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The rule that decides for a location; undefined: none, it is as it is. */
export function ruleFor(table: RuleTable, location: string): PlacedRule | undefined {
  const key = sortKey(location);
  let [low, high] = [0, table.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(sortKey(table[middle]?.from ?? ""), key) <= 0) low = middle + 1;
    else high = middle;
  }
  for (let at: number | null = low - 1; at !== null && at >= 0; ) {
    const rule: PlacedRule | undefined = table[at];
    if (rule === undefined) return undefined;
    if (rule.match === "exact" ? rule.from === location : isWithin(location, rule.from)) return rule;
    at = rule.outer;
  }
  return undefined;
}
