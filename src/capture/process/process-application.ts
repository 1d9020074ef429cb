// A running program as a first descriptor: the machine's own recipe where it is one of its services, else what /proc shows of it.
import { TranshipError } from "../../base/errors.ts";
import type { ProcessSnapshot } from "../../discover/process-snapshot.ts";
import { foregroundOf } from "../../discover/recipe-hints.ts";
import type { RunningProgram } from "../../discover/running-program.ts";
import { baseName, Source } from "../../discover/source.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { parseGroup, parsePasswd } from "../../formats/passwd.ts";
import { type Descriptor, newDescriptor, type Program, type Service } from "../../package/descriptor.ts";
import type { ApplicationOptions } from "../application/application.ts";
import { exactText, pathText } from "../application/descriptor-text.ts";
import { readOrigin } from "../application/origin.ts";
import { commandOf } from "./command-words.ts";
import { findPidFile } from "./pid-file.ts";
import { sortEnvironment } from "./process-environment.ts";
import type { ProcessView } from "./process-view.ts";

export interface DescribedProcess {
  descriptor: Descriptor;
  /** How it was found out. */
  told: string[];
  /** What may be amiss. */
  notes: string[];
}

type Lines = Pick<DescribedProcess, "told" | "notes">;

/** E_USAGE where the command cannot be told and --cmd does not give it. */
export async function describeProcess(
  program: RunningProgram,
  view: ProcessView,
  options: ApplicationOptions,
  keepSecrets: readonly string[],
): Promise<DescribedProcess> {
  const { main } = program;
  const lines: Lines = { told: [], notes: [] };
  const { origin, identity } = await readOrigin(view.machine, view.sameName);
  const base = newDescriptor({ id: options.name, name: options.name, version: "1", publisher: "" }, origin);
  const name = plainName(program);
  const source = new Source(view.machine.files);
  const start = await startOf(program, view, source, options, lines);
  const keep = new Set(keepSecrets.filter((one) => one.startsWith("env:")).map((one) => one.slice(4)));
  const environment = sortEnvironment(main.environment, keep);
  const user = options.user ?? (await userOf(program, view, source, lines.notes));
  const directory = options.workingDirectory ?? workingDirectory(main, view, lines.notes);
  const text = (value: ByteString): string => exactText(value, `what process ${main.pid} was started with`);
  const described: Program = {
    name,
    command: withUmask(main, name, start.argv.map(text)),
    ...(directory === "/" ? {} : { workingDirectory: directory }),
    ...(user === undefined || user === "root" ? {} : { user }),
    environment: { ...environment.kept, ...options.environment },
  };
  noteRights(main, lines);
  const files = openFiles(main);
  return {
    descriptor: {
      ...base,
      identity,
      ...(files === undefined ? {} : { limits: { ...base.limits, files } }),
      environment: identity.locale === null ? {} : { LANG: identity.locale },
      ports: options.ports.map((port) => ({ port, protocol: "tcp" })),
      programs: [described],
      services: [serviceFor(program, name, start)],
      secrets: environment.secrets.filter((secret) => !Object.hasOwn(options.environment, secret.name)),
    },
    ...lines,
  };
}

interface Start {
  argv: ByteString[];
  type: "simple" | "forking";
  pidFile?: ByteString | undefined;
  stopSignal?: string | undefined;
}

async function startOf(
  program: RunningProgram,
  view: ProcessView,
  source: Source,
  options: ApplicationOptions,
  lines: Lines,
): Promise<Start> {
  const { main } = program;
  if (options.command.length > 0) return { argv: [...options.command], type: "simple" };
  const executable = view.inside(main.executable.path);
  if (executable === undefined || /^\/memfd:/.test(executable))
    throw new TranshipError(
      "E_USAGE",
      `process ${main.pid} runs ${escapeBytes(main.executable.path)}, which is no file of its root`,
      { hint: "give the command that starts it with --cmd" },
    );
  const found = await commandOf(main, executable, view.machine.files);
  if (found === undefined)
    throw new TranshipError(
      "E_USAGE",
      `process ${main.pid} (${escapeBytes(main.name)}) wrote the title ${JSON.stringify(escapeBytes(main.arguments[0] ?? ""))} over its command line`,
      {
        hint: "give the command that starts it in the foreground with --cmd, or name its service with --service",
      },
    );
  if (found.note !== undefined) lines.told.push(found.note);
  const foreground = await foregroundOf(source, { argv: found.argv, instance: "", exact: true });
  if (foreground !== undefined) {
    lines.told.push(foreground.why);
    return { argv: foreground.argv, type: "simple", stopSignal: foreground.stopSignal };
  }
  return await daemonStart(main, found.argv, source, lines);
}

/** Its session is led by a process that has gone: it forked a second time after it became a session's leader. */
export function isDaemonized(main: Pick<ProcessSnapshot, "pid" | "orphan" | "session">): boolean {
  return main.orphan && main.session !== main.pid;
}

