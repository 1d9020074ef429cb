// Schedules that belong to the application: cron entries and timers that no installed package brought, or that the installer did, with what
// they run.
import type { Seed } from "../../closure/expand.ts";
import type { InstalledPackages } from "../../closure/installed.ts";
import type { ScheduleFact, ServiceFact } from "../../discover/inventory.ts";
import { maskText } from "../../discover/mask.ts";
import { readSchedules } from "../../discover/schedules.ts";
import { readServices } from "../../discover/services.ts";
import { Source } from "../../discover/source.ts";
import { UnitTree } from "../../discover/unit-tree.ts";
import { type CronJob, cronCommand, parseCrontab } from "../../formats/cron.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { type PasswdEntry, parsePasswd } from "../../formats/passwd.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Descriptor, Program, Schedule } from "../../package/descriptor.ts";
import type { Evidence } from "../evidence/evidence.ts";
import { exactText } from "./descriptor-text.ts";
import { logRotation } from "./log-rotation.ts";
import { isOfFamily, ownPackages } from "./own-packages.ts";
import { timerJob } from "./timer-jobs.ts";

export interface ApplicationSchedules {
  programs: Program[];
  schedules: Schedule[];
  /** That have to be there before a job runs. */
  directories: Descriptor["directories"][number][];
  /** What the jobs run: they were not exercised, so their files must be asked for. */
  seeds: Seed[];
  /** What runs by the clock on the machine and will not in the package. */
  notes: string[];
}

export interface SchedulesRequest {
  machine: Machine;
  installed: InstalledPackages;
  descriptor: Descriptor;
  /** Files that the installer of this capture made: what they say is the application's, whoever owns them. */
  brought?: ReadonlySet<ByteString>;
  /** Of its run: which logs it writes. */
  evidence?: Evidence | undefined;
  /** Installed packages that were asked for. */
  names?: readonly string[];
}

export async function applicationSchedules(request: SchedulesRequest): Promise<ApplicationSchedules> {
  const { machine, installed, descriptor, brought, evidence, names = [] } = request;
  const source = new Source(machine.files);
  const tree = await UnitTree.open(source);
  const facts = await readSchedules(source, tree);
  let known: ServiceFact[] | undefined;
  const services = async (): Promise<readonly ServiceFact[]> => {
    known ??= await readServices(source, tree);
    return known;
  };
  const own = ownPackages(installed, descriptor, { facts: await services(), names, evidence });
  const users = parsePasswd((await source.text("/etc/passwd")) ?? "").entries;
  const result: ApplicationSchedules = { programs: [], schedules: [], directories: [], seeds: [], notes: [] };
  const taken = new Set(descriptor.programs.map((program) => program.name));
  const rotation = await logRotation({
    machine,
    source,
    facts,
    installed,
    descriptor,
    evidence,
    services,
    own: own.withNeeds,
  });
  result.notes.push(...(rotation?.notes ?? []));
  if (rotation?.program !== undefined) {
    const name = freeName(rotation.program.name, taken);
    result.programs.push({ ...rotation.program, name });
    result.schedules.push({ ...rotation.schedule, name, program: name });
    result.seeds.push(...rotation.seeds);
  }
  // Beside a service runs what nobody's package brought; programs without one have the jobs that came with them.
  const onlyBrought = brought !== undefined && descriptor.services.length === 0;
  const isOwn = (fact: ScheduleFact): boolean =>
    fact.from.every((file) => {
      if (onlyBrought || brought?.has(file) === true) return brought.has(file);
      const owners = installed.owner(file);
      return owners.length === 0 || owners.some((name) => isOfFamily(own, name));
    });
  const ours = facts.filter(isOwn);
  for (const fact of ours) {
    const [from = "job"] = fact.from;
    if (fact.kind === "timer") {
      await addTimer(result, { machine, services: await services(), fact, taken });
      continue;
    }
    if (await isTimerToo(source, installed, fact, ours)) continue;
    const job = jobOf(fact, fact.kind === "cron" ? await source.text(from) : undefined);
    if (job === undefined) continue;
    const name = freeName(`cron-${baseName(from)}`, taken);
    const home = await homeOf(machine, fact, job, users);
    result.programs.push(programOf(name, fact, job, home));
    result.schedules.push({ name, cron: job.schedule, program: name });
    if (home !== "/") result.seeds.push({ path: home, reason: { kind: "configuration", from } });
    for (const path of await pathsRun(machine, fact.command))
      result.seeds.push({ path, reason: { kind: "configuration", from } });
  }
  return result;
}

/** Debian's packages have a timer and a job that does nothing where systemd runs; in a package, where it does not, it would be both. */
async function isTimerToo(
  source: Source,
  installed: InstalledPackages,
  fact: ScheduleFact,
  ours: readonly ScheduleFact[],
): Promise<boolean> {
  const owners = fact.from.flatMap((file) => [...installed.owner(file)]);
  const timer = ours.some(
    (one) =>
      one.kind === "timer" &&
      one.from.some((file) => installed.owner(file).some((name) => owners.includes(name))),
  );
  if (!timer) return false;
  const path = fact.kind === "directory" ? fact.command : (fact.from[0] ?? "");
  return /\/run\/systemd\/system/.test((await source.text(path)) ?? "");
}

/** Files of /etc/cron.daily and its like are run by run-parts, which takes only such names. */
const runParts = /^[\w-]+$/;

