// logrotate, where the machine runs it by the clock and a rule of its speaks of the application's logs: without it these would grow for ever
// in the package. Rules are of installed packages as a rule, and no run that is watched for minutes shows them.
import type { Seed } from "../../closure/expand.ts";
import { matchesPattern } from "../../closure/glob.ts";
import type { InstalledPackages } from "../../closure/installed.ts";
import type { Reason } from "../../closure/reason.ts";
import type { ScheduleFact } from "../../discover/inventory.ts";
import { baseName, type Source } from "../../discover/source.ts";
import type { ByteString } from "../../formats/entry.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import { type LogrotateRules, parseLogrotate } from "../../formats/logrotate.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Descriptor, Program, Schedule } from "../../package/descriptor.ts";
import { type Evidence, writingUses } from "../evidence/evidence.ts";
import { commandSeeds } from "../seeds/command-seeds.ts";
import { cronsOf } from "./timer-jobs.ts";

const logrotate = "/usr/sbin/logrotate";
const main = "/etc/logrotate.conf";
const directory = "/etc/logrotate.d";
/** What logrotate itself passes over there. */
const ruleFile = /^(?!\.)(?!.*(~|,v|\.(disabled|dpkg-\w+|rpm\w+|swp|bak|cfsaved|ucf-\w+))$).*$/s;
const mostRules = 1000;

export interface RotationRequest {
  machine: Machine;
  source: Source;
  facts: readonly ScheduleFact[];
  installed: InstalledPackages;
  descriptor: Descriptor;
  evidence: Evidence | undefined;
  /** Installed packages that were asked for. */
  names: readonly string[];
}

/** `notes`: rules that stay behind, and why. */
export type Rotation =
  | { program: Program; schedule: Schedule; seeds: Seed[]; notes: string[] }
  | { program: undefined; notes: string[] };

/** In a package there is no service manager to be told by: the application would write on into the file that was put away. */
const managers = /\b(invoke-rc\.d|systemctl|initctl|rc-service)\b|\bservice\s+\S+\s+\w/;

/** undefined: nothing on the machine rotates logs of the application. */
export async function logRotation(request: RotationRequest): Promise<Rotation | undefined> {
  const { machine, source } = request;
  const when = timeOf(request.facts);
  const program = await source.stat(logrotate, true);
  if (when === undefined || program?.kind !== "file") return undefined;
  const all = await ownRules(request);
  const rules = all.filter(({ read }) => !managers.test(read.scripts));
  const notes = all
    .filter((one) => !rules.includes(one))
    .map(
      ({ path }) =>
        `${escapeBytes(path)} does not come along: it tells the application by a service manager, which a package has not; rotate its logs by a schedule of your own`,
    );
  if (all.length === 0) return undefined;
  if (rules.length === 0) return { program: undefined, notes };
  const general = parseLogrotate((await source.text(main)) ?? "");
  const name = "logrotate";
  const seeds: Seed[] = [];
  for (const path of [logrotate, main])
    seeds.push({ path, reason: { kind: "configuration", from: rules[0]?.path ?? main } });
  for (const { path, read } of rules) {
    const reason: Reason = { kind: "configuration", from: path };
    seeds.push({ path, reason: { kind: "configuration", from: main } });
    for (const one of read.programs) seeds.push({ path: one, reason });
    if (read.compresses || general.compresses) seeds.push({ path: "/bin/gzip", reason });
    const scripts = { name, command: ["/bin/sh", "-c", read.scripts] };
    seeds.push(...(await commandSeeds(machine, { ...request.descriptor, programs: [scripts] })).seeds);
  }
  return {
    program: { name, command: [logrotate, main] },
    schedule: { name, cron: when, program: name },
    seeds,
    notes,
  };
}

/** As distributions run it: a timer, or a file for run-parts, which does nothing where systemd's timer is there. Somebody's own line of a table comes along by itself. */
function timeOf(facts: readonly ScheduleFact[]): string | undefined {
  const timer = facts.find((fact) => fact.kind === "timer" && fact.service === "logrotate");
  const file = facts.find((fact) => fact.kind === "directory" && baseName(fact.command) === "logrotate");
  if (timer !== undefined) return cronsOf(timer.when)?.[0] ?? "@daily";
  return file === undefined ? undefined : `@${file.when}`;
}

interface OwnRule {
  path: ByteString;
  read: LogrotateRules;
}

async function ownRules({
  source,
  installed,
  descriptor,
  evidence,
  names,
}: RotationRequest): Promise<OwnRule[]> {
  const packages = packagesOf(installed, descriptor, names);
  const written = evidence === undefined ? [] : writtenIn(evidence);
  const found: OwnRule[] = [];
  for (const path of (await source.filesIn(directory, ruleFile)).slice(0, mostRules)) {
    const read = parseLogrotate((await source.text(path)) ?? "");
    const ofPackage = installed.owner(path).some((name) => packages.has(name));
    if (ofPackage || read.files.some((pattern) => written.some((one) => fits(one, pattern))))
      found.push({ path, read });
  }
  return found;
}

/** Those that own what its services start, with what these depend on: a rule is often that of a package with what several have in common. */
function packagesOf(
  installed: InstalledPackages,
  { programs }: Descriptor,
  names: readonly string[],
): ReadonlySet<string> {
  const own = [
    ...names,
    ...programs.flatMap(({ command: [program = ""] }) => [...installed.owner(encodeText(program))]),
  ].filter((name) => !ofEverybody.test(name));
  const all = [...own, ...own.flatMap((name) => [...installed.depends(name)])];
  return new Set(all.filter((name) => !ofEverybody.test(name)));
}

/** Shells that start something else, and what all depend on. */
const ofEverybody = /^(dash|bash|busybox\S*|coreutils|util-linux|dpkg|debianutils|python3\S*|perl\S*)$/;

function writtenIn({ paths }: Evidence): ByteString[] {
  return [...paths].flatMap(([path, { found, uses }]) =>
    found && writingUses.some((use) => uses.has(use)) ? [path] : [],
  );
}

/** Wildcards fit within one name. */
function fits(path: ByteString, pattern: ByteString): boolean {
  const [names, parts] = [path.split("/"), pattern.split("/")];
  return names.length === parts.length && parts.every((part, at) => matchesPattern(names[at] ?? "", part));
}
