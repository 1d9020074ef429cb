// Recipe of a systemd unit. The unit's files are read again: the inventory holds masked values only.
import type { ByteString } from "../formats/entry.ts";
import { parseAssignments } from "../formats/os-release.ts";
import { shellWords } from "../formats/shell-words.ts";
import { parseUnitName } from "../formats/unit-names.ts";
import { parseTimeSpan } from "../formats/unit-time.ts";
import { type ExecCommand, expandCommand, parseEnvironment, parseExec } from "../formats/units.ts";
import { withProgram } from "./find-program.ts";
import type { ServiceFact } from "./inventory.ts";
import { emptyRecipe, noRecipe, type ServiceRecipe } from "./recipe.ts";
import { foregroundOf } from "./recipe-hints.ts";
import { addDirectory, addTmpfilesDirectories, directoryOfCommand } from "./runtime-directories.ts";
import { signalName } from "./signal-name.ts";
import { baseName, parentOf, type Source } from "./source.ts";
import { specifierFacts, UnitReader, underRun } from "./systemd-services.ts";
import { notCarriedOver, ofTheManager } from "./unit-left-out.ts";
import { unitSockets } from "./unit-sockets.ts";
import { loadUnit } from "./unit-tree.ts";
import { readUsers } from "./users.ts";

export async function unitRecipe(source: Source, service: ServiceFact): Promise<ServiceRecipe> {
  const unit = await loadUnit(source, `${service.name}.service`, service.from);
  const account = await accountOf(source, unit.settings.last("Service", "User") ?? "");
  const facts = await specifierFacts(source);
  const reader = new UnitReader(
    unit,
    account.name === "root" ? facts : { ...facts, user: account.name, home: account.home },
  );
  const recipe = emptyRecipe(service);
  recipe.user = account.name;
  recipe.group = reader.service("Group");
  recipe.supplementaryGroups = reader.list("Service", "SupplementaryGroups");
  recipe.environment = await environmentOf(source, reader, account);
  recipe.workingDirectory = workingDirectory(reader.service("WorkingDirectory"), account.home);
  recipe.stopSignal = signalName(reader.service("KillSignal")) ?? "SIGTERM";
  const umask = /^[0-7]{3,4}$/.exec(reader.service("UMask"))?.[0];
  if (umask !== undefined) recipe.umask = Number.parseInt(umask, 8);
  const type = service.type;
  recipe.type = type === "forking" || type === "oneshot" ? type : "simple";
  const pidFile = underRun(reader.service("PIDFile"));
  if (pidFile !== "") recipe.pidFile = pidFile;
  again(reader, recipe);
  await declaredDirectories(source, reader, recipe, account.group);
  await commands(source, service, reader, recipe);
  await addTmpfilesDirectories(source, service, recipe);
  const given = await unitSockets(source, service, reader, facts);
  recipe.sockets = given.sockets;
  recipe.notes.push(...given.notes);
  recipe.notes.push(...(await notCarriedOver(source, reader, recipe)));
  return recipe;
}

/** When it is started again, how long it may take, and how many files it may open. */
function again(reader: UnitReader, recipe: ServiceRecipe): void {
  const rule = reader.service("Restart");
  const pause = parseTimeSpan(reader.service("RestartSec"));
  const backoff = pause === undefined ? {} : { backoff: Math.max(pause, 100) };
  if (rule === "always") recipe.restart = { policy: "always", ...backoff };
  else if (rule === "on-success") recipe.notes.push("Restart=on-success is not carried over");
  else if (/^on-(failure|abnormal|abort|watchdog)$/.test(rule))
    recipe.restart = { policy: "on-failure", ...backoff };
  const both = reader.service("TimeoutSec");
  const stop = parseTimeSpan(reader.service("TimeoutStopSec") || both);
  const start = parseTimeSpan(reader.service("TimeoutStartSec") || both);
  if (stop !== undefined) recipe.stopTimeout = stop;
  if (start !== undefined) recipe.startTimeout = start;
  const files = /^\d{1,9}/.exec(reader.service("LimitNOFILE"))?.[0];
  if (files !== undefined && Number(files) > 0) recipe.openFiles = Number(files);
  else if (reader.service("LimitNOFILE") !== "")
    recipe.notes.push(
      `LimitNOFILE=${reader.service("LimitNOFILE")} is not carried over: give run --ulimit nofile=NUMBER`,
    );
}

