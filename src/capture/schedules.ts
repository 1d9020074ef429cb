// Schedules that belong to the application: cron entries that no installed package brought, with what they run.
import type { Seed } from "../closure/expand.ts";
import type { InstalledPackages } from "../closure/installed.ts";
import type { ScheduleFact } from "../discover/inventory.ts";
import { maskText } from "../discover/mask.ts";
import { readSchedules } from "../discover/schedules.ts";
import { Source } from "../discover/source.ts";
import { UnitTree } from "../discover/unit-tree.ts";
import { parseCrontab } from "../formats/cron.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import type { Machine } from "../machine/machine.ts";
import type { Descriptor, Program, Schedule } from "../package/descriptor.ts";
import { exactText } from "./descriptor-text.ts";

export interface ApplicationSchedules {
  programs: Program[];
  schedules: Schedule[];
  /** What the jobs run: they were not exercised, so their files must be asked for. */
  seeds: Seed[];
}

export async function applicationSchedules(
  machine: Machine,
  installed: InstalledPackages,
  descriptor: Descriptor,
): Promise<ApplicationSchedules> {
  const source = new Source(machine.files);
  const facts = await readSchedules(source, await UnitTree.open(source));
  const result: ApplicationSchedules = { programs: [], schedules: [], seeds: [] };
  const taken = new Set(descriptor.programs.map((program) => program.name));
  for (const fact of facts) {
    if (fact.kind !== "cron" || fact.from.some((file) => installed.owner(file).length > 0)) continue;
    const name = freeName(`cron-${baseName(fact.from[0] ?? "job")}`, taken);
    result.programs.push({
      name,
      command: [
        "/bin/sh",
        "-c",
        exactText(await fullCommand(source, fact), `the job of ${fact.from[0] ?? name}`),
      ],
      ...(fact.user === "" || fact.user === "root" ? {} : { user: fact.user }),
    });
    result.schedules.push({ name, cron: fact.when, program: name });
    for (const path of await pathsRun(machine, fact)) {
      result.seeds.push({ path, reason: { kind: "configuration", from: fact.from[0] ?? "cron" } });
    }
  }
  return result;
}

/** The inventory masks what looks secret and cuts what is long; a job that runs needs its command as it is. */
async function fullCommand(source: Source, fact: ScheduleFact): Promise<ByteString> {
  const path = fact.from[0] ?? "";
  const perUser = path.startsWith("/var/spool/");
  const jobs = parseCrontab((await source.text(path)) ?? "", !perUser).jobs;
  const own = jobs.find(
    (job) => job.schedule === fact.when && maskText(job.command.slice(0, 4096)) === fact.command,
  );
  return own?.command ?? fact.command;
}

/** Absolute paths in the command and, where one is a script, in the script itself; with the directories that they write into. */
async function pathsRun(machine: Machine, fact: ScheduleFact): Promise<Set<ByteString>> {
  const found = new Set<ByteString>();
  for (const path of absolutePaths(fact.command)) {
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
