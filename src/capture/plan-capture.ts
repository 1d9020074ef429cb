// The last step of every capture before packing: application and evidence become a plan, with the document that says why.
import { TranshipError } from "../base/errors.ts";
import type { Seed } from "../closure/expand.ts";
import { type InstalledPackages, loadInstalled } from "../closure/installed.ts";
import type { Reason } from "../closure/reason.ts";
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import { step } from "../host/steps.ts";
import type { Machine } from "../machine/machine.ts";
import type { Descriptor, Program } from "../package/descriptor.ts";
import { applicationSchedules } from "./application/schedules.ts";
import type { Captured, CaptureTools, Choices } from "./captured.ts";
import { configuredData } from "./data/configured-data.ts";
import type { Evidence } from "./evidence/evidence.ts";
import { type EvidenceParts, evidenceJson } from "./evidence/evidence-document.ts";
import { orInterrupted } from "./interrupt.ts";
import { missedSeeds } from "./misses/misses.ts";
import { warnOfUnmet } from "./pack/unmet.ts";
import { makePlan } from "./plan/make-plan.ts";
import type { Exclusion, Plan } from "./plan/plan.ts";
import type { SessionResult } from "./sandbox/session.ts";
import { commandSeeds } from "./seeds/command-seeds.ts";
import { configurationSeeds } from "./seeds/configuration-seeds.ts";
import { ownedDirectories } from "./seeds/owned-directories.ts";

export interface PlanParts {
  evidence: Evidence | undefined;
  /** Whether the machine's own schedules come along. */
  schedules: boolean;
  /** What an installer made: schedules among it are the application's own. */
  brought?: ReadonlySet<ByteString>;
  choices: Choices;
  exercised: readonly string[];
  session?: SessionResult;
  /** What else is to be packed. */
  seeds?: readonly Seed[];
  /** Known before and not to be packed, with the reasons. */
  left?: readonly Exclusion[];
  logs?: ReadonlySet<ByteString>;
  /** It ran already: what its start needs has not been seen. */
  running?: { executables: readonly ByteString[]; uids: readonly number[] };
}

export async function plan(
  machine: Machine,
  application: Descriptor,
  parts: PlanParts,
  tools: CaptureTools,
): Promise<Captured> {
  step("make the plan");
  return await orInterrupted(tools.signal, () => planWhole(machine, application, parts, tools));
}

async function planWhole(
  machine: Machine,
  application: Descriptor,
  parts: PlanParts,
  tools: CaptureTools,
): Promise<Captured> {
  const installed = await loadInstalled(machine.files);
  // A service lives beside its schedules; a single command does not.
  const jobs = parts.schedules
    ? await applicationSchedules({
        machine,
        installed,
        descriptor: application,
        evidence: parts.evidence,
        names: parts.choices.alsoInstalled,
        ...(parts.brought === undefined ? {} : { brought: parts.brought }),
      })
    : undefined;
  for (const note of jobs?.notes ?? []) tools.log.warn(note);
  const descriptor =
    jobs === undefined
      ? application
      : {
          ...application,
          programs: [...application.programs, ...jobs.programs],
          schedules: jobs.schedules,
          directories: [...application.directories, ...jobs.directories],
        };
  for (const problem of installed.problems.slice(0, 20)) {
    tools.log.warn(
      `${escapeBytes(problem.path)}${problem.line > 0 ? `:${problem.line}` : ""}: ${problem.message}`,
    );
  }
  const working = tools.progress.begin("finding what it needs", undefined, "files");
  // What a run would have shown: where no service ran, its directories are found by their owner.
  const owned =
    parts.evidence === undefined
      ? await unseenSeeds(machine, {
          started: descriptor,
          application,
          installed,
          names: parts.choices.alsoInstalled,
        })
      : [
          ...(await jobSeeds(machine, application, jobs?.programs ?? [])),
          ...(await runningSeeds(machine, application, installed, parts.running)),
        ];
  const seeds = [
    ...(parts.seeds ?? []),
    ...(await missedSeeds(machine, tools.missed ?? [])),
    ...(jobs?.seeds ?? []),
    ...installedSeeds(installed, parts.choices.alsoInstalled, machine),
    ...owned,
  ];
  const planned = await makePlan({
    machine,
    descriptor,
    installed,
    evidence: parts.evidence,
    startedAndStopped: parts.session !== undefined,
    seeds,
    left: parts.left ?? [],
    logs: parts.logs ?? new Set(),
    data: await configuredData(machine, application, installed, namesFor(parts.choices), (note) =>
      tools.log.warn(note),
    ),
    ...parts.choices,
  });
  warnOfUnmet(planned.plan.unmet, tools.log);
  for (const { path, why } of planned.plan.data.filter((one) => one.state === "live"))
    tools.log.warn(`${escapeBytes(path)} is not a consistent copy: ${why}`);
  working.end(`${planned.reasons.size} paths planned`);
  return {
    plan: planned.plan,
    evidence: evidenceText(
      planned.plan,
      planned.reasons,
      { ...parts, recovered: parts.choices.recovered },
      tools,
    ),
    session: parts.session,
  };
}

