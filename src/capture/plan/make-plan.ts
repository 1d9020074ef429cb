// Evidence -> plan: what was seen, what that needs, what is left out; each path with its reasons.

import type { NamedData } from "../../closure/data-places.ts";
import { type Candidate, type Expansion, expand, type Seed } from "../../closure/expand.ts";
import type { InstalledPackages } from "../../closure/installed.ts";
import type { Reason } from "../../closure/reason.ts";
import type { Rule } from "../../closure/rule.ts";
import { kernelOpened } from "../../closure/rules/kernel-opened.ts";
import type { ByteString } from "../../formats/entry.ts";
import { unescapeBytes } from "../../formats/escape.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import {
  givenPorts,
  runtimeDirectories,
  servedPorts,
  startsOf,
  uniqueBy,
  volumesOf,
} from "../application/descriptor-parts.ts";
import { dataStates } from "../data/data-state.ts";
import type { Evidence } from "../evidence/evidence.ts";
import { describeReason } from "../evidence/reason-text.ts";
import { watchedParts } from "../evidence/watched-parts.ts";
import { editedFiles } from "../install/edited-files.ts";
import { openNeeds } from "../pack/unmet.ts";
import { absentPaths, includedSeeds, tracedSeeds } from "../seeds/seeds.ts";
import type { FilterRule } from "./filters.ts";
import { largestOf } from "./largest.ts";
import type { Exclusion, Plan } from "./plan.ts";
import { type Sorted, sortOut } from "./sort-out.ts";

export interface PlanRequest {
  machine: Machine;
  descriptor: Descriptor;
  installed: InstalledPackages;
  /** From a watched run; undefined for captures from a data base. */
  evidence: Evidence | undefined;
  /** The capture started the services and stopped them by their own stop commands. */
  startedAndStopped?: boolean;
  /** Further seeds: installed packages, --also. */
  seeds: readonly Seed[];
  /** Patterns of what is taken in besides. */
  include: readonly string[];
  /** What of all that stays, by the first rule that fits. */
  filters: readonly FilterRule[];
  volumes: readonly string[];
  /** What the configuration of its services says is data: taken whole, as volumes. */
  data?: readonly NamedData[];
  keepSecrets: readonly string[];
  closure: boolean;
  /** Without closure: these rules alone. For measuring what each step of the closure gives. */
  rules?: readonly Rule[];
  /** Files that the machine shows by their recovered content: path -> why. */
  recovered?: ReadonlyMap<ByteString, string>;
  /** Known before and not packed. */
  left?: readonly Exclusion[];
  /** Logs of a running program: left out whatever sweeps them in, for they change while they are packed. */
  logs?: ReadonlySet<ByteString>;
  /** What is taken, in the place of seeds and closure; it is given the system files. For captures of a whole machine. */
  expansion?: (system: Expansion) => Promise<TakenWhole>;
}

/** An expansion that was not asked for path by path: it tells what it left behind. */
export interface TakenWhole extends Expansion {
  left: readonly Exclusion[];
}

export interface PlannedCapture {
  plan: Plan;
  /** Every planned path with all of its reasons: becomes the evidence document. */
  reasons: Map<ByteString, readonly Reason[]>;
}