async function daemonStart(
  main: ProcessSnapshot,
  argv: ByteString[],
  source: Source,
  lines: Lines,
): Promise<Start> {
  const pidFile = await findPidFile(source, main);
  if (pidFile !== undefined && main.orphan) {
    lines.told.push(
      `${escapeBytes(pidFile)} names the process: the package starts it as a daemon that forks`,
    );
    return { argv, type: "forking", pidFile };
  }
  if (isDaemonized(main))
    lines.notes.push(
      `process ${main.pid} put itself into the background, and no pid file names it: if the package ends at once, give the command that keeps it in the foreground with --cmd`,
    );
  return { argv, type: "simple" };
}

function serviceFor(program: RunningProgram, name: string, start: Start): Service {
  const tcp = program.listeners.filter((one) => one.protocol.startsWith("tcp") && one.givenBy === undefined);
  const port = tcp.map((one) => one.port).sort((a, b) => a - b)[0];
  return {
    name,
    program: name,
    startup: "auto",
    essential: true,
    type: start.type,
    ...(start.pidFile === undefined ? {} : { pidFile: pathText(start.pidFile) }),
    ...(port === undefined ? {} : { readiness: { port, timeout: "60s" } }),
    ...(start.stopSignal === undefined ? {} : { stop: { signal: start.stopSignal, timeout: "30s" } }),
  };
}

function plainName(program: RunningProgram): string {
  const base = baseName(program.main.executable.path) || program.main.name;
  return base.replace(/[^A-Za-z0-9_.-]/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "main";
}

/** init's is 022. Daemons set 0 by themselves, so that says nothing of how they were started. */
function withUmask(main: ProcessSnapshot, name: string, command: string[]): string[] {
  if (main.umask === undefined || main.umask === 0o022 || main.umask === 0) return command;
  return ["/bin/sh", "-c", `umask ${main.umask.toString(8).padStart(3, "0")}; exec "$@"`, name, ...command];
}

function workingDirectory(main: ProcessSnapshot, view: ProcessView, notes: string[]): string {
  const held = main.workingDirectory;
  const inside = held.deleted ? undefined : view.inside(held.path);
  if (inside !== undefined) return pathText(inside);
  notes.push(
    `the working directory ${escapeBytes(held.path)} is gone or lies outside its root: the package starts in /`,
  );
  return "/";
}

/** Below 1024 a port can be opened by root alone, unless a capability of the program's file says otherwise: who serves one was root before. */
async function userOf(
  program: RunningProgram,
  view: ProcessView,
  source: Source,
  notes: string[],
): Promise<string | undefined> {
  const { main } = program;
  const [uid = 0] = main.uids;
  const [gid = 0] = main.gids;
  const privileged = program.listeners.find(
    (one) => one.port > 0 && one.port < 1024 && one.givenBy === undefined && one.pids.includes(main.pid),
  );
  // A capability that the file itself gives it has in the package too; one that it kept when it gave up root's rights it has not.
  const executable = view.inside(main.executable.path);
  const file = executable === undefined ? undefined : await source.stat(executable);
  const mayBind = file?.xattrs.some(([name]) => name === "security.capability") === true;
  if (uid !== 0 && privileged !== undefined && !mayBind) {
    notes.push(
      `it runs as user ${uid} and serves port ${privileged.port}: it was started as root, and so it is in the package`,
    );
    return undefined;
  }
  const users = parsePasswd((await source.text("/etc/passwd")) ?? "").entries;
  const groups = parseGroup((await source.text("/etc/group")) ?? "").entries;
  const user = users.find((one) => one.uid === uid);
  const group = groups.find((one) => one.gid === gid);
  if (uid === 0 && gid === 0) return undefined;
  if (user === undefined || !/^[A-Za-z_][\w.-]*\$?$/.test(user.name)) return `${uid}:${gid}`;
  const known = new Set(groups.filter((one) => one.members.includes(user.name)).map((one) => one.gid));
  const beyond = main.groups.filter((one) => one !== user.gid && one !== gid && !known.has(one));
  if (beyond.length > 0)
    notes.push(`it also has the groups ${beyond.join(", ")}, which /etc/group does not give ${user.name}`);
  if (user.gid === gid) return user.name;
  return group === undefined ? `${uid}:${gid}` : `${user.name}:${group.name}`;
}

/** undefined: what everybody has. */
function openFiles(main: ProcessSnapshot): number | undefined {
  const files = Number(main.limits.find((limit) => limit.name === "Max open files")?.soft);
  return Number.isSafeInteger(files) && files > 1024 ? files : undefined;
}

/** What the process has and an instance does not give it by itself. */
function noteRights(main: ProcessSnapshot, lines: Lines): void {
  const files = openFiles(main);
  if (files !== undefined) lines.told.push(`its limit of open files is ${files}, also in the package`);
  if ((main.uids[0] ?? 0) !== 0 && /[1-9a-f]/.test(main.capabilities.effective))
    lines.notes.push(
      `it has the capabilities ${main.capabilities.effective} without being root: give them with run --cap-add`,
    );
}