interface Account {
  name: ByteString;
  home: ByteString;
  shell: ByteString;
  group: ByteString;
}

async function accountOf(source: Source, user: ByteString): Promise<Account> {
  const { users, groups } = await readUsers(source);
  const wanted = user === "" ? "root" : user;
  const found = users.find((each) => each.name === wanted || String(each.uid) === wanted);
  const group = groups.find((each) => each.gid === found?.gid)?.name ?? String(found?.gid ?? wanted);
  return {
    name: wanted,
    home: found?.home ?? (wanted === "root" ? "/root" : "/"),
    shell: found?.shell ?? "/bin/sh",
    group,
  };
}

/** As systemd sets it: its own values, Environment=, then EnvironmentFile= above them. */
async function environmentOf(
  source: Source,
  reader: UnitReader,
  account: Account,
): Promise<Record<string, ByteString>> {
  const environment: Record<string, ByteString> = {
    ...emptyRecipe({ name: "", from: [] as ByteString[] } as ServiceFact).environment,
  };
  const locale = parseAssignments(
    (await source.text("/etc/locale.conf")) ?? (await source.text("/etc/default/locale")) ?? "",
  );
  for (const [name, value] of Object.entries(locale))
    if (/^(LANG|LC_[A-Z]+)$/.test(name)) environment[name] = value;
  if (reader.service("User") !== "") {
    Object.assign(environment, {
      HOME: account.home,
      LOGNAME: account.name,
      USER: account.name,
      SHELL: account.shell,
    });
  }
  Object.assign(environment, directoriesOf(reader), parseEnvironment(reader.services("Environment")));
  for (const value of reader.services("EnvironmentFile")) {
    const path = value.replace(/^-/, "");
    for (const each of path.includes("*")
      ? await source.filesIn(parentOf(path), globPattern(baseName(path)))
      : [path]) {
      Object.assign(environment, parseAssignments((await source.text(each)) ?? ""));
    }
  }
  for (const word of reader.list("Service", "UnsetEnvironment")) {
    const [name = ""] = word.split("=", 1);
    if (name === word || environment[name] === word.slice(name.length + 1)) delete environment[name];
  }
  return environment;
}

/** Where systemd tells a service its own directories: $STATE_DIRECTORY and its like, several with colons between. */
function directoriesOf(reader: UnitReader): Record<string, ByteString> {
  const environment: Record<string, ByteString> = {};
  for (const [key, base] of [
    ["Runtime", "/run"],
    ["State", "/var/lib"],
    ["Cache", "/var/cache"],
    ["Logs", "/var/log"],
    ["Configuration", "/etc"],
  ] as const) {
    const names = reader.list("Service", `${key}Directory`).map((name) => `${base}/${name.split(":")[0]}`);
    if (names.length > 0) environment[`${key.toUpperCase()}_DIRECTORY`] = names.join(":");
  }
  return environment;
}

function globPattern(glob: ByteString): RegExp {
  return new RegExp(
    `^${glob
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replace(/\*+/g, "[^/]*")
      .replace(/\?/g, ".")}$`,
  );
}

function workingDirectory(value: ByteString, home: ByteString): ByteString {
  const path = value.replace(/^-/, "");
  return path === "" ? "/" : path === "~" ? home : path;
}

async function declaredDirectories(
  source: Source,
  reader: UnitReader,
  recipe: ServiceRecipe,
  group: ByteString,
): Promise<void> {
  const owner = { user: recipe.user, group: recipe.group || group };
  const mode = Number.parseInt(/^[0-7]{3,5}$/.exec(reader.service("RuntimeDirectoryMode"))?.[0] ?? "0755", 8);
  for (const name of reader.list("Service", "RuntimeDirectory")) {
    await addDirectory(source, recipe, { path: `/run/${name.split(":")[0]}`, mode, ...owner });
  }
  // systemd makes these as well; a service that never started there has none.
  for (const [key, base] of [
    ["State", "/var/lib"],
    ["Cache", "/var/cache"],
    ["Logs", "/var/log"],
  ] as const) {
    const own = /^[0-7]{3,5}$/.exec(reader.service(`${key}DirectoryMode`))?.[0] ?? "0755";
    for (const name of reader.list("Service", `${key}Directory`)) {
      const path = `${base}/${name.split(":")[0]}`;
      await addDirectory(source, recipe, { path, mode: Number.parseInt(own, 8), ...owner });
      if (key === "State") recipe.stateDirectories.push(path);
    }
  }
  const pidDirectory = parentOf(recipe.pidFile ?? "");
  if (/^\/(var\/)?run\/./.test(pidDirectory))
    await addDirectory(source, recipe, { path: pidDirectory, mode: 0o755, ...owner });
}

