// System V init: scripts with LSB headers, rc?.d links, inittab; and xinetd's service blocks.
import type { ByteString } from "./entry.ts";

export interface InitScript {
  provides: string[];
  requiredStart: string[];
  requiredStop: string[];
  shouldStart: string[];
  defaultStart: string[];
  defaultStop: string[];
  description: ByteString;
  /** True where a `### BEGIN INIT INFO` or a chkconfig line was found. */
  hasHeader: boolean;
  /** The program it starts, where a DAEMON= or start-stop-daemon line says so. */
  daemon: ByteString | undefined;
  pidFile: ByteString | undefined;
}

/** Reads what can be read without running the script; variables are followed one level deep. */
export function parseInitScript(text: ByteString): InitScript {
  const head = text.slice(0, 262_144);
  const header = lsbHeader(head);
  const words = (key: string): string[] => (header[key] ?? "").split(/\s+/).filter((word) => word !== "");
  const chkconfig = /^#\s*chkconfig:\s*(\S+)/m.exec(head)?.[1];
  const variables = shellVariables(head);
  const daemonVariable = [
    "DAEMON",
    "daemon",
    "DAEMON_BIN",
    "BIN",
    "EXEC",
    "exec",
    "PROG_BIN",
    "httpd",
    "HTTPD",
  ]
    .map((name) => variables[name])
    .find((value) => value?.startsWith("/"));
  return {
    provides: words("provides"),
    requiredStart: words("required-start"),
    requiredStop: words("required-stop"),
    shouldStart: words("should-start"),
    defaultStart:
      header["default-start"] === undefined && chkconfig !== undefined
        ? runlevels(chkconfig)
        : words("default-start"),
    defaultStop: words("default-stop"),
    description:
      header["short-description"] ??
      header.description ??
      /^#\s*description:\s*(.*?)\\?$/m.exec(head)?.[1] ??
      "",
    hasHeader: Object.keys(header).length > 0 || chkconfig !== undefined,
    daemon: daemonVariable ?? startStopDaemon(head, variables),
    pidFile: pidFileOf(head, variables),
  };
}

/** By its usual variables, chkconfig's comment, any variable that holds one, or the first that a command names. */
function pidFileOf(text: string, variables: Record<string, string>): string | undefined {
  const named = ["PIDFILE", "pidfile", "PID_FILE", "PID"].map((name) => variables[name]);
  return (
    named.find((value) => value?.startsWith("/")) ??
    /^#\s*pidfile:\s*(\/\S+)/m.exec(text)?.[1] ??
    Object.values(variables).find((value) => /^\/[^\s$`]+\.pid$/.test(value)) ??
    /^[^#\n]{0,1000}?(\/(?:var\/)?run\/[\w./@+-]{1,200}\.pid)\b/m.exec(text)?.[1]
  );
}

function lsbHeader(text: string): Record<string, string> {
  const header: Record<string, string> = Object.create(null);
  const begin = text.indexOf("### BEGIN INIT INFO");
  const end = text.indexOf("### END INIT INFO", begin);
  if (begin < 0 || end < 0) return header;
  for (const line of text.slice(begin, end).split("\n").slice(1)) {
    const match = /^#\s*([A-Za-z-]+):\s*(.*)$/.exec(line);
    if (match?.[1] !== undefined) header[match[1].toLowerCase()] = (match[2] ?? "").trim();
  }
  return header;
}

function runlevels(text: string): string[] {
  return text === "-" ? [] : text.split("");
}

/** Assignments at the start of a line, with $NAME of earlier ones put in; the first that gives a value counts. */
function shellVariables(text: string): Record<string, string> {
  const values: Record<string, string> = Object.create(null);
  for (const match of text.matchAll(
    /^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w{0,63})=("[^"\n]{0,4096}"|'[^'\n]{0,4096}'|[^\s;#]{0,4096})/gm,
  )) {
    const name = match[1] ?? "";
    const raw = match[2] ?? "";
    if (values[name] !== undefined && values[name] !== "") continue;
    values[name] = raw.startsWith("'") ? raw.slice(1, -1) : expand(raw.replace(/^"(.*)"$/s, "$1"), values);
  }
  return values;
}

/** $NAME, ${NAME}, ${NAME:-default} and ${NAME-default}; a result of a command stays as it stands. */
function expand(text: string, values: Record<string, string>): string {
  return text
    .replace(/\$\{([A-Za-z_]\w*)(?::?-([^}]*))?\}|\$([A-Za-z_]\w*)/g, (_found, braced, fallback, plain) =>
      (values[braced ?? plain] || fallback || "").slice(0, 4096),
    )
    .slice(0, 4096);
}

function startStopDaemon(text: string, values: Record<string, string>): string | undefined {
  const match = /start-stop-daemon\b[^\n]{0,2000}?(?:--exec|-x|--startas|-a)[ =]+["']?([^\s"']{1,1024})/.exec(
    text,
  );
  const program = expand(match?.[1] ?? "", values);
  return program.startsWith("/") ? program : undefined;
}

export interface RcLink {
  /** "2" of rc2.d, "S" of rcS.d. */
  runlevel: string;
  start: boolean;
  order: number;
  script: ByteString;
}

/** From a link's name in rc?.d, for example S20apache2. */
export function parseRcLink(runlevel: string, name: ByteString): RcLink | undefined {
  const match = /^([SK])(\d\d)(.+)$/s.exec(name);
  if (match === null) return undefined;
  return { runlevel, start: match[1] === "S", order: Number(match[2]), script: match[3] ?? "" };
}

export interface InittabEntry {
  id: ByteString;
  runlevels: string;
  action: string;
  process: ByteString;
}

export function parseInittab(text: ByteString): InittabEntry[] {
  const entries: InittabEntry[] = [];
  for (const line of text.split("\n").slice(0, 10_000)) {
    const match = /^([^#:\s][^:]{0,13}):([^:]*):([a-z]+):(.*)$/.exec(line);
    if (match === null) continue;
    entries.push({
      id: match[1] ?? "",
      runlevels: match[2] ?? "",
      action: match[3] ?? "",
      process: match[4] ?? "",
    });
  }
  return entries;
}

export interface XinetdService {
  name: ByteString;
  attributes: Record<string, ByteString>;
}

export function parseXinetd(text: ByteString): XinetdService[] {
  const services: XinetdService[] = [];
  let current: XinetdService | undefined;
  for (const line of text.split("\n").slice(0, 20_000)) {
    const trimmed = line.trim();
    if (trimmed.startsWith("#") || trimmed === "{") continue;
    const header = /^service\s+(\S+?)\s*\{?$/.exec(trimmed);
    if (header?.[1] !== undefined) {
      current = { name: header[1], attributes: Object.create(null) };
      services.push(current);
    } else if (trimmed === "}") {
      current = undefined;
    } else if (current !== undefined) {
      const match = /^(\w+)\s*[-+]?=\s*(.*)$/.exec(trimmed);
      if (match?.[1] !== undefined) current.attributes[match[1]] = match[2] ?? "";
    }
  }
  return services;
}
