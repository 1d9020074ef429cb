// Paths that a plan may name.
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";

/** A plan is edited by people and may come from anywhere: what it names lies below the machine's root and is told once. */
export function refuseHostilePaths(paths: readonly ByteString[], name: string): void {
  for (const path of paths) {
    const problem = pathProblem(path);
    if (problem === undefined) continue;
    throw new TranshipError("E_PLAN_INVALID", `${name}: ${escapeBytes(path.slice(0, 200))}: ${problem}`, {
      hint: "remove the line from the plan",
      details: { path: path.slice(0, 4096) },
    });
  }
}

function pathProblem(path: ByteString): string | undefined {
  if (path.length > 65_535) return `a path of ${path.length} bytes`;
  const parts = path.slice(1).split("/");
  if (path !== "/" && parts.some((part) => part === "" || part === "." || part === ".."))
    return "not a canonical path";
  if (path.includes("\0")) return "a path cannot hold a zero byte";
  if (parts.some((part) => part.length > 255)) return "a name of more than 255 bytes";
  if (/^\/(proc|sys|dev)\/./.test(path)) return "lives only while a system runs";
  if (/^\/\.tranship(\/|$)/.test(path)) return "the place of Tranship's own files";
  return undefined;
}
