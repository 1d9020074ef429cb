// Recipes of what upstart, inittab, supervisor, runit, inetd and xinetd keep.
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import { parseInittab, parseXinetd } from "../formats/sysv.ts";
import { parseUnit, UnitSettings } from "../formats/units.ts";
import { parseUpstart, type UpstartCommand, type UpstartJob } from "../formats/upstart.ts";
import { splitWords } from "../formats/words.ts";
import { withProgram } from "./find-program.ts";
import type { ServiceFact } from "./inventory.ts";
import { emptyRecipe, noRecipe, type ServiceRecipe } from "./recipe.ts";
import { foregroundOf } from "./recipe-hints.ts";
import { addDirectory } from "./runtime-directories.ts";
import { signalName } from "./signal-name.ts";
import { parentOf, type Source } from "./source.ts";

const noCommand = "give the command itself after --";

/** As init of upstart starts it: what has signs of the shell goes through one, with -e. */
function commandOf({ kind, text }: UpstartCommand): ByteString[] {
  if (kind === "script") return ["/bin/sh", "-e", "-c", text];
  return hasShellSigns(text) ? ["/bin/sh", "-e", "-c", `exec ${text}`] : wordsOf(text);
}

/** A variable before the program is one, too. */
function hasShellSigns(text: ByteString): boolean {
  return /^\w+=/.test(text) || /[~`!$^&*()|\\{}[\];"'<>?]/.test(text);
}

export async function upstartRecipe(source: Source, service: ServiceFact): Promise<ServiceRecipe> {
  const path = service.from[0] ?? "";
  const job = parseUpstart((await source.text(path)) ?? "");
  const override = (await source.text(path.replace(/\.conf$/, ".override"))) ?? "";
  if (job.main === undefined) throw noRecipe(service, `has neither exec nor script in ${path}`, noCommand);
  if (job.instance) throw noRecipe(service, `is a pattern of jobs (instance, ${path})`, noCommand);
  const recipe = emptyRecipe(service);
  recipe.start = commandOf(job.main);
  recipe.type = job.task ? "oneshot" : "simple";
  recipe.user = job.user || "root";
  recipe.group = job.group;
  recipe.workingDirectory = job.directory || "/";
  if (/^[0-7]{3,4}$/.test(job.umask)) recipe.umask = Number.parseInt(job.umask, 8);
  // upstart's own.
  recipe.environment = {
    ...recipe.environment,
    TERM: "linux",
    UPSTART_JOB: service.name,
    ...job.environment,
  };
  if (job.preStart !== undefined)
    recipe.before.push({ command: commandOf(job.preStart), user: recipe.user, ignoreFailure: false });
  recipe.stopSignal = signalName(job.killSignal) ?? "SIGTERM";
  recipe.stopTimeout = (job.killTimeout ?? 5) * 1000;
  // Ten times in five seconds, and it is given up.
  if (job.respawn) recipe.restart = { policy: "always", attempts: job.respawnLimit?.count ?? 10 };
  if (job.limits.nofile !== undefined) recipe.openFiles = job.limits.nofile;
  if (job.expect === "fork" || job.expect === "daemon") await stayInForeground(source, service, recipe, job);
  if (job.expect === "stop")
    recipe.notes.push("expect stop: its program stops itself when it is ready, and nobody wakes it");
  for (const one of job.others) recipe.notes.push(`${one} of ${path} is not carried over`);
  if (override !== "") recipe.notes.push(`${path.replace(/\.conf$/, ".override")} was not read`);
  return recipe;
}

/** A job that forks has no pid file: its manager counts forks, which init does not. */
async function stayInForeground(
  source: Source,
  service: ServiceFact,
  recipe: ServiceRecipe,
  { expect, main }: UpstartJob,
): Promise<void> {
  const foreground = await foregroundOf(source, { argv: recipe.start, instance: "", exact: true });
  if (foreground === undefined)
    throw noRecipe(
      service,
      `goes to the background (expect ${expect}), and how to keep it in front is not known`,
      `in place of --service give after -- what ${main?.kind === "exec" ? escapeBytes(main.text) : "its script"} starts, with its own option for the foreground (its manual names it; often -f, -n, -D or --foreground)`,
    );
  recipe.start = foreground.argv;
  recipe.user = foreground.user ?? recipe.user;
  recipe.stopSignal = foreground.stopSignal ?? recipe.stopSignal;
  recipe.hints.push(foreground.why);
  for (const directory of foreground.directories ?? []) await addDirectory(source, recipe, directory, true);
}

export async function inittabRecipe(source: Source, service: ServiceFact): Promise<ServiceRecipe> {
  const entries = parseInittab((await source.text(service.from[0] ?? "")) ?? "");
  const entry = entries.find((one) => one.id === service.name);
  if (entry === undefined) throw noRecipe(service, `is no line of ${service.from[0]}`, noCommand);
  const recipe = emptyRecipe(service);
  const text = entry.process.replace(/^[+@]/, "").trim();
  // As init of System V does it.
  recipe.start = hasShellSigns(text) ? ["/bin/sh", "-c", `exec ${text}`] : wordsOf(text);
  recipe.environment = { ...recipe.environment, RUNLEVEL: /[2-5]/.exec(entry.runlevels)?.[0] ?? "3" };
  if (entry.action === "wait") recipe.type = "oneshot";
  if (entry.action === "respawn") recipe.restart = { policy: "always" };
  return recipe;
}

export async function runitRecipe(source: Source, service: ServiceFact): Promise<ServiceRecipe> {
  const directory = parentOf(service.program);
  const recipe = { ...emptyRecipe(service), start: [service.program], workingDirectory: directory };
  // runsv waits a second.
  recipe.restart = { policy: "always" };
  if (await source.exists(`${directory}/finish`))
    recipe.notes.push(`${directory}/finish is not carried over`);
  if (await source.exists(`${directory}/log/run`))
    recipe.notes.push(`${directory}/log is not carried over: what it prints is in the instance's log`);
  return recipe;
}

export async function supervisorRecipe(source: Source, service: ServiceFact): Promise<ServiceRecipe> {
  const path = service.from[0] ?? "";
  const settings = new UnitSettings([parseUnit((await source.text(path)) ?? "")]);
  const here = parentOf(path);
  const variables: Record<string, ByteString> = {
    program_name: service.name,
    here,
    process_num: "0",
    group_name: service.name,
  };
  const setting = (key: string): ByteString => {
    const text = (settings.last(`program:${service.name}`, key) ?? "").replace(/\s+;.*$/s, "");
    return text
      .replace(/%\((\w+)\)(?:\d*[sd])/g, (all, name: string) => variables[name] ?? all)
      .replaceAll("%%", "%");
  };
  const recipe = emptyRecipe(service);
  recipe.start = await withProgram(source, wordsOf(setting("command")));
  if (recipe.start.length === 0) throw noRecipe(service, `has no command in ${path}`, noCommand);
  recipe.user = setting("user") || "root";
  recipe.workingDirectory = setting("directory") || "/";
  Object.assign(recipe.environment, supervisorEnvironment(setting("environment")));
  if (/^[0-7]{3,4}$/.test(setting("umask"))) recipe.umask = Number.parseInt(setting("umask"), 8);
  recipe.stopSignal = signalName(setting("stopsignal")) ?? "SIGTERM";
  recipe.stopTimeout = secondsOf(setting("stopwaitsecs"), 10) * 1000;
  const again = setting("autorestart");
  if (again !== "false")
    recipe.restart =
      again === "true"
        ? { policy: "always" }
        : { policy: "on-failure", attempts: secondsOf(setting("startretries"), 3) };
  if (setting("numprocs") !== "" && setting("numprocs") !== "1")
    recipe.notes.push(`numprocs=${setting("numprocs")}: one is started`);
  if (/%\(ENV_/.test(recipe.start.join(" ")))
    recipe.notes.push("its command has variables of supervisord's environment, which nobody knows");
  return recipe;
}

/** KEY="value",KEY2=value2 */
function supervisorEnvironment(text: ByteString): Record<string, ByteString> {
  const found: Record<string, ByteString> = {};
  for (const [, name = "", quoted, single, plain] of text.matchAll(
    /([A-Za-z_]\w*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^,]*))\s*(?:,|$)/g,
  ))
    found[name] = quoted ?? single ?? (plain ?? "").trim();
  return found;
}

