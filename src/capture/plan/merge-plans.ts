// The union of plans: what several runs with different exercises showed becomes one plan, with the reasons of each.

import { TranshipError } from "../../base/errors.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { unescapeBytes } from "../../formats/escape.ts";
import type { Machine } from "../../machine/machine.ts";
import { statAll } from "../../machine/stat-all.ts";
import { learnedCapabilities } from "../../package/capabilities.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import type { CoverageLine } from "../evidence/coverage.ts";
import { type EvidenceDocument, readEvidenceDocument, whyOf } from "../evidence/evidence-document.ts";
import { openNeeds } from "../pack/unmet.ts";
import { largestOf } from "./largest.ts";
import type { Exclusion, Plan, PlanGroup } from "./plan.ts";

export interface PlanWithEvidence {
  plan: Plan;
  /** JSON text of the evidence document. */
  evidence: string;
}

/**
 * What `base` packs and leaves out stays so; what only `other` packs comes in, in its own groups. Programs, services, environment and
 * identity are those of `base`; ports, volumes, secrets, directories and schedules of both. Sizes are asked of the machine.
 */
export async function mergePlans(
  machine: Machine,
  base: PlanWithEvidence,
  other: PlanWithEvidence & { name: string },
): Promise<PlanWithEvidence> {
  refuseOtherMachine(base.plan.source.machine, other);
  refuseOfProcess(base.plan, other);
  const out = new Set(base.plan.excluded.map((one) => one.path));
  const here = new Set(base.plan.groups.flatMap((group) => group.files));
  const wanted = (path: ByteString): boolean => !here.has(path) && !out.has(path);
  const added = other.plan.groups.map((group) => ({ ...group, files: group.files.filter(wanted) }));
  const named = new Set([...base.plan.groups, ...added].flatMap((group) => group.files));
  const entries = await statAll(machine.files, [...named]);
  const groups = mergeGroups(base.plan.groups, added, entries);
  const packed = new Set(groups.flatMap((group) => group.files));
  const union = (key: "excluded" | "candidates" | "missing"): Exclusion[] =>
    sorted([...base.plan[key], ...other.plan[key]].filter((one) => !packed.has(one.path)));
  const { source } = base.plan;
  const evidence = mergeEvidence(documentOf(base), documentOf(other), packed);
  const needs = await openNeeds(machine, entries);
  const plan: Plan = {
    ...base.plan,
    source: { ...source, asOf: later(source.asOf, other.plan.source.asOf) },
    package: mergeDescriptors(base.plan.package, other.plan.package),
    groups,
    excluded: union("excluded"),
    candidates: union("candidates"),
    missing: sorted(uniqueBy([...union("missing"), ...needs.absent], (one) => `${one.path} ${one.why}`)),
    unmet: needs.unmet,
    ...editedOf(base.plan, other.plan, packed),
    absent: [...new Set([...base.plan.absent, ...other.plan.absent])]
      .filter((path) => !packed.has(path))
      .sort(),
    coverage: mergeCoverage(base.plan.coverage, other.plan.coverage),
    writes: uniqueBy([...base.plan.writes, ...other.plan.writes], (one) => `${one.to} ${one.path}`),
    data: uniqueBy([...base.plan.data, ...other.plan.data], (one) => one.path),
    largest: largestOf(groups, entries, (path) => whyOf(evidence, path).because[0] ?? ""),
  };
  return { plan, evidence: JSON.stringify(evidence) };
}

function editedOf(a: Plan, b: Plan, packed: ReadonlySet<ByteString>): Pick<Plan, "edited"> {
  const edited = [...(a.edited ?? []), ...(b.edited ?? [])].filter((one) => packed.has(one.path));
  return edited.length === 0 ? {} : { edited: sorted(uniqueBy(edited, (one) => one.path)) };
}