export async function makePlan(request: PlanRequest): Promise<PlannedCapture> {
  const { machine, evidence } = request;
  const seeds = [
    ...(await tracedSeeds(machine, evidence)),
    ...request.seeds,
    ...(await includedSeeds(machine, request.include)),
  ];
  const { sorted, missing, candidates, left } = await expandedAndSorted(request, seeds);
  const directories = await runtimeDirectories(machine, evidence, request.descriptor.directories);
  const descriptor: Descriptor = {
    ...request.descriptor,
    directories,
    ports: uniqueBy(
      [...request.descriptor.ports, ...servedPorts(evidence), ...givenPorts(request.descriptor)],
      (port) => `${port.port}/${port.protocol}`,
    ),
    volumes: await volumesOf(request, sorted.entries),
    secrets: [...request.descriptor.secrets, ...sorted.secrets],
  };
  const seen =
    evidence === undefined
      ? { coverage: [], writes: [] }
      : await watchedParts({ ...request, evidence, descriptor }, sorted);
  const edited = await editedFiles(machine, request.installed, sorted.entries);
  const needs = await openNeeds(
    machine,
    sorted.entries,
    new Set(missing.map((one) => `${one.reason.from}\0${one.path}`)),
  );
  const plan: Plan = {
    source: { machine: machine.address, asOf: sorted.asOf, evidence: undefined },
    package: descriptor,
    groups: sorted.groups,
    excluded: uniqueBy([...sorted.excluded, ...leftOut(request, left, sorted)], (one) => one.path).sort(
      byPath,
    ),
    candidates: candidates.map(candidateLine),
    missing: [
      ...missing.map((one) => ({ path: one.path, why: describeReason(one.reason) })),
      ...unmatched(request, seeds, sorted.entries),
      ...needs.absent,
    ].sort(byPath),
    absent: await absentPaths(machine, evidence),
    unmet: needs.unmet,
    ...seen,
    data: dataStates(machine, descriptor),
    ...(edited.length === 0 ? {} : { edited }),
    largest: largestOf(sorted.groups, sorted.entries, (path) => mostTelling(sorted.reasons.get(path))),
    ...(evidence?.agreement === undefined ? {} : { witnesses: evidence.agreement }),
  };
  return { plan, reasons: sorted.reasons };
}

/** In a function of its own: what an expansion knows of each path is let go when it is sorted. */
async function expandedAndSorted(
  request: PlanRequest,
  seeds: readonly Seed[],
): Promise<{ sorted: Sorted } & Pick<TakenWhole, "missing" | "candidates" | "left">> {
  const system = await expand(request.machine.files, [], { installed: request.installed });
  const expansion = await expansionOf(request, seeds, system);
  const sorted = await sortOut(request, expansion, system);
  const { missing, candidates, left = [] } = expansion;
  return { sorted, missing, candidates, left };
}

function leftOut(request: PlanRequest, behind: readonly Exclusion[], sorted: Sorted): Exclusion[] {
  const left = [...behind, ...(request.left ?? []).filter((one) => !sorted.entries.has(one.path))];
  return left.map(({ path, why }) => ({ path, why }));
}

/** Without closure: the seeds with the links and directories on the way to them, and what the kernel opened beside them. */
async function expansionOf(
  request: PlanRequest,
  seeds: readonly Seed[],
  system: Expansion,
): Promise<Expansion & Partial<TakenWhole>> {
  const { machine, installed, rules } = request;
  if (request.expansion !== undefined) return await request.expansion(system);
  return await expand(
    machine.files,
    seeds,
    request.closure
      ? { installed, starts: startsOf(request.descriptor), data: request.data ?? [] }
      : { installed, rules: rules ?? [kernelOpened()] },
  );
}

/** Flags that fit nothing: a typing error must not pass in silence. */
function unmatched(request: PlanRequest, seeds: readonly Seed[], entries: Sorted["entries"]): Exclusion[] {
  const found: Exclusion[] = [];
  for (const pattern of request.include) {
    if (!seeds.some((seed) => seed.reason.detail === `--include ${pattern}`))
      found.push({ path: unescapeBytes(pattern), why: "asked for: --include" });
  }
  for (const path of request.keepSecrets)
    if (!path.startsWith("env:") && !entries.has(unescapeBytes(path)))
      found.push({ path: unescapeBytes(path), why: "asked for: --keep-secret" });
  return found;
}

function mostTelling(reasons: readonly Reason[] | undefined): string {
  return reasons?.[0] === undefined ? "" : describeReason(reasons[0]);
}

function byPath(a: Exclusion, b: Exclusion): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

function candidateLine(candidate: Candidate): Exclusion {
  return { path: candidate.path, why: `${candidate.because} (${describeReason(candidate.reason)})` };
}