function secondsOf(text: string, otherwise: number): number {
  return /^\d{1,6}$/.test(text) ? Number(text) : otherwise;
}

const supers = [
  "/usr/sbin/xinetd",
  "/usr/sbin/inetd",
  "/usr/sbin/openbsd-inetd",
  "/usr/sbin/inetutils-inetd",
];

/** A program for each connection: what starts it is the service, with all that it keeps. */
export async function superServerRecipe(source: Source, service: ServiceFact): Promise<ServiceRecipe> {
  const recipe = emptyRecipe(service);
  const mine = supers.filter((path) => path.includes("xinetd") === (service.manager === "xinetd"));
  for (const path of mine) {
    if (!(await source.exists(path))) continue;
    const foreground = await foregroundOf(source, { argv: [path], instance: "", exact: true });
    recipe.start = foreground?.argv ?? [path, "-i"];
    recipe.hints.push(
      `${path} starts ${service.program} for each connection: it is started, with all services that it keeps`,
    );
    return recipe;
  }
  throw noRecipe(service, `is kept by ${service.manager}, which is not on the machine`, noCommand);
}

/** Where what it serves listens: the port that its file says, or /etc/services. */
export async function superServerPort(source: Source, service: ServiceFact): Promise<number | undefined> {
  const blocks =
    service.manager === "xinetd" ? parseXinetd((await source.text(service.from[0] ?? "")) ?? "") : [];
  const {
    port,
    protocol = "tcp",
    socket_type: type,
  } = blocks.find((one) => one.name === service.name)?.attributes ?? {};
  if (/^\d{1,5}$/.test(port ?? "")) return protocol === "tcp" ? Number(port) : undefined;
  if (protocol !== "tcp" || type === "dgram") return undefined;
  for (const line of ((await source.text("/etc/services")) ?? "").split("\n").slice(0, 20_000)) {
    const [, name, number] = /^(\S+)\s+(\d{1,5})\/tcp\b/.exec(line) ?? [];
    if (name === service.name) return Number(number);
  }
  return undefined;
}

function wordsOf(text: ByteString): ByteString[] {
  return splitWords(text).map((word) => word.text);
}