/** Fills start, before and stop. */
async function commands(
  source: Source,
  service: ServiceFact,
  reader: UnitReader,
  recipe: ServiceRecipe,
): Promise<void> {
  const parse = (key: string): ExecCommand[] => reader.services(key).flatMap(parseExec);
  const starts = parse("ExecStart");
  const last = starts.at(-1);
  if (last === undefined) throw noRecipe(service, "has no ExecStart", "give the command itself after --");
  const rootBefore = /^(yes|true|1|on)$/i.test(reader.service("PermissionsStartOnly"));
  for (const command of [...parse("ExecStartPre"), ...starts.slice(0, -1)]) {
    const argv = await withProgram(source, expandCommand(command, recipe.environment));
    if (speaksToManager(argv)) {
      recipe.notes.push(`left out, it speaks to the service manager: ${argv.join(" ").slice(0, 200)}`);
      continue;
    }
    const directory = directoryOfCommand(argv);
    if (directory !== undefined) {
      await addDirectory(source, recipe, directory);
      continue;
    }
    const user = rootBefore || command.privileged ? "root" : recipe.user;
    recipe.before.push({ command: argv, user, ignoreFailure: command.ignoreFailure });
  }
  if (last.privileged) recipe.user = "root";
  recipe.start = await withProgram(source, expandCommand(last, recipe.environment));
  if (last.argv0 !== undefined) recipe.notes.push(`argv[0] would be ${last.argv0}`);
  await stopCommand(source, recipe, parse("ExecStop"));
  if (recipe.type === "forking") await toForeground(source, service, recipe);
}

/** All of them, one after the other; what needs the number of the main process is a signal, or left out. */
async function stopCommand(
  source: Source,
  recipe: ServiceRecipe,
  stops: readonly ExecCommand[],
): Promise<void> {
  const usable: { argv: ByteString[]; ignoreFailure: boolean }[] = [];
  for (const command of stops) {
    const argv = await withProgram(
      source,
      expandCommand(command, { ...recipe.environment, MAINPID: "$MAINPID" }),
    );
    if (speaksToManager(argv)) continue;
    if (!argv.some((word) => word.includes("$MAINPID"))) {
      usable.push({ argv, ignoreFailure: command.ignoreFailure });
      continue;
    }
    const signal = baseName(argv[0] ?? "") === "kill" ? signalName(argv.join(" ")) : undefined;
    if (signal !== undefined && stops.length === 1) recipe.stopSignal = signal;
    else recipe.notes.push(`left out, it needs the main process's number: ${shown(argv)}`);
  }
  const [only] = usable;
  if (only === undefined) return;
  if (usable.length === 1) {
    recipe.stop = only.argv;
    return;
  }
  const lines = usable.map((one) => `${shellWords(one.argv)}${one.ignoreFailure ? " || true" : ""}`);
  recipe.stop = ["/bin/sh", "-c", `set -e\n${lines.join("\n")}`];
}

function shown(argv: readonly ByteString[]): string {
  return argv.join(" ").slice(0, 200);
}

async function toForeground(source: Source, service: ServiceFact, recipe: ServiceRecipe): Promise<void> {
  const instance = parseUnitName(`${service.name}.service`)?.instance ?? "";
  const foreground = await foregroundOf(source, { argv: recipe.start, instance, exact: true });
  if (foreground === undefined) return;
  recipe.start = foreground.argv;
  recipe.type = "simple";
  recipe.user = foreground.user ?? recipe.user;
  recipe.stopSignal = foreground.stopSignal ?? recipe.stopSignal;
  recipe.hints.push(foreground.why);
  delete recipe.stop;
  delete recipe.pidFile;
  for (const directory of foreground.directories ?? []) await addDirectory(source, recipe, directory, true);
}

function speaksToManager(argv: readonly ByteString[]): boolean {
  return ofTheManager.test(argv.join(" "));
}
