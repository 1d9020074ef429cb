// crontab(5) and anacrontab(5): text into jobs.
import type { ByteString } from "./entry.ts";

/** What is read of one table; a longer one is cut and says so. */
export const maxCronJobs = 10_000;
const maxVariables = 1000;

export interface CronJob {
  /** Five fields or a nickname such as @daily. */
  schedule: string;
  /** System tables only. */
  user: ByteString | undefined;
  /** As written: `%` is cron's, see cronCommand(). */
  command: ByteString;
  /** What the lines above it set. */
  environment: Readonly<Record<string, ByteString>>;
  line: number;
}

export interface CronTable {
  jobs: CronJob[];
  /** What holds at the end of the table. */
  environment: Readonly<Record<string, ByteString>>;
  problems: string[];
}

const nickname = /^@(reboot|yearly|annually|monthly|weekly|daily|midnight|hourly|every_minute)$/;
const field =
  /^(\*|\d+(-\d+)?|[A-Za-z]{3}(-[A-Za-z]{3})?)(\/\d+)?(,(\*|\d+(-\d+)?|[A-Za-z]{3}(-[A-Za-z]{3})?)(\/\d+)?)*$/;

/** system: the table has a user column (/etc/crontab, /etc/cron.d). */
export function parseCrontab(text: ByteString, system: boolean): CronTable {
  const table: CronTable = { jobs: [], environment: Object.create(null), problems: [] };
  let number = 0;
  for (const line of lines(text)) {
    number++;
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    if (table.jobs.length >= maxCronJobs) {
      table.problems.push(`line ${number}: more than ${maxCronJobs} jobs, the rest is not read`);
      break;
    }
    addLine(table, trimmed, system, number);
  }
  return table;
}

function addLine(table: CronTable, line: string, system: boolean, number: number): void {
  const assignment = /^([A-Za-z_]\w*)\s*=\s*(.*)$/s.exec(line);
  if (assignment?.[1] !== undefined) {
    if (Object.keys(table.environment).length >= maxVariables) return;
    const value = (assignment[2] ?? "").replace(/^(["'])(.*)\1$/s, "$2");
    table.environment = { ...table.environment, [assignment[1]]: value };
    return;
  }
  const words = line.split(/\s+/, 8);
  const count = nickname.test(words[0] ?? "") ? 1 : 5;
  const schedule = words.slice(0, count);
  const valid = count === 1 || (schedule.length === 5 && schedule.every((word) => field.test(word)));
  const rest = afterWords(line, count);
  const user = system ? /^\S+/.exec(rest)?.[0] : undefined;
  const command = system ? afterWords(rest, 1) : rest;
  if (!valid || command === "") {
    if (table.problems.length < 20) table.problems.push(`line ${number}: no job`);
    return;
  }
  const { environment } = table;
  table.jobs.push({ schedule: schedule.join(" "), user, command, environment, line: number });
}

/** What cron gives the shell, and what it writes to the standard input: the first `%` without a backslash ends the command, others are line ends. */
export function cronCommand(text: ByteString): { command: ByteString; input: ByteString | undefined } {
  const at = /(?<!\\)%/.exec(text)?.index;
  const plain = (part: ByteString): ByteString => part.replace(/\\%/g, "%");
  if (at === undefined) return { command: plain(text), input: undefined };
  const lines = text.slice(at + 1).split(/(?<!\\)%/);
  return { command: plain(text.slice(0, at)), input: `${lines.map(plain).join("\n")}\n` };
}

export interface AnacronJob {
  period: string;
  delay: number;
  name: ByteString;
  command: ByteString;
}

export function parseAnacrontab(text: ByteString): AnacronJob[] {
  const jobs: AnacronJob[] = [];
  for (const line of lines(text)) {
    const match = /^\s*(\d+|@\w+)\s+(\d+)\s+(\S+)\s+(\S.*)$/.exec(line);
    if (match === null || jobs.length >= maxCronJobs) continue;
    jobs.push({
      period: match[1] ?? "",
      delay: Number(match[2]),
      name: match[3] ?? "",
      command: match[4] ?? "",
    });
  }
  return jobs;
}

function afterWords(line: string, count: number): string {
  let rest = line;
  for (let done = 0; done < count; done++) rest = rest.replace(/^\S+\s*/, "");
  return rest;
}

function* lines(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    yield end < 0 ? text.slice(at) : text.slice(at, end);
    at = end < 0 ? text.length : end + 1;
  }
}
