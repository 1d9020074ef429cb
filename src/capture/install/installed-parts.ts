// What a difference means to people: which services, programs, users, groups and schedules an installer brought.

import type { ServiceFact } from "../../discover/inventory.ts";
import { readServices } from "../../discover/services.ts";
import { Source } from "../../discover/source.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { parseGroup, parsePasswd } from "../../formats/passwd.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Program } from "../../package/descriptor.ts";
import { pathText } from "../application/descriptor-text.ts";
import type { Exclusion } from "../plan/plan.ts";
import type { Difference } from "./difference.ts";

export interface InstalledParts {
  /** In an order in which they can start. */
  services: ByteString[];
  programs: Program[];
  users: ByteString[];
  groups: ByteString[];
  /** cron tables and timers. */
  schedules: ByteString[];
}

const maxPrograms = 40;
const programDirectory =
  /^\/(usr\/(local\/)?)?s?bin\/[^/]+$|^\/opt\/[^/]+\/(.+\/)?s?bin\/[^/]+$|^\/usr\/games\/[^/]+$/;
const schedule =
  /^\/etc\/(cron\.(d|hourly|daily|weekly|monthly)\/[^./][^/]*|crontab)$|^\/var\/spool\/cron\/(crontabs\/)?[^/]+$|\/systemd\/system\/[^/]+\.timer$/;

export async function installedParts(
  before: Machine,
  after: Machine,
  difference: Difference,
): Promise<InstalledParts> {
  const added = difference.changed.filter((one) => one.change === "added").map((one) => one.entry);
  const files = difference.changed.filter(({ entry }) => entry.kind !== "directory");
  const paths = new Set(files.map(({ entry }) => entry.path));
  return {
    services: await newServices(after, new Set(added.map((entry) => entry.path))),
    programs: await newPrograms(after, added),
    users: await newNames(before, after, "/etc/passwd", (text) => parsePasswd(text).entries),
    groups: await newNames(before, after, "/etc/group", (text) => parseGroup(text).entries),
    schedules: [...paths].filter((path) => schedule.test(path)),
  };
}

async function newNames(
  before: Machine,
  after: Machine,
  path: ByteString,
  parse: (text: ByteString) => readonly { name: ByteString }[],
): Promise<ByteString[]> {
  const names = async (machine: Machine): Promise<ByteString[]> => {
    const bytes = (await machine.files.read(path)) ?? new Uint8Array();
    return parse(new TextDecoder("latin1").decode(bytes)).map((one) => one.name);
  };
  const known = new Set(await names(before));
  return (await names(after)).filter((name) => !known.has(name));
}

/** Services whose own unit or script is new. Where some of them are enabled, the others are not meant to run by themselves. */
async function newServices(after: Machine, added: ReadonlySet<ByteString>): Promise<ByteString[]> {
  const source = new Source(after.files);
  const all = await readServices(source);
  const canonical = async (service: ServiceFact): Promise<boolean> => {
    for (const path of service.from.slice(0, 1))
      if (added.has(path) || added.has((await source.canonical(path)) ?? "")) return true;
    return false;
  };
  const fresh: ServiceFact[] = [];
  for (const service of all) {
    const runs =
      !service.template &&
      service.state !== "masked" &&
      service.exec.start.length + (service.program === "" ? 0 : 1) > 0;
    if (runs && (await canonical(service))) fresh.push(service);
  }
  const enabled = fresh.filter((service) => service.state === "enabled");
  return inOrder(enabled.length > 0 ? enabled : fresh).map((service) => service.name);
}

/** Who is named in After= comes first; loops are cut where they are met. */
function inOrder(services: readonly ServiceFact[]): ServiceFact[] {
  const sorted: ServiceFact[] = [];
  const visit = (service: ServiceFact, above: readonly ServiceFact[]): void => {
    if (sorted.includes(service) || above.includes(service)) return;
    const names = [...service.after, ...service.requires].map((name) => name.replace(/\.service$/, ""));
    for (const other of services) if (names.includes(other.name)) visit(other, [...above, service]);
    sorted.push(service);
  };
  for (const service of [...services].sort((a, b) => (a.name < b.name ? -1 : 1))) visit(service, []);
  return sorted;
}

/** New commands, so that `run REF @NAME` has names for them. */
async function newPrograms(after: Machine, added: readonly Entry[]): Promise<Program[]> {
  const programs = new Map<string, Program>();
  for (const entry of added) {
    if (!programDirectory.test(entry.path) || programs.size >= maxPrograms) continue;
    const found = entry.kind === "symlink" ? (await after.files.resolve(entry.path)).entry : entry;
    if (found?.kind !== "file" || (found.mode & 0o111) === 0) continue;
    const name = entry.path.slice(entry.path.lastIndexOf("/") + 1);
    if (/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name) && !programs.has(name))
      programs.set(name, { name, command: [pathText(entry.path)] });
  }
  return [...programs.values()];
}

export function describeInstallation(
  difference: Difference,
  parts: InstalledParts,
  left: readonly Exclusion[],
): string[] {
  const added = difference.changed.filter((one) => one.change === "added").length;
  const lines = [
    `the installer made ${added} paths, changed ${difference.changed.length - added}, removed ${difference.removed.length}; ${left.length} of them are no part of the package`,
  ];
  const line = (what: string, names: readonly ByteString[]): void => {
    if (names.length === 0) return;
    const shown = names.slice(0, 20).map(escapeBytes).join(", ");
    lines.push(`  ${what}: ${shown}${names.length > 20 ? ` and ${names.length - 20} more` : ""}`);
  };
  line("services", parts.services);
  line(
    "programs",
    parts.programs.map((program) => program.name),
  );
  line("users", parts.users);
  line("groups", parts.groups);
  line("schedules", parts.schedules);
  return lines;
}