/** Whose services count where none was named: of a whole machine all that it starts. */
function namesFor({ expansion, alsoInstalled }: Choices): readonly string[] | undefined {
  return expansion === undefined ? alsoInstalled : undefined;
}

/** What schedules start was not watched; the homes that they stand in are data of others. */
async function jobSeeds(
  machine: Machine,
  application: Descriptor,
  programs: readonly Program[],
): Promise<Seed[]> {
  const started = programs.map(({ name, command, environment }) => ({ name, command, environment }));
  return (await commandSeeds(machine, { ...application, programs: started })).seeds;
}

async function runningSeeds(
  machine: Machine,
  application: Descriptor,
  installed: InstalledPackages,
  running: PlanParts["running"],
): Promise<Seed[]> {
  if (running === undefined) return [];
  const names = [...new Set(running.executables.flatMap((path) => [...installed.owner(path)]))];
  const who = { names, users: new Set<string>(), running: new Set(running.uids) };
  return [
    ...(await configurationSeeds(machine, installed, names)),
    ...(await ownedDirectories(machine, application, installed, who)),
  ];
}

interface Unseen {
  /** With the programs of its schedules. */
  started: Descriptor;
  application: Descriptor;
  installed: InstalledPackages;
  names: readonly string[];
}

async function unseenSeeds(
  machine: Machine,
  { started, application, installed, names }: Unseen,
): Promise<Seed[]> {
  const { seeds, users } = await commandSeeds(machine, started);
  return [
    ...seeds,
    ...(await configurationSeeds(machine, installed, names)),
    ...(await ownedDirectories(machine, application, installed, { names, users, running: new Set() })),
  ];
}

export function evidenceText(
  plan: Plan,
  reasons: ReadonlyMap<ByteString, readonly Reason[]>,
  parts: Pick<EvidenceParts, "evidence" | "exercised" | "recovered">,
  tools: Pick<CaptureTools, "tool">,
): string {
  return evidenceJson({
    plan,
    reasons,
    evidence: parts.evidence,
    exercised: parts.exercised,
    tool: tools.tool,
    recovered: parts.recovered,
  });
}

/** E_USAGE where --also installed:NAME names none: asked before anything runs for long. */
export async function checkInstalled(machine: Machine, names: readonly string[]): Promise<void> {
  if (names.length > 0) installedSeeds(await loadInstalled(machine.files), names, machine);
}

function installedSeeds(installed: InstalledPackages, names: readonly string[], machine: Machine): Seed[] {
  return names.flatMap((name) => {
    if (installed.get(name) === undefined) {
      const like = installed.all().map((one) => one.name).filter((known) => known.includes(name) || name.includes(known)).slice(0, 10); // biome-ignore format: short
      throw new TranshipError(
        "E_USAGE",
        `no installed package ${JSON.stringify(name)} on ${machine.address}`,
        {
          hint:
            like.length > 0
              ? `there are: ${like.join(", ")}`
              : "`tranship discover` lists installed packages",
        },
      );
    }
    const reason: Reason = { kind: "installed", detail: name };
    return installed.filesOf(name).map((path) => ({ path, reason }));
  });
}
