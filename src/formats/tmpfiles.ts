// tmpfiles.d(5): what is to be made at boot.
import type { ByteString } from "./entry.ts";
import { splitWords } from "./words.ts";

export interface TmpfilesLine {
  /** First letter: d, D, e, f, L, z ... */
  type: string;
  path: ByteString;
  /** Permission bits; undefined where `-`. */
  mode: number | undefined;
  user: ByteString;
  group: ByteString;
  age: ByteString;
  argument: ByteString;
}

export function parseTmpfiles(text: ByteString): TmpfilesLine[] {
  const lines: TmpfilesLine[] = [];
  for (const line of text.split("\n").slice(0, 10_000)) {
    if (/^\s*(#|$)/.test(line)) continue;
    const words = splitWords(line).map((word) => word.text);
    const [type = "", path = "", mode = "-", user = "-", group = "-", age = "-"] = words;
    if (!/^[A-Za-z][+!=~^$-]*$/.test(type) || !path.startsWith("/") || path.length > 4096) continue;
    const digits = /^[~:]*([0-7]{3,5})$/.exec(mode)?.[1];
    lines.push({
      type: type.charAt(0),
      path: path.replace(/\/+$/, "") || "/",
      mode: digits === undefined ? undefined : Number.parseInt(digits, 8) & 0o7777,
      user: user === "-" ? "root" : user.replace(/^:/, ""),
      group: group === "-" ? "root" : group.replace(/^:/, ""),
      age,
      argument: words.slice(6).join(" "),
    });
  }
  return lines;
}
