// Path globs of --include and --exclude: * within a name, ** across names, ? one character; a directory means all below it.
import type { ByteString } from "../formats/entry.ts";
import { unescapeBytes } from "../formats/escape.ts";

export function globMatcher(globs: readonly string[]): (path: ByteString) => boolean {
  const patterns = globs.map((glob) => {
    const source = unescapeBytes(glob.replace(/\/+$/, "")).replace(/[.+^${}()|[\]\\]/g, "\\$&");
    const body = source.replace(/\*\*|\*|\?/g, (wild) =>
      wild === "**" ? "[^]*" : wild === "*" ? "[^/]*" : "[^/]",
    );
    return new RegExp(`^${body}(/[^]*)?$`);
  });
  return (path) => patterns.some((pattern) => pattern.test(path));
}

/** The part of a glob before its first wildcard's directory: where a walk for it can begin. */
export function globBase(glob: string): ByteString {
  const fixed = glob.split(/[*?]/)[0] ?? "";
  if (fixed === glob) return unescapeBytes(glob.replace(/\/+$/, "") || "/");
  return unescapeBytes(fixed.slice(0, fixed.lastIndexOf("/")) || "/");
}
