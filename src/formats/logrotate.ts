// Rules of logrotate(8): which files they rotate, and what they run. Directives beyond that are its own business.
import type { ByteString } from "./entry.ts";

export interface LogrotateRules {
  /** Patterns of files, absolute. */
  files: ByteString[];
  /** The lines of its scripts (postrotate and its like), as /bin/sh is given them. */
  scripts: ByteString;
  /** Whether any of them compresses: with gzip, unless compresscmd says otherwise. */
  compresses: boolean;
  /** Programs that directives name. */
  programs: ByteString[];
}

const most = 1000;
const scriptBegins = /^\s*(postrotate|prerotate|firstaction|lastaction|preremove)\b/;

export function parseLogrotate(text: ByteString): LogrotateRules {
  const rules: LogrotateRules = { files: [], scripts: "", compresses: false, programs: [] };
  let inScript = false;
  let inBlock = false;
  for (const line of text.split("\n")) {
    if (inScript) {
      if (!/^\s*endscript\b/.test(line)) {
        rules.scripts += `${line}\n`;
        continue;
      }
      inScript = false;
      // A last line that would go on goes on nowhere: the next script is another.
      if (rules.scripts.endsWith("\\\n")) rules.scripts += "\n";
      continue;
    }
    const words = line.replace(/^\s*#.*$/, "");
    if (scriptBegins.test(words)) {
      inScript = true;
      continue;
    }
    const [, program] = /^\s*(?:un)?compresscmd\s+(\/\S+)/.exec(words) ?? [];
    if (program !== undefined) rules.programs.push(program);
    if (/^\s*compress\s*$/.test(words)) rules.compresses = true;
    if (!inBlock) rules.files.push(...pathsOf(words.split("{", 1)[0] ?? ""));
    if (words.includes("{")) inBlock = true;
    if (words.includes("}")) inBlock = false;
  }
  rules.files = rules.files.slice(0, most);
  return rules;
}

/** Before a block stand paths alone, bare or in quotes; what does not begin with / is a directive. */
function pathsOf(text: ByteString): ByteString[] {
  if (!/^\s*["']?\//.test(text)) return [];
  return [...text.matchAll(/"(\/[^"]*)"|'(\/[^']*)'|(\/\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? "",
  );
}
