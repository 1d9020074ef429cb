// Evidence -> plan: what was seen, what that needs, what is left out; each path with its reasons.

import { formatSize } from "../base/units.ts";
import { type Candidate, type Expansion, expand, type Seed } from "../closure/expand.ts";
import type { InstalledPackages } from "../closure/installed.ts";
import type { ProgramStart } from "../closure/program-start.ts";
import type { Reason, ReasonKind } from "../closure/reason.ts";
import type { Rule } from "../closure/rule.ts";
import { kernelOpened } from "../closure/rules/kernel-opened.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { encodeText, escapeBytes, unescapeBytes } from "../formats/escape.ts";
import type { Machine } from "../machine/machine.ts";
import type { Descriptor, RuntimeDirectory, Secret, Volume } from "../package/descriptor.ts";
import { dataStates } from "./data-state.ts";
import { pathText } from "./descriptor-text.ts";
import { editedFiles } from "./edited-files.ts";
import type { Evidence } from "./evidence.ts";
import { type FilterRule, filterOf } from "./filters.ts";
import { neverPacked } from "./kernel-parts.ts";
import { largestOf } from "./largest.ts";
import { groupOf, layerOf } from "./layers.ts";
import { type Exclusion, layerNames, type Plan, type PlanGroup } from "./plan.ts";
import { describeReason } from "./reason-text.ts";
import { isLoopback } from "./reduce.ts";
import { secretIn } from "./secrets.ts";
import { absentPaths, includedSeeds, parentOf, tracedSeeds } from "./seeds.ts";
import { unmetNeeds } from "./unmet.ts";
import { dataDirectories } from "./volumes.ts";
import { watchedParts } from "./watched-parts.ts";

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
  const system = await expand(machine.files, [], { installed: request.installed });
  const expansion = await expansionOf(request, seeds, system);
  const sorted = await sortOut(request, expansion, system);
  const directories = [...request.descriptor.directories, ...(await runtimeDirectories(machine, evidence))];
  const descriptor: Descriptor = {
    ...request.descriptor,
    directories: uniqueBy(directories, (directory) => directory.path),
    ports: uniqueBy(
      [...request.descriptor.ports, ...servedPorts(evidence)],
      (port) => `${port.port}/${port.protocol}`,
    ),
    volumes: volumesOf(request, sorted.entries),
    secrets: [...request.descriptor.secrets, ...sorted.secrets],
  };
  const seen =
    evidence === undefined
      ? { coverage: [], writes: [] }
      : await watchedParts({ ...request, evidence, descriptor }, sorted);
  const edited = await editedFiles(machine, request.installed, sorted.entries);
  const plan: Plan = {
    source: { machine: machine.address, asOf: sorted.asOf, evidence: undefined },
    package: descriptor,
    groups: sorted.groups,
    excluded: uniqueBy([...sorted.excluded, ...leftOut(request, expansion, sorted)], (one) => one.path).sort(
      byPath,
    ),
    candidates: expansion.candidates.map(candidateLine),
    missing: [
      ...expansion.missing.map((one) => ({ path: one.path, why: describeReason(one.reason) })),
      ...unmatched(request, seeds, sorted.entries),
    ].sort(byPath),
    absent: await absentPaths(machine, evidence),
    unmet: await unmetNeeds(
      machine,
      sorted.entries,
      new Set(expansion.missing.map((one) => `${one.reason.from}\0${one.path}`)),
    ),
    ...seen,
    data: dataStates(machine, descriptor),
    ...(edited.length === 0 ? {} : { edited }),
    largest: largestOf(sorted.groups, sorted.entries, (path) => mostTelling(sorted.reasons.get(path))),
    ...(evidence?.agreement === undefined ? {} : { witnesses: evidence.agreement }),
  };
  return { plan, reasons: sorted.reasons };
}

function leftOut(request: PlanRequest, expansion: Partial<TakenWhole>, sorted: Sorted): Exclusion[] {
  const left = [
    ...(expansion.left ?? []),
    ...(request.left ?? []).filter((one) => !sorted.entries.has(one.path)),
  ];
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
      ? { installed, starts: startsOf(request.descriptor) }
      : { installed, rules: rules ?? [kernelOpened()] },
  );
}

