// The options of log drivers: which there are, what they mean, and what is wrong with them. Pure.
import type { ContainerDefinition } from "../api/shapes.ts";

type Options = Readonly<Record<string, string>>;

export const defaultMaxSize = 10 * 2 ** 20;
export const defaultMaxFiles = 3;

const known: Readonly<Record<string, readonly string[]>> = {
  awslogs: [
    ...["awslogs-group", "awslogs-region", "awslogs-stream-prefix", "awslogs-create-group"],
    ...["mode", "max-buffer-size"],
  ],
  "json-file": ["max-size", "max-file", "mode", "max-buffer-size"],
  syslog: ["syslog-address", "syslog-facility", "syslog-format", "tag", "mode", "max-buffer-size"],
};

export const facilities: readonly string[] = [
  ...["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"],
  ...["ntp", "security", "console", "solaris-cron"],
  ...["local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"],
];

export const syslogFormats = ["rfc3164", "rfc5424", "rfc5424micro"] as const;

/** Without an address: where the node's own syslog listens. */
export const defaultSyslog = "unix:///dev/log";

/** The first thing that is wrong with the log configuration of a container. Drivers that are not known here are refused elsewhere. */
export function logProblem({ name, logConfiguration }: ContainerDefinition): string | undefined {
  if (logConfiguration === undefined) return undefined;
  const { logDriver, options = {}, secretOptions = [] } = logConfiguration;
  const names = Object.hasOwn(known, logDriver) ? known[logDriver] : undefined;
  if (names === undefined) return undefined;
  if (secretOptions.length > 0) return `logConfiguration.secretOptions (container ${name}) is not supported.`;
  const foreign = Object.keys(options).find((option) => !names.includes(option));
  if (foreign !== undefined)
    return `The option ${foreign.slice(0, 60)} of the log driver ${logDriver} (container ${name}) is not supported.`;
  const wrong = Object.entries(options).find(([option, value]) => !isRight(option, value));
  if (wrong !== undefined)
    return `Invalid value '${wrong[1].slice(0, 100)}' of the option ${wrong[0]} of the log driver ${logDriver} (container ${name}).`;
  if (logDriver === "awslogs" && options["awslogs-group"] === undefined)
    return `Log driver awslogs requires options: awslogs-group (container ${name}).`;
  return undefined;
}

function isRight(option: string, value: string): boolean {
  if (option === "max-size") return sizeOption(value) !== undefined;
  if (option === "max-file") return /^[1-9]\d{0,2}$/.test(value);
  if (option === "awslogs-group") return /^[A-Za-z0-9_/.#-]{1,512}$/.test(value);
  if (option === "awslogs-stream-prefix") return /^[^:*\p{C}]{1,200}$/u.test(value);
  if (option === "awslogs-region") return /^[a-z0-9-]{1,40}$/.test(value);
  if (option === "awslogs-create-group") return ["true", "false"].includes(value);
  if (option === "mode") return ["blocking", "non-blocking"].includes(value);
  if (option === "syslog-address") return parseSyslogAddress(value) !== undefined;
  if (option === "syslog-facility") return facilityOf(value) !== undefined;
  if (option === "syslog-format") return (syslogFormats as readonly string[]).includes(value);
  if (option === "tag") return /^[\x21-\x7e]{0,128}$/.test(value);
  return value.length <= 100;
}

/** Bytes; 0: without bound. undefined where it is no size. */
export function sizeOption(text: string): number | undefined {
  if (text === "-1") return 0;
  const [, number = "", unit = ""] = /^(\d{1,9})([kmg]?)$/i.exec(text) ?? [];
  const bytes =
    Number(number) *
    { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[unit.toLowerCase() as "" | "k" | "m" | "g"];
  return number === "" || bytes === 0 ? undefined : bytes;
}

export function facilityOf(text: string): number | undefined {
  const index = /^\d{1,2}$/.test(text) ? Number(text) : facilities.indexOf(text);
  return index >= 0 && index < facilities.length ? index : undefined;
}

export type SyslogAddress =
  | { kind: "udp"; host: string; port: number }
  | { kind: "tcp"; host: string; port: number }
  | { kind: "unix"; path: string };

export function parseSyslogAddress(text: string): SyslogAddress | undefined {
  const [, path] = /^unix:\/\/(\/[^\0]{1,106})$/.exec(text) ?? [];
  if (path !== undefined) return { kind: "unix", path };
  const [, kind, six, host, port = "514"] =
    /^(udp|tcp):\/\/(?:\[([0-9a-fA-F:]{2,45})\]|([A-Za-z0-9.-]{1,253}))(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (kind === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  return { kind: kind === "udp" ? "udp" : "tcp", host: six ?? host ?? "", port: Number(port) };
}

/** As the real agent names streams: PREFIX/CONTAINER/TASK; without a prefix as the engine does, by the container's id. */
export function streamOf(options: Options, task: string, container: string, runtimeId: string): string {
  const prefix = options["awslogs-stream-prefix"];
  return prefix === undefined ? runtimeId : `${prefix}/${container}/${task}`;
}