/** The inventory masks what looks secret and cuts what is long; a job that runs needs its command as it is. */
function jobOf(
  fact: ScheduleFact,
  table: string | undefined,
): Pick<CronJob, "schedule" | "command" | "environment"> | undefined {
  if (fact.kind === "directory" && runParts.test(baseName(fact.command)))
    return { schedule: `@${fact.when}`, command: fact.command, environment: {} };
  if (fact.kind !== "cron") return undefined;
  const perUser = fact.from[0]?.startsWith("/var/spool/") === true;
  const own = parseCrontab(table ?? "", !perUser).jobs.find(
    (job) => job.schedule === fact.when && maskText(job.command.slice(0, 4096)) === fact.command,
  );
  return own ?? { schedule: fact.when, command: fact.command, environment: {} };
}

interface TimerRequest {
  machine: Machine;
  services: readonly ServiceFact[];
  fact: ScheduleFact;
  /** Names of programs. */
  taken: Set<string>;
}

async function addTimer(
  result: ApplicationSchedules,
  { machine, services, fact, taken }: TimerRequest,
): Promise<void> {
  const [from = ""] = fact.from;
  const job = await timerJob(machine, fact, services);
  if (typeof job === "string") {
    result.notes.push(
      `the timer ${escapeBytes(baseName(from))}, which starts ${escapeBytes(fact.service)}, does not come along (${escapeBytes(fact.when)}): ${job}; add a program and a schedule to the package where the application needs it`,
    );
    return;
  }
  const name = freeName(`timer-${baseName(from).replace(/\.timer$/, "")}`, taken);
  result.programs.push({ name, ...job.program });
  for (const [at, cron] of job.crons.entries())
    result.schedules.push({ name: at === 0 ? name : freeName(name, taken), cron, program: name });
  result.directories.push(...job.directories);
  result.notes.push(...job.notes);
  const paths = await pathsRun(machine, job.line);
  if (job.program.workingDirectory !== undefined) paths.add(job.workingDirectory);
  for (const path of paths) result.seeds.push({ path, reason: { kind: "configuration", from } });
}

/** cron's own variables, and what it says of its mail. */
const ofCron = /^(SHELL|MAILTO|MAILFROM|CRON_TZ|CONTENT_\w+|RANDOM_DELAY|LOGNAME|USER)$/;

/** Where cron starts it: the home of its user, or / where that is none. */
async function homeOf(
  machine: Machine,
  fact: ScheduleFact,
  job: Pick<CronJob, "environment">,
  users: readonly PasswdEntry[],
): Promise<ByteString> {
  const home = job.environment.HOME ?? users.find((user) => user.name === (fact.user || "root"))?.home ?? "";
  const { entry } = await machine.files.resolve(home.startsWith("/") ? home : "/");
  return entry?.kind === "directory" ? home.replace(/(.)\/+$/, "$1") || "/" : "/";
}

/** As cron starts it: by the table's shell and variables, in the home of its user. */
function programOf(
  name: string,
  fact: ScheduleFact,
  job: Pick<CronJob, "command" | "environment">,
  home: ByteString,
): Program {
  const text = (value: ByteString): string => exactText(value, `the job of ${fact.from[0] ?? name}`);
  const { command, input } = fact.kind === "cron" ? cronCommand(job.command) : { ...job, input: undefined };
  const shell = job.environment.SHELL?.startsWith("/") ? job.environment.SHELL : "/bin/sh";
  const variables = Object.entries(job.environment).filter(([key]) => !ofCron.test(key));
  return {
    name,
    command:
      input === undefined
        ? [text(shell), "-c", text(command)]
        : [text(shell), "-c", text(`printf %s "$1" | {\n${command}\n}`), name, text(input)],
    ...(fact.user === "" || fact.user === "root" ? {} : { user: fact.user }),
    ...(home === "/" ? {} : { workingDirectory: text(home) }),
    ...(variables.length === 0
      ? {}
      : { environment: Object.fromEntries(variables.map(([key, value]) => [key, text(value)])) }),
  };
}

/** Absolute paths in the command and, where one is a script, in the script itself; with the directories that they write into. */
async function pathsRun(machine: Machine, command: ByteString): Promise<Set<ByteString>> {
  const found = new Set<ByteString>();
  for (const path of absolutePaths(command)) {
    const entry = (await machine.files.resolve(path)).entry;
    await addNamed(machine, path, entry, found);
    if (entry?.kind !== "file") continue;
    const head = entry.size > largestScript ? undefined : await machine.files.read(path);
    if (head === undefined || head[0] !== 0x23 || head[1] !== 0x21) continue;
    for (const inner of absolutePaths(new TextDecoder("latin1").decode(head)))
      await addNamed(machine, inner, (await machine.files.resolve(inner)).entry, found);
  }
  return found;
}

/** A file that is not there yet is one that the job makes: its directory has to be there, with its owner. */
async function addNamed(
  machine: Machine,
  path: ByteString,
  entry: Entry | undefined,
  found: Set<ByteString>,
): Promise<void> {
  if (/^\/(dev|proc|sys|run|tmp)(\/|$)/.test(path)) return;
  if (entry?.kind === "file" || entry?.kind === "directory") {
    found.add(path);
    return;
  }
  const parent = path.slice(0, path.lastIndexOf("/"));
  if (entry !== undefined || parent === "") return;
  if ((await machine.files.resolve(parent)).entry?.kind === "directory") found.add(parent);
}

const largestScript = 1 << 20;

function absolutePaths(text: ByteString): ByteString[] {
  return [...new Set(text.match(/(?<![\w.])\/[\w.@%+~/-]+/g) ?? [])]
    .map((path) => path.replace(/[.,:;]+$/, ""))
    .slice(0, 200);
}

function freeName(wanted: string, taken: Set<string>): string {
  const base = wanted.replace(/[^A-Za-z0-9_.-]/g, "-");
  let name = base;
  for (let count = 2; taken.has(name); count++) name = `${base}-${count}`;
  taken.add(name);
  return name;
}

function baseName(path: ByteString): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
