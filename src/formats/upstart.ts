// Jobs of upstart (/etc/init/*.conf): stanzas of one line, and those with a script of shell up to "end script". Nothing here reads a file.
import type { ByteString } from "./entry.ts";

export interface UpstartCommand {
  /** script: lines of shell, started with -e; exec: one line, through a shell where it has its signs. */
  kind: "exec" | "script";
  text: ByteString;
}

export interface UpstartJob {
  description: ByteString;
  /** "" where no event starts it. */
  startOn: ByteString;
  main: UpstartCommand | undefined;
  preStart: UpstartCommand | undefined;
  /** post-start, pre-stop and post-stop, which nobody carries over. */
  others: string[];
  respawn: boolean;
  /** Restarts, and in how many seconds; undefined as upstart has it. */
  respawnLimit: { count: number; seconds: number } | undefined;
  expect: "" | "fork" | "daemon" | "stop";
  task: boolean;
  user: ByteString;
  group: ByteString;
  directory: ByteString;
  umask: ByteString;
  environment: Record<string, ByteString>;
  killSignal: ByteString;
  /** Seconds. */
  killTimeout: number | undefined;
  /** Soft limits by their names: nofile ... */
  limits: Record<string, number>;
  /** A pattern of jobs: needs variables that its starter gives. */
  instance: boolean;
}

const maxLines = 20_000;
const prefixes = ["pre-start", "post-start", "pre-stop", "post-stop"];

export function parseUpstart(text: ByteString): UpstartJob {
  const job: UpstartJob = {
    description: "", startOn: "", main: undefined, preStart: undefined, others: [], respawn: false, respawnLimit: undefined,
    expect: "", task: false, user: "", group: "", directory: "", umask: "", environment: Object.create(null), killSignal: "",
    killTimeout: undefined, limits: Object.create(null), instance: false,
  }; // biome-ignore format: short
  const lines = text.split("\n").slice(0, maxLines);
  for (let at = 0; at < lines.length; at++) {
    let line = (lines[at] ?? "").trim();
    if (line === "" || line.startsWith("#")) continue;
    const prefix = prefixes.find((one) => line.startsWith(`${one} `));
    const stanza = prefix === undefined ? line : line.slice(prefix.length).trim();
    if (/^script$/.test(stanza)) {
      const end = lines.findIndex((one, index) => index > at && /^\s*end\s+script\s*$/.test(one));
      const last = end < 0 ? lines.length : end;
      keep(job, prefix, { kind: "script", text: lines.slice(at + 1, last).join("\n") });
      at = last;
      continue;
    }
    while (line.endsWith("\\") && at + 1 < lines.length)
      line = `${line.slice(0, -1)} ${(lines[++at] ?? "").trim()}`;
    // An event may go on in brackets over lines.
    while (/^start\s+on\b/.test(line) && open(line) > 0 && at + 1 < lines.length)
      line += ` ${(lines[++at] ?? "").trim()}`;
    const exec = /^exec\s+(.+)$/s.exec(prefix === undefined ? line : line.slice(prefix.length).trim())?.[1];
    if (exec !== undefined) keep(job, prefix, { kind: "exec", text: exec });
    else setting(job, line);
  }
  return job;
}

function open(line: string): number {
  return (line.match(/\(/g)?.length ?? 0) - (line.match(/\)/g)?.length ?? 0);
}

function keep(job: UpstartJob, prefix: string | undefined, command: UpstartCommand): void {
  if (prefix === undefined) job.main = command;
  else if (prefix === "pre-start") job.preStart = command;
  else job.others.push(prefix);
}

function setting(job: UpstartJob, line: ByteString): void {
  const [, word = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
  const value = unquoted(rest.trim());
  switch (word) {
    case "description":
      job.description = value;
      break;
    case "start":
      if (rest.startsWith("on")) job.startOn = rest.slice(2).trim();
      break;
    case "respawn":
      limitOrFlag(job, rest);
      break;
    case "expect":
      if (value === "fork" || value === "daemon" || value === "stop") job.expect = value;
      break;
    case "task":
      job.task = true;
      break;
    case "instance":
      job.instance = true;
      break;
    case "setuid":
      job.user = value;
      break;
    case "setgid":
      job.group = value;
      break;
    case "chdir":
      job.directory = value;
      break;
    case "umask":
      job.umask = value;
      break;
    case "env":
      variable(job, rest);
      break;
    case "kill":
      kill(job, rest);
      break;
    case "limit":
      limit(job, rest);
      break;
  }
}

function limitOrFlag(job: UpstartJob, rest: string): void {
  const [, count, seconds] = /^limit\s+(\d{1,6})\s+(\d{1,6})/.exec(rest) ?? [];
  if (count !== undefined) job.respawnLimit = { count: Number(count), seconds: Number(seconds) };
  else if (rest === "") job.respawn = true;
}

function variable(job: UpstartJob, rest: ByteString): void {
  const [, name, value = ""] = /^([A-Za-z_]\w*)=(.*)$/s.exec(rest) ?? [];
  if (name !== undefined) job.environment[name] = unquoted(value.trim());
}

function kill(job: UpstartJob, rest: string): void {
  const [, what, value = ""] = /^(signal|timeout)\s+(\S+)/.exec(rest) ?? [];
  if (what === "signal") job.killSignal = value;
  if (what === "timeout" && /^\d{1,6}$/.test(value)) job.killTimeout = Number(value);
}

function limit(job: UpstartJob, rest: string): void {
  const [, name, soft] = /^([a-z]+)\s+(\d{1,15})\s+\S+/.exec(rest) ?? [];
  if (name !== undefined) job.limits[name] = Number(soft);
}

function unquoted(text: ByteString): ByteString {
  return /^(["'])(.*)\1$/s.exec(text)?.[2] ?? text;
}
