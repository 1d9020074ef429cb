// The flag --redirect as a value. Pure.
import { TranshipError } from "../../base/errors.ts";
import type { FileRedirection } from "../../package/descriptor.ts";
import { cleanPath } from "../../redirect/rules.ts";
import type { GivenRule } from "./choose.ts";

const modes: ReadonlySet<string> = new Set<FileRedirection["mode"]>([
  "full",
  "write-copy",
  "merged",
  "hide",
  "read-only",
]);

/** FROM=TO[:MODE], FROM=:hide. A name with "=" or a mode's name behind a colon is for a descriptor. */
export function parseRedirect(text: string): GivenRule {
  const [, from = "", rest = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const colon = rest.lastIndexOf(":");
  const word = rest.slice(colon + 1);
  const named = colon >= 0 && modes.has(word);
  const mode = (named ? word : "full") as FileRedirection["mode"];
  const to = named ? rest.slice(0, colon) : rest;
  const hides = mode === "hide";
  if (!from.startsWith("/") || (hides ? to !== "" : !to.startsWith("/"))) throw invalid(text);
  return { from: cleaned(text, from), to: hides ? "/" : cleaned(text, to), mode };
}

function cleaned(text: string, path: string): string {
  try {
    return cleanPath(path);
  } catch {
    throw invalid(text);
  }
}

function invalid(text: string): TranshipError {
  return new TranshipError("E_USAGE", `not a redirection: ${JSON.stringify(text)}`, {
    hint: "write FROM=TO, FROM=TO:MODE (full, write-copy, merged, read-only) or FROM=:hide, with absolute paths",
  });
}
