// Absolute paths that a configuration file sets, each with the name of its setting: `datadir = /srv/sql`, `dir /srv/cache`,
// `dbPath: "/srv/mongo"`, `<dataDir>/srv/solr</dataDir>`, `["/srv/a", "/srv/b"]`. Nothing here reads a file.
import type { ByteString } from "./entry.ts";

export interface PathSetting {
  /** As the file has it; "" where a path stands alone. */
  key: string;
  path: ByteString;
}

const maxLine = 4096;

/** Of lines that are in force, in their order; at most `limit`. */
export function findPathSettings(text: string, limit: number): PathSetting[] {
  const found: PathSetting[] = [];
  /** What the lines of a list belong to. */
  let above = "";
  for (const whole of text.split("\n")) {
    const line = whole.slice(0, maxLine);
    if (/^\s*(#|;|\/\/|<!--|--)/.test(line)) continue;
    const key = keyOf(line);
    if (key !== undefined) above = key;
    for (const match of line.matchAll(absolute)) {
      const path = (match[2] ?? match[3] ?? "").replace(/[.)\]]+$/, "").replace(/(.)\/+$/, "$1");
      if (path.length < 2 || path.startsWith("//")) continue;
      if (found.length >= limit) return found;
      found.push({
        key: nearest(line.slice(Math.max(0, match.index - 256), match.index)) ?? key ?? above,
        path,
      });
    }
  }
  return found;
}

/** In quotes it may have spaces. What comes behind a letter or a colon is a part of something else: a URL, a relative name. */
const absolute = /(["'])(\/[^"']+)\1|(?<![\w.:/$}*-])(\/[^\s"'`,;=<>(){}[\]|&*?$\\]+)/g;

/** What the line sets: its first word, where a value follows it or, for a list, nothing. */
function keyOf(line: string): string | undefined {
  return /^\s*(?:set\s+|export\s+)?[<"']?([A-Za-z_][\w.-]*)["'>]?\s*(?:[=:]|\s|$)/.exec(line)?.[1];
}

/** Several settings stand in one line of XML or JSON: the name right before the path counts. */
function nearest(before: string): string | undefined {
  return /([A-Za-z_][\w.-]*)["']?\s*(?:[=:]\s*|>\s*)["']?$/.exec(before)?.[1];
}

/** Users whom the text makes a server run as: `user = mysql`, `User www-data`, `export APACHE_RUN_USER=www-data`. */
export function findRunUsers(text: string): Set<string> {
  const found = new Set<string>();
  for (const [, name = ""] of text.matchAll(
    /^[ \t]*(?:export[ \t]+)?["']?(?:\w*_)?(?:run[_-]?as|user(?:name)?|setuid|run[_-]?user|uid)["']?(?:[ \t]*[=:][ \t]*|[ \t]+)["']?([A-Za-z_][\w-]{0,31})["']?\s*(?:[;,#\s]|$)/gim,
  ))
    if (found.size < 100) found.add(name);
  return found;
}
