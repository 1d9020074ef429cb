// Services of a descriptor as units of systemd, its schedules as a file of cron, its directories as a file of tmpfiles. Pure.
import { parseDuration } from "../../base/units.ts";
import { shellWords } from "../../formats/shell-words.ts";
import type { Descriptor, Program, Service } from "../../package/descriptor.ts";

export interface UnitFile {
  path: string;
  content: string;
  /** Another file that does the same: where it is there, this one is not needed. */
  unless: readonly string[];
  /** A unit that is to start with the machine. */
  enable: boolean;
}

/** Where systemd looks for a unit of this name. */
export function unitPlacesOf(unit: string): string[] {
  return ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"].map(
    (place) => `${place}/${unit}`,
  );
}

/** What makes it start with the machine. */
export function enabledPath(unit: string): string {
  return `/etc/systemd/system/multi-user.target.wants/${unit.slice(unit.lastIndexOf("/") + 1)}`;
}

/** How users and groups are written that the package knows by number. */
export interface Naming {
  user(uid: number): string;
  group(gid: number): string;
}

export function unitFiles(descriptor: Descriptor, naming: Naming): UnitFile[] {
  const name = descriptor.metadata.name.replace(/[^A-Za-z0-9_.-]+/g, "-");
  const programs = new Map(descriptor.programs.map((one) => [one.name, one]));
  const files: UnitFile[] = descriptor.services.flatMap((service) => {
    const program = programs.get(service.program);
    if (program === undefined) return [];
    const unit = `${service.name}.service`;
    return [
      {
        path: `/etc/systemd/system/${unit}`,
        content: unitText(service, program, descriptor),
        // What a unit does before its start is a service of its own in a descriptor.
        unless: [unit, unit.replace(/-before-\d+\.service$/, ".service")].flatMap(unitPlacesOf),
        enable: (service.startup ?? "auto") === "auto",
      },
    ];
  });
  const plain = { unless: [], enable: false };
  const cron = descriptor.schedules.flatMap((one) => {
    const program = programs.get(one.program);
    return program === undefined
      ? []
      : [`${cronTime(one.cron)} ${userOf(program)} ${shellWords(program.command).replaceAll("%", "\\%")}`];
  });
  if (cron.length > 0)
    files.push({
      path: `/etc/cron.d/tranship-${name.replaceAll(".", "-")}`,
      content: `${cron.join("\n")}\n`,
      ...plain,
    });
  const made = descriptor.directories.map(
    ({ path, mode, uid, gid }) => `d ${specifier(path)} ${mode} ${naming.user(uid)} ${naming.group(gid)} -`,
  );
  if (made.length > 0)
    files.push({ path: `/etc/tmpfiles.d/tranship-${name}.conf`, content: `${made.join("\n")}\n`, ...plain });
  return files;
}

function unitText(service: Service, program: Program, descriptor: Descriptor): string {
  const { stop, restart, type = "simple", pidFile } = service;
  const [user, group] = (program.user ?? "").split(":");
  const variables = { ...descriptor.environment, ...program.environment };
  const after = ["network-online.target", ...(service.after ?? []).map((one) => `${one}.service`)];
  const policy = restart?.policy ?? "no";
  const lines = [
    "[Unit]",
    `Description=${service.name} of ${descriptor.metadata.name}`.replaceAll("%", "%%"),
    `After=${after.join(" ")}`,
    `Wants=${after.join(" ")}`,
    "",
    "[Service]",
    `Type=${type}`,
    ...(type === "oneshot" ? ["RemainAfterExit=yes"] : []),
    ...(pidFile === undefined || type !== "forking" ? [] : [`PIDFile=${specifier(pidFile)}`]),
    ...(user === undefined || user === "" ? [] : [`User=${user}`]),
    ...(group === undefined ? [] : [`Group=${group}`]),
    ...(program.workingDirectory === undefined
      ? []
      : [`WorkingDirectory=${specifier(program.workingDirectory)}`]),
    ...Object.entries(variables).map(([key, value]) => `Environment=${unitWord(`${key}=${value}`)}`),
    `ExecStart=${execLine(program.command)}`,
    ...(stop?.command === undefined ? [] : [`ExecStop=${execLine(stop.command)}`]),
    ...(stop?.signal === undefined ? [] : [`KillSignal=${stop.signal}`]),
    ...(stop?.timeout === undefined ? [] : [`TimeoutStopSec=${parseDuration(stop.timeout) / 1000}`]),
    ...(policy === "no" ? [] : [`Restart=${policy}`]),
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ];
  return `${lines.join("\n")}\n`;
}

/** systemd looks a program without a slash up in its own paths. */
function execLine(command: readonly string[]): string {
  return command.map((word) => unitWord(word).replaceAll("$", "$$$$")).join(" ");
}

/** A word as systemd.syntax(7) and systemd.service(5) read it. */
function unitWord(word: string): string {
  const plain = specifier(word);
  if (/^[A-Za-z0-9_./:=@%+,-]+$/.test(plain)) return plain;
  return `"${plain.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}

function specifier(text: string): string {
  return text.replaceAll("%", "%%");
}

function userOf(program: Program): string {
  return program.user?.split(":")[0] ?? "root";
}

/** "@daily" and five fields mean the same to cron. */
function cronTime(text: string): string {
  return text.trim();
}
