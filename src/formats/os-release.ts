// NAME=value files: os-release(5), systemd's EnvironmentFile=, /etc/default/*, /etc/sysconfig/*.
import type { ByteString } from "./entry.ts";

const maxLines = 20_000;

/** Values of an os-release or environment file; the last assignment of a name counts. Comments and broken lines are left out. */
export function parseAssignments(text: ByteString): Record<string, ByteString> {
  const values: Record<string, ByteString> = Object.create(null);
  let lines = 0;
  for (const line of logicalLines(text)) {
    if (++lines > maxLines) break;
    const match = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(line);
    if (match?.[1] !== undefined) values[match[1]] = unquote((match[2] ?? "").trim());
  }
  return values;
}

/** As parseAssignments; the name says what the caller reads. */
export function parseOsRelease(text: ByteString): Record<string, ByteString> {
  return parseAssignments(text);
}

/** NAME=value words, as in /proc/PID/environ: nothing is unquoted. */
export function parseAssignmentList(words: readonly ByteString[]): Record<string, ByteString> {
  const values: Record<string, ByteString> = Object.create(null);
  for (const word of words) {
    const equals = word.indexOf("=");
    if (equals > 0) values[word.slice(0, equals)] = word.slice(equals + 1);
  }
  return values;
}

/** Lines with those continued by a backslash joined; comments left out. */
function* logicalLines(text: ByteString): Generator<string> {
  let pending: string[] = [];
  for (const raw of text.split("\n")) {
    const line = raw.replace(/\r$/, "");
    if (/^[ \t]*[#;]/.test(line)) continue;
    const continued = endsInBackslash(line);
    pending.push(continued ? line.slice(0, -1) : line);
    if (continued) continue;
    yield pending.join("");
    pending = [];
  }
  if (pending.length > 0) yield pending.join("");
}

/** An odd number of them: an even number is escaped backslashes. */
function endsInBackslash(line: string): boolean {
  let count = 0;
  while (line.charAt(line.length - 1 - count) === "\\") count++;
  return count % 2 === 1;
}

/** Takes the shell quoting of one value away; text after the closing quote that is no comment is kept. */
function unquote(value: string): string {
  let out = "";
  let quote = "";
  for (let at = 0; at < value.length; at++) {
    const char = value.charAt(at);
    if (char === "\\" && quote !== "'" && at + 1 < value.length) {
      out += value.charAt(++at);
    } else if (quote !== "" && char === quote) {
      quote = "";
    } else if (quote === "" && (char === '"' || char === "'")) {
      quote = char;
    } else if (quote === "" && char === "#" && /\s/.test(value.charAt(at - 1))) {
      break;
    } else {
      out += char;
    }
  }
  return out.trimEnd();
}