function startsOf(descriptor: Descriptor): ProgramStart[] {
  return descriptor.programs.map((program) => {
    const variables = Object.entries({ ...descriptor.environment, ...program.environment });
    return {
      name: program.name,
      command: program.command.map(encodeText),
      variables: Object.fromEntries(variables.map(([name, value]) => [name, encodeText(value)])),
      workingDirectory: encodeText(program.workingDirectory ?? "/"),
    };
  });
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

interface Sorted {
  groups: PlanGroup[];
  excluded: Exclusion[];
  secrets: Secret[];
  reasons: Map<ByteString, readonly Reason[]>;
  entries: Map<ByteString, Entry>;
  asOf: bigint;
}

async function sortOut(request: PlanRequest, expansion: Expansion, system: Expansion): Promise<Sorted> {
  const leftOut = filterOf(request.filters);
  const kept = new Set(request.keepSecrets.map(unescapeBytes));
  const groups = new Map<string, PlanGroup>();
  const result: Sorted = {
    groups: [],
    excluded: [],
    secrets: [],
    reasons: new Map(),
    entries: new Map(),
    asOf: 0n,
  };
  const paths = merged(expansion, request.closure ? system : undefined);
  const secrets = await findSecrets(
    request.machine,
    paths.map(([, , entry]) => entry),
  );
  for (const [path, reasons, entry] of paths) {
    const never = neverPacked(path, entry.kind === "directory");
    const secret = secrets.get(path);
    const rule = onlyParent(reasons) ? undefined : leftOut(path, entry.kind === "directory");
    const log = request.logs?.has(path) === true && !reasons.some((reason) => reason.kind === "rule");
    if (never !== undefined || rule !== undefined || log || entry.kind === "socket") {
      const running = log ? "a log of the running program" : "a socket of a program that ran";
      result.excluded.push({ path, why: never ?? (rule === undefined ? running : `left out by ${rule}`) });
      continue;
    }
    if (secret !== undefined && !kept.has(path)) {
      result.excluded.push({
        path,
        why: `secret: ${secret}; give it with --secret, or pack it with --keep-secret`,
      });
      // What the base rules alone sweep in was asked for by nobody: the application can do without.
      if (reasons.some((reason) => wanted.has(reason.kind))) {
        result.secrets.push({
          path: pathText(path),
          delivery: "mount",
          required: reasons.some((reason) => reason.kind === "traced"),
          reason: secret,
        });
      }
      continue;
    }
    const layer = layerOf(path, reasons, system.paths.has(path));
    const { name, why } = groupOf(path, reasons, layer);
    const key = `${layer} ${name}`;
    const group = groups.get(key) ?? {
      name: escapeBytes(name),
      layer,
      why: escapeBytes(why),
      bytes: 0,
      files: [],
    };
    groups.set(key, group);
    group.files.push(path);
    if (entry.kind === "file") group.bytes += entry.size;
    result.reasons.set(path, reasons);
    result.entries.set(path, entry);
    // A recovered file is a copy of ours: its ctime says nothing of the machine.
    if (entry.ctime > result.asOf && request.recovered?.has(path) !== true) result.asOf = entry.ctime;
  }
  const rank = (group: PlanGroup) => layerNames.indexOf(group.layer);
  result.groups = [...groups.values()].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  return result;
}

/** The system files are taken whole, so that applications of one machine share their layer by digest. */
function merged(
  expansion: Expansion,
  system: Expansion | undefined,
): [ByteString, readonly Reason[], Entry][] {
  const all: [ByteString, readonly Reason[], Entry][] = [];
  for (const from of system === undefined ? [expansion] : [expansion, system]) {
    for (const [path, reasons] of from.paths) {
      const entry = from.entries.get(path);
      if (entry === undefined || (from === system && expansion.paths.has(path))) continue;
      all.push([path, reasons, entry]);
    }
  }
  return all.sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

async function findSecrets(machine: Machine, entries: readonly Entry[]): Promise<Map<ByteString, string>> {
  const found = await Promise.all(entries.map((entry) => secretIn(machine.files, entry)));
  return new Map(
    found.filter((secret) => secret !== undefined).map((secret) => [secret.path, secret.reason]),
  );
}

/** Somebody asked for the path: without it the application may not do. */
const wanted: ReadonlySet<ReasonKind> = new Set(["traced", "rule", "installer", "configuration"]);

function onlyParent(reasons: readonly Reason[]): boolean {
  return reasons.every((reason) => reason.kind === "parent");
}

/** Directories below /run that the application used and that the source has: a fresh /run does not. */
async function runtimeDirectories(
  machine: Machine,
  evidence: Evidence | undefined,
): Promise<RuntimeDirectory[]> {
  const found = new Map<ByteString, RuntimeDirectory>();
  for (const [path, seen] of evidence?.paths ?? []) {
    if (!seen.found || !/^\/(var\/)?(run|lock)\/./.test(path)) continue;
    const resolution = await machine.files.resolve(seen.madeByRun ? parentOf(path) : path);
    const entry = resolution.entry;
    if (entry?.kind !== "directory" || !/^\/run\/./.test(entry.path)) continue;
    found.set(entry.path, {
      path: pathText(entry.path),
      mode: `0${entry.mode.toString(8)}`,
      uid: entry.uid,
      gid: entry.gid,
    });
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Ports on which the application listened for others. */
function servedPorts(evidence: Evidence | undefined): Descriptor["ports"][number][] {
  const served = (evidence?.listeners ?? []).filter((one) => !isLoopback(one.address));
  return served.map((one) => ({ port: one.port, protocol: one.protocol })).sort((a, b) => a.port - b.port);
}

function volumesOf(request: PlanRequest, entries: ReadonlyMap<ByteString, Entry>): Volume[] {
  const isDirectory = (path: ByteString) => entries.get(path)?.kind === "directory";
  const written = request.evidence === undefined ? [] : dataDirectories(request.evidence, isDirectory);
  const asked = request.volumes.map((path) => unescapeBytes(path));
  const make = (path: ByteString, reason: string): Volume => {
    const size = sizeBelow(path, entries);
    return {
      path: pathText(path),
      // An empty directory is copied too: its owner and mode decide who may write there.
      initial: isDirectory(path) ? "copy" : "none",
      reason,
      size: formatSize(size).replace(" ", ""),
    };
  };
  const volumes = [
    ...request.descriptor.volumes,
    ...asked.map((path) => make(path, "asked for")),
    ...written.filter((path) => entries.has(path)).map((path) => make(path, "written while traced")),
  ];
  return uniqueBy(volumes, (volume) => volume.path);
}

function sizeBelow(path: ByteString, entries: ReadonlyMap<ByteString, Entry>): number {
  let size = 0;
  for (const [at, entry] of entries)
    if (entry.kind === "file" && at.startsWith(`${path}/`)) size += entry.size;
  return size;
}

function candidateLine(candidate: Candidate): Exclusion {
  return { path: candidate.path, why: `${candidate.because} (${describeReason(candidate.reason)})` };
}

function uniqueBy<T>(values: readonly T[], key: (value: T) => string): T[] {
  const seen = new Map<string, T>();
  for (const value of values) if (!seen.has(key(value))) seen.set(key(value), value);
  return [...seen.values()];
}
