// Patterns of paths as rsync has them (rsync(1), PATTERN MATCHING RULES; matched as its exclude.c and lib/wildmatch.c do), compiled
// to regular expressions over byte strings.
//
// A slash in front: from the root. Without: at any directory. `*` and `?` stay within a name, `**` does not, `[a-z]` is one
// character but a slash. A slash at the end: directories only. `dir/***` is the directory and all below it. A backslash takes a wildcard's
// meaning away where the pattern has one; elsewhere it is a backslash.
import type { ByteString } from "./entry.ts";

export interface PathPattern {
  /** path is absolute, without a slash at the end. What is below a directory that fits is not asked here. */
  fits(path: ByteString, isDirectory: boolean): boolean;
  /** A directory that holds all that can fit. */
  base: ByteString;
  /** A class is not closed, or a backslash stands at the end: as with rsync nothing fits. */
  broken: boolean;
}

export const maxPatternLength = 4096;

/** undefined where nothing can fit: an empty pattern, or one that is too long. */
export function pathPattern(pattern: ByteString): PathPattern | undefined {
  const onlyDirectories = pattern.endsWith("/") && pattern.length > 1;
  const body = onlyDirectories ? pattern.slice(0, -1) : pattern;
  if (body === "" || body === "/" || body.length > maxPatternLength) return undefined;
  const wild = /[*[?]/.test(body);
  const source = wild ? wildSource(body) : literal(body);
  const anchored = body.startsWith("/");
  const head = headSource(body, wild);
  const expression = source === undefined ? undefined : new RegExp(`${head}${source}$`);
  const withSlash = wild && body.endsWith("***");
  return {
    fits: (path, isDirectory) => {
      if (expression === undefined || (onlyDirectories && !isDirectory)) return false;
      return expression.test(withSlash && isDirectory ? `${path}/` : path);
    },
    broken: expression === undefined,
    base: anchored ? baseOf(body, wild) : "/",
  };
}

/** Where a pattern begins: two stars in front fit from the root on, others behind a slash; without ** as many names as it has. */
function headSource(body: ByteString, wild: boolean): string {
  if (body.startsWith("/") || (wild && body.startsWith("**"))) return "^";
  const slashes = body.split("/").length - 1;
  return slashes > 0 && !body.includes("**") ? `/(?=[^/]*(?:/[^/]*){${slashes}}$)` : "/";
}

function baseOf(body: ByteString, wild: boolean): ByteString {
  if (!wild) return body;
  const fixed = /^[^*[?\\]*/.exec(body)?.[0] ?? "";
  return fixed.slice(0, fixed.lastIndexOf("/")) || "/";
}

function literal(text: ByteString): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

/** undefined where a class is not closed: then nothing fits. */
function wildSource(body: ByteString): string | undefined {
  let source = "";
  for (let at = 0; at < body.length; ) {
    const char = body[at] ?? "";
    if (char === "*") {
      const stars = /^\*+/.exec(body.slice(at))?.[0].length ?? 1;
      source += stars > 1 ? "[^]*" : "[^/]*";
      at += stars;
    } else if (char === "?") {
      source += "[^/]";
      at++;
    } else if (char === "[") {
      const found = classSource(body, at);
      if (found === undefined) return undefined;
      source += found.source;
      at = found.end;
    } else if (char === "\\") {
      // At the end it stands for nothing that can fit.
      if (at + 1 >= body.length) return undefined;
      source += literal(body[at + 1] ?? "");
      at += 2;
    } else {
      source += literal(char);
      at++;
    }
  }
  return source;
}

const named: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  blank: " \\t",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\s",
  upper: "A-Z",
  xdigit: "0-9A-Fa-f",
};

/** A class such as [a-z], [!x], [[:digit:]_], from its bracket on. */
function classSource(body: ByteString, from: number): { source: string; end: number } | undefined {
  let at = from + 1;
  const negated = body[at] === "!" || body[at] === "^";
  if (negated) at++;
  let inside = "";
  let last: string | undefined;
  for (let first = true; at < body.length; first = false) {
    const char = body[at] ?? "";
    if (char === "]" && !first) {
      const source = negated ? `(?!\\/)[^${inside}]` : inside === "" ? "(?!)" : `(?!\\/)[${inside}]`;
      return { source, end: at + 1 };
    }
    const name = char === "[" && body[at + 1] === ":" ? /^\[:([^\]]*):\]/.exec(body.slice(at)) : null;
    if (name !== null) {
      const part = Object.hasOwn(named, name[1] ?? "") ? named[name[1] ?? ""] : undefined;
      if (part === undefined) return undefined;
      inside += part;
      at += name[0].length;
      last = undefined;
      continue;
    }
    if (char === "-" && last !== undefined && at + 1 < body.length && body[at + 1] !== "]") {
      const end = literalAt(body, at + 1);
      if (end === undefined) return undefined;
      // A range that runs backwards holds nothing.
      if (last <= end.char) inside += `${hex(last)}-${hex(end.char)}`;
      at = end.next;
      last = undefined;
      continue;
    }
    const found = literalAt(body, at);
    if (found === undefined) return undefined;
    inside += hex(found.char);
    last = found.char;
    at = found.next;
  }
  return undefined;
}

function literalAt(body: ByteString, at: number): { char: string; next: number } | undefined {
  const escaped = body[at] === "\\";
  const char = body[escaped ? at + 1 : at];
  return char === undefined ? undefined : { char, next: at + (escaped ? 2 : 1) };
}

function hex(char: string): string {
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
