// logrotate, where the machine runs it by the clock and a rule of its speaks of the application's logs: without it these would grow for ever
// in the package. Rules are of installed packages as a rule, and no run that is watched for minutes shows them.
import type { Seed } from "../../closure/expand.ts";
import { matchesPattern } from "../../closure/glob.ts";
import type { InstalledPackages } from "../../closure/installed.ts";
import type { Reason } from "../../closure/reason.ts";
import type { ScheduleFact, ServiceFact } from "../../discover/inventory.ts";
import { baseName, type Source } from "../../discover/source.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { type LogrotateRules, parseLogrotate } from "../../formats/logrotate.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Descriptor, Program, Schedule } from "../../package/descriptor.ts";
import { type Evidence, writingUses } from "../evidence/evidence.ts";
import { commandSeeds } from "../seeds/command-seeds.ts";
import { findManagerCalls, type ToldServices, translateCalls, withStandIn } from "./manager-calls.ts";
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
  /** Of the machine, read when they are asked for. */
  services: () => Promise<readonly ServiceFact[]>;
  /** Installed packages of the application. */
  own: ReadonlySet<string>;
}

/** `notes`: rules that stay behind, and why. */
export type Rotation =
  | { program: Program; schedule: Schedule; seeds: Seed[]; notes: string[] }
  | { program: undefined; notes: string[] };

/** undefined: nothing on the machine rotates logs of the application. */
export async function logRotation(request: RotationRequest): Promise<Rotation | undefined> {
  const { source } = request;
  const when = timeOf(request.facts);
  const program = await source.stat(logrotate, true);
  if (when === undefined || program?.kind !== "file") return undefined;
  const all = await ownRules(request);
  if (all.length === 0) return undefined;
  const { rules, told, notes } = await withoutManager(request, all);
  if (rules.length === 0) return { program: undefined, notes };
  const name = "logrotate";
  const command = [logrotate, main];
  return {
    program: { name, command: told.cases.size === 0 ? command : withStandIn(name, command, told.cases) },
    schedule: { name, cron: when, program: name },
    seeds: [...(await seedsOf(request, rules)), ...told.seeds],
    notes,
  };
}

/** In a package there is no service manager to be told by: where nobody told the application it would write on into the file that was put away. */
async function withoutManager(
  { machine, source, descriptor, services }: RotationRequest,
  all: readonly OwnRule[],
): Promise<{ rules: OwnRule[]; told: ToldServices; notes: string[] }> {
  const rules: OwnRule[] = [];
  const told: ToldServices = { cases: new Map(), seeds: [] };
  const notes: string[] = [];
  for (const one of all) {
    const calls = findManagerCalls(one.read.scripts);
    const around = { machine, source, descriptor, services: calls.length === 0 ? [] : await services() };
    const translated = await translateCalls(calls, around);
    if (translated === undefined) {
      notes.push(
        `${escapeBytes(one.path)} does not come along: it tells the application by a service manager, which a package has not; rotate its logs by a schedule of your own`,
      );
      continue;
    }
    rules.push(one);
    for (const [key, action] of translated.cases) told.cases.set(key, action);
    told.seeds.push(...translated.seeds);
  }
  return { rules, told, notes };
}

async function seedsOf(
  { machine, source, descriptor }: RotationRequest,
  rules: readonly OwnRule[],
): Promise<Seed[]> {
  const general = parseLogrotate((await source.text(main)) ?? "");
  const seeds: Seed[] = [];
  for (const path of [logrotate, main])
    seeds.push({ path, reason: { kind: "configuration", from: rules[0]?.path ?? main } });
  for (const { path, read } of rules) {
    const reason: Reason = { kind: "configuration", from: path };
    seeds.push({ path, reason: { kind: "configuration", from: main } });
    for (const one of read.programs) seeds.push({ path: one, reason });
    if (read.compresses || general.compresses) seeds.push({ path: "/bin/gzip", reason });
    const scripts = { name: "logrotate", command: ["/bin/sh", "-c", read.scripts] };
    seeds.push(...(await commandSeeds(machine, { ...descriptor, programs: [scripts] })).seeds);
  }
  return seeds;
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

async function ownRules({ source, installed, own, evidence }: RotationRequest): Promise<OwnRule[]> {
  const written = evidence === undefined ? [] : writtenIn(evidence);
  const found: OwnRule[] = [];
  for (const path of (await source.filesIn(directory, ruleFile)).slice(0, mostRules)) {
    const read = parseLogrotate((await source.text(path)) ?? "");
    const ofPackage = installed.owner(path).some((name) => own.has(name));
    if (ofPackage || read.files.some((pattern) => written.some((one) => fits(one, pattern))))
      found.push({ path, read });
  }
  return found;
}

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
