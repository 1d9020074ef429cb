// Lines as messages of syslog: RFC 5424, and the older form of RFC 3164. Pure.
import { facilityOf } from "./log-options.ts";

export interface SyslogForm {
  format: string | undefined;
  facility: number;
  tag: string;
  /** Of the node; messages to a socket of this machine have none. */
  host: string | undefined;
}

export interface SyslogLine {
  /** RFC 3339. */
  time: string;
  stream: "stdout" | "stderr";
  text: string;
}

const [error, informational] = [3, 6];
const daemon = 3;
const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** As the engine's own driver words it: without a newline at the end, and one message a line. */
export function syslogMessage({ format, facility, tag, host }: SyslogForm, line: SyslogLine): string {
  const priority = priorityOf(facility, line);
  const text = plain(line);
  if (format?.startsWith("rfc5424")) {
    const digits = format === "rfc5424micro" ? 6 : 0;
    return `${priority}1 ${stamp(line.time, digits)} ${host ?? "-"} ${tag} - ${tag} - ${text}`;
  }
  const at = new Date(line.time);
  const two = (number: number): string => String(number).padStart(2, "0");
  const when = `${months[at.getMonth()]} ${String(at.getDate()).padStart(2)} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${priority}${when} ${host === undefined ? "" : `${host} `}${tag}: ${text}`;
}

/** As logger(1) reads it with --prio-prefix. */
export function loggerLine({ facility }: SyslogForm, line: SyslogLine): string {
  return priorityOf(facility, line) + plain(line);
}

function priorityOf(facility: number, { stream }: SyslogLine): string {
  return `<${facility * 8 + (stream === "stderr" ? error : informational)}>`;
}

function plain({ text }: SyslogLine): string {
  return text.replace(/[\r\n]+$/, "").replace(/[\0\r\n]/g, " ");
}

function stamp(time: string, digits: number): string {
  const [, whole = "", fraction = ""] = /^([^.Z]+)(?:\.(\d+))?Z$/.exec(time) ?? [];
  return digits === 0 ? `${whole}Z` : `${whole}.${fraction.padEnd(digits, "0").slice(0, digits)}Z`;
}

/** `{{.ID}}`, `{{.FullID}}`, `{{.Name}}` and `{{.ImageName}}` of the option `tag`; without it the short id. */
export function syslogTag(
  template: string | undefined,
  { id, name, image }: { id: string; name: string; image: string },
): string {
  const values: Record<string, string> = { ID: id.slice(0, 12), FullID: id, Name: name, ImageName: image };
  return (template ?? "{{.ID}}").replace(
    /\{\{\s*\.(ID|FullID|Name|ImageName)\s*\}\}/g,
    (_, key) => values[key] ?? "",
  );
}

export const syslogFacility = (option: string | undefined): number =>
  facilityOf(option ?? "daemon") ?? daemon;
