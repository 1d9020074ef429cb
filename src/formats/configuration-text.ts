// Names in configuration files of any server: absolute paths, what is included, and names relative to a directory that the file sets.
// Each server has a syntax of its own; what they share is a line with a directive and its arguments. Nothing here reads a file.
import type { ByteString } from "./entry.ts";

export interface ConfigurationNames {
  /** Absolute paths of lines that are in force. */
  active: ByteString[];
  /** Absolute paths of comments alone. */
  commented: ByteString[];
  /** Arguments of include directives: paths or patterns, relative to one of the bases where they do not begin with a slash. */
  includes: ByteString[];
  /** Words that may be names relative to a base. */
  relative: ByteString[];
}

const maxLine = 4096;

/** At most `limit` names of each kind, in the order of the text, each once. */
export function findConfigurationNames(text: string, limit: number): ConfigurationNames {
  const names = { active: new Set<string>(), commented: new Set<string>() };
  const includes = new Set<string>();
  const relative = new Set<string>();
  for (const whole of text.split("\n")) {
    const line = whole.slice(0, maxLine);
    const comment = /^\s*(#|;|\/\/)/.test(line);
    const include = comment ? [] : includesOf(line);
    const rest = include.length > 0 ? "" : line;
    for (const name of include) if (includes.size < limit) includes.add(name);
    const into = comment ? names.commented : names.active;
    for (const path of absoluteIn(rest)) if (into.size < limit) into.add(path);
    if (comment || relative.size >= limit) continue;
    for (const match of rest.matchAll(relativeName)) relative.add(match[1] ?? match[2] ?? "");
  }
  for (const path of names.active) names.commented.delete(path);
  return { active: [...names.active], commented: [...names.commented], includes: [...includes], relative: [...relative] }; // biome-ignore format: short
}

/** Of a directory and a name, or with an ending that configurations name files by. */
const relativeName =
  /(?<![\w/.$%+@:-])(?:([\w+@][\w.+@-]*(?:\/[\w+@][\w.+@-]*)+)|([\w+@][\w.+@-]*\.(?:conf|cnf|cf|cfg|ini|pem|crt|cert|key|db|zone|hints|so|types|map|list|acl|inc|tpl|html?|xml|properties|policy|jks|p12|keytab|lua|rb|py|pl|ya?ml|json)))(?=[\s"';,)>\]}]|$)/g;

function* absoluteIn(line: string): Generator<ByteString> {
  for (const match of line.matchAll(
    /(["'])(\/[^"']+)\1|(?<![\w.:/$}*-])(\/[^\s"'`,;:=<>(){}[\]|&*?$\\]+)/g,
  )) {
    const path = (match[2] ?? match[3] ?? "").replace(/[.)\]]+$/, "").replace(/(.)\/+$/, "$1");
    if (path.length >= 3 && !path.startsWith("//")) yield path;
  }
}

/** Apache, nginx, php-fpm, MariaDB, PostgreSQL, BIND, Dovecot, exim, HAProxy, supervisor, OpenSSH, samba, lighttpd, dnsmasq, rsyslog. */
const include =
  /^\s*[!.$@]?(?:include(?:optional|dir|_dir|_if_exists|_try|config)?|source|files|conf-(?:dir|file)|(?:server|vhost)_conf_dir)(?:\s*[=:]\s*|\s+|(?=["'<]))(.+)$/i;

function includesOf(line: string): ByteString[] {
  const rest = include.exec(line)?.[1];
  if (rest === undefined) return [];
  const found: ByteString[] = [];
  for (const match of rest.matchAll(/"([^"]+)"|'([^']+)'|<([^>]+)>|([^\s"';,<>{}]+)/g)) {
    const word = (match[1] ?? match[2] ?? match[3] ?? match[4] ?? "").replace(/(.)\/+$/, "$1");
    if (word.startsWith("#")) break;
    // include keyed to words ("include = yes", "include option") names no file.
    if (/[/.*]/.test(word) && !word.includes("$") && !word.startsWith("//")) found.push(word);
  }
  return found;
}

/** Directories that relative names of the file start from. */
export function baseDirectories(text: string): ByteString[] {
  return settings(
    text,
    /(?:^|[{;])\s*(?:set\s+)?(?:ServerRoot|directory|prefix|basedir|base_dir|config_dir(?:ectory)?|home_dir|working_?directory|chdir|cwd|server\.modules-dir)\s*[=:\s]\s*["']?(\/[^"'\s;]+)/i,
  );
}

/** Directories that the server makes its root: its absolute names may be meant inside of them. */
export function rootDirectories(text: string): ByteString[] {
  return settings(
    text,
    /(?:^|[{;])\s*(?:server\.)?(?:chroot|chroot_?dir(?:ectory)?|secure_chroot_dir|RootDirectory|SecChrootDir)\s*[=:\s]\s*["']?(\/[^"'\s;]+)/i,
  );
}

function settings(text: string, pattern: RegExp): ByteString[] {
  const found = new Set<ByteString>();
  for (const line of text.split("\n")) {
    const path = pattern.exec(line.slice(0, maxLine))?.[1]?.replace(/(.)\/+$/, "$1");
    if (path !== undefined && path.length > 1 && found.size < 16) found.add(path);
  }
  return [...found];
}

/**
 * Puts in what ${NAME}, %(name)s and, where the text sets it, $name stand for; a reference to a name that nobody gave stays as it is. Names
 * that the text defines count from there on: Define NAME value, set $name value, NAME=value.
 */
export function expandReferences(text: string, given: (name: string) => ByteString | undefined): string {
  if (!/[$%][{(\w]/.test(text)) return text;
  const own = new Map<string, ByteString>();
  const lines: string[] = [];
  let grown = 0;
  for (const line of text.split("\n")) {
    const expanded = grown > text.length + (1 << 20) ? line : expandLine(line, own, given);
    grown += Math.max(0, expanded.length - line.length);
    const define = definition.exec(expanded.slice(0, maxLine));
    const name = define?.[1] ?? define?.[3] ?? define?.[5];
    const value = define?.[2] ?? define?.[4] ?? define?.[6];
    if (name !== undefined && value !== undefined && own.size < 1000) own.set(name, value);
    lines.push(expanded);
  }
  return lines.join("\n");
}

const definition =
  /^\s*(?:Define\s+(\w+)\s+"?([^"\s]+)"?|set\s+(\$\w+)\s+["']?([^"';\s]+)["']?\s*;|(?:export\s+)?([A-Za-z][\w.]*)\s*=\s*["']?([^"'\s;#]+))/;

function expandLine(
  line: string,
  own: ReadonlyMap<string, ByteString>,
  given: (name: string) => ByteString | undefined,
): string {
  return line.replace(/\$\{([A-Za-z][\w.]*)\}|%\(([A-Za-z]\w*)\)s|(\$[A-Za-z]\w*)/g, (whole, ...names) => {
    const name = (names[0] ?? names[1] ?? names[2]) as string;
    const value = own.get(name) ?? own.get(`$${name}`) ?? given(name);
    return value === undefined || value.includes("\0") || value.length > maxLine ? whole : value;
  });
}
