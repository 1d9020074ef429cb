// Patterns of file names as glob(7) has them, in any component: what configurations include and languages search by.
import type { ByteString } from "../formats/entry.ts";
import type { Tree } from "./tree.ts";
import { basename, join } from "./tree.ts";

const maxMatches = 10_000;

/** Paths that exist and fit, as named (links are not followed in the answer), each directory in the tree's order. */
export async function matchPaths(tree: Tree, pattern: ByteString): Promise<ByteString[]> {
  const parts = pattern.split("/");
  return await matchBelow(tree, parts[0] === "" ? "/" : "", parts[0] === "" ? parts.slice(1) : parts);
}

/** `above` is a path, not a pattern: names that were found may have a "[" of their own. */
async function matchBelow(tree: Tree, above: ByteString, parts: readonly string[]): Promise<ByteString[]> {
  const special = parts.findIndex((part) => /[*?[]/.test(part));
  if (special < 0) {
    const path = below(above, parts);
    return (await tree.resolve(path)).entry === undefined ? [] : [path];
  }
  const place = below(above, parts.slice(0, special)) || "/";
  const directory = await tree.resolve(place);
  if (directory.entry?.kind !== "directory") return [];
  const part = parts[special] ?? "";
  const found: ByteString[] = [];
  for (const one of (await tree.list(directory.at)) ?? []) {
    const name = basename(one.path);
    if ((name.startsWith(".") && !part.startsWith(".")) || !matchesPattern(name, part)) continue;
    found.push(...(await matchBelow(tree, join(place, name), parts.slice(special + 1))));
    if (found.length >= maxMatches) return found.slice(0, maxMatches);
  }
  return found;
}

function below(above: ByteString, parts: readonly string[]): ByteString {
  const rest = parts.join("/");
  return above === "" || above === "/" || rest === "" ? above + rest : `${above}/${rest}`;
}

/** "*", "?" and "[...]"; in time of the product of both lengths, as the pattern is the source's. */
export function matchesPattern(text: string, pattern: string): boolean {
  let at = 0;
  let star = -1;
  let mark = 0;
  let index = 0;
  while (index < text.length) {
    const end = at < pattern.length ? fits(text.charAt(index), pattern, at) : undefined;
    if (pattern[at] === "*") {
      star = at++;
      mark = index;
    } else if (end !== undefined) {
      at = end;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++mark;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

/** Where the pattern goes on behind the one item that fits the character. */
function fits(char: string, pattern: string, at: number): number | undefined {
  if (pattern[at] === "?") return at + 1;
  const close = pattern[at] === "[" ? pattern.indexOf("]", at + 2) : -1;
  if (close < 0) return pattern[at] === char ? at + 1 : undefined;
  const negated = pattern[at + 1] === "!" || pattern[at + 1] === "^";
  let inside = false;
  for (let one = at + (negated ? 2 : 1); one < close; one++) {
    if (pattern[one + 1] === "-" && one + 2 < close) {
      inside ||= char >= (pattern[one] ?? "") && char <= (pattern[one + 2] ?? "");
      one += 2;
    } else inside ||= pattern[one] === char;
  }
  return inside === negated ? undefined : close + 1;
}