function later(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

/** E_USAGE; can be asked before there is a plan to join with. */
export function refuseOtherMachine(address: string, { plan, name }: { plan: Plan; name: string }): void {
  if (plan.source.machine === address) return;
  throw new TranshipError("E_USAGE", `the plan ${name} is of ${plan.source.machine}, not of ${address}`, {
    hint: "only plans of one machine can be joined",
  });
}

/** Files of a process can be read only while it runs, and not by their names alone. */
function refuseOfProcess(base: Plan, { plan, name }: { plan: Plan; name: string }): void {
  const ofProcess = [base, plan].find(
    (one) => one.source.process !== undefined || (one.recovered ?? []).length > 0,
  );
  if (ofProcess === undefined) return;
  throw new TranshipError(
    "E_USAGE",
    `the plan ${name} cannot be joined: one of the two is of a running process`,
    {
      hint: "files of a process's own root or that were recovered from it belong to its plan alone",
    },
  );
}

function mergeGroups(
  base: readonly PlanGroup[],
  added: readonly PlanGroup[],
  entries: ReadonlyMap<ByteString, Entry>,
): PlanGroup[] {
  const groups = new Map(base.map((group) => [`${group.layer} ${group.name}`, group]));
  for (const group of added) {
    if (group.files.length === 0) continue;
    const key = `${group.layer} ${group.name}`;
    const files = [...new Set([...(groups.get(key)?.files ?? []), ...group.files])].sort();
    const bytes = files.reduce((sum, path) => {
      const entry = entries.get(path);
      return sum + (entry?.kind === "file" ? entry.size : 0);
    }, 0);
    groups.set(key, { ...(groups.get(key) ?? group), files, bytes });
  }
  return [...groups.values()];
}

/** Learned from both, or from neither: what one run made a profile of is not enough for the other. */
function callsOf({ syscalls: one }: Descriptor, { syscalls: two }: Descriptor): Partial<Descriptor> {
  if (one.profile !== "learned") return {};
  if (two.profile !== "learned") return { syscalls: { profile: "default" }, capabilities: null };
  const calls = [...new Set([...(one.calls ?? []), ...(two.calls ?? [])])].sort();
  return { syscalls: { profile: "learned", calls }, capabilities: learnedCapabilities(calls) };
}

export function mergeDescriptors(base: Descriptor, other: Descriptor): Descriptor {
  const byPath = ({ path }: { path: string }) => path;
  const programs = new Set(base.programs.map((program) => program.name));
  const schedules = uniqueBy([...base.schedules, ...other.schedules], (one) => one.name);
  const ofSchedules = other.programs.filter(
    (program) => !programs.has(program.name) && schedules.some((one) => one.program === program.name),
  );
  return {
    ...base,
    ...callsOf(base, other),
    programs: [...base.programs, ...ofSchedules],
    schedules,
    ports: uniqueBy([...base.ports, ...other.ports], (one) => `${one.port}/${one.protocol}`),
    volumes: uniqueBy([...base.volumes, ...other.volumes], byPath),
    directories: uniqueBy([...base.directories, ...other.directories], byPath),
    secrets: uniqueBy([...base.secrets, ...other.secrets], (one) =>
      one.delivery === "mount" ? one.path : one.name,
    ),
  };
}

/** Exercised by one is exercised. Where the names were too many to be told, the better of the two counts. */
function mergeCoverage(base: readonly CoverageLine[], other: readonly CoverageLine[]): CoverageLine[] {
  const lines = base.map((line) => {
    const twin = other.find((one) => one.what === line.what);
    if (twin === undefined) return line;
    const never = line.never.filter((name) => twin.never.includes(name));
    const total = Math.max(line.total, twin.total);
    const whole = [line, twin].every(
      (one) => one.never.length === one.total - one.exercised && one.total === total,
    );
    const exercised = whole ? total - never.length : Math.max(line.exercised, twin.exercised);
    return { ...line, total, exercised, never };
  });
  return [...lines, ...other.filter((line) => !base.some((one) => one.what === line.what))];
}

function documentOf({ evidence }: PlanWithEvidence): EvidenceDocument {
  return readEvidenceDocument(Buffer.from(evidence), "a plan");
}

export function mergeEvidence(
  base: EvidenceDocument,
  other: EvidenceDocument,
  packed: ReadonlySet<ByteString>,
): EvidenceDocument {
  const reasons = [...base.reasons];
  const numbers = new Map(reasons.map((reason, index) => [reason, index]));
  const renumber = (number: number): number => {
    const reason = other.reasons[number] ?? "unknown";
    const known = numbers.get(reason);
    if (known !== undefined) return known;
    numbers.set(reason, reasons.length);
    return reasons.push(reason) - 1;
  };
  const paths: EvidenceDocument["paths"] = { ...base.paths };
  for (const [path, why] of Object.entries(other.paths)) {
    const before = Object.hasOwn(paths, path) ? (paths[path] ?? []) : [];
    if (before.length > 0 || packed.has(unescapeBytes(path)))
      paths[path] = [...new Set([...before, ...why.map(renumber)])];
  }
  const without = (table: Record<string, string>) =>
    Object.fromEntries(Object.entries(table).filter(([path]) => !Object.hasOwn(paths, path)));
  return {
    ...base,
    exercised: [...new Set([...base.exercised, ...other.exercised])],
    programs: uniqueBy([...base.programs, ...other.programs], (program) => program.path),
    reasons,
    paths,
    excluded: without({ ...other.excluded, ...base.excluded }),
    candidates: without({ ...other.candidates, ...base.candidates }),
    missing: without({ ...other.missing, ...base.missing }),
  };
}

function sorted(list: readonly Exclusion[]): Exclusion[] {
  return uniqueBy(list, (one) => `${one.path}\0${one.why}`).sort((a, b) =>
    a.path < b.path ? -1 : a.path > b.path ? 1 : 0,
  );
}

function uniqueBy<T>(values: readonly T[], key: (value: T) => string): T[] {
  const seen = new Map<string, T>();
  for (const value of values) if (!seen.has(key(value))) seen.set(key(value), value);
  return [...seen.values()];
}
