// What an observed instance missed: its failed lookups held against what the capture knew, and against the source where it can be asked.
import type { Seed } from "../../closure/expand.ts";
import type { Reason } from "../../closure/reason.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Machine } from "../../machine/machine.ts";
import type { EvidenceDocument } from "../evidence/evidence-document.ts";
import type { Lookup } from "../evidence/reduce-lookups.ts";
import { neverPacked } from "../plan/kernel-parts.ts";

/**
 * fetched, refused: by a tethered instance, from its source.
 * left out, reachable: the capture knew of it and did not pack it. on the source: it did not. never packed: there, and no package may hold it.
 * interpreter: the program is packed, what should run it is not. absent: on the source neither. unknown: on no list, and the source was not asked.
 */
export const missStates = [
  "fetched",
  "refused",
  "left out",
  "reachable",
  "on the source",
  "interpreter",
  "never packed",
  "absent",
  "unknown",
] as const;
export type MissState = (typeof missStates)[number];

export interface Miss extends Lookup {
  readonly state: MissState;
  readonly why: string;
}

export interface MissRequest {
  readonly lookups: Iterable<Lookup>;
  /** Of the package; undefined where it carries none. */
  readonly evidence: EvidenceDocument | undefined;
  /** The living source, where it can be asked. */
  readonly machine: Machine | undefined;
  /** The package's own name of a path, by its symbolic links. */
  readonly canonical: (path: ByteString) => ByteString;
}

/** Sorted by state and path. What the package has (and had not yet, or no more, when it was looked for) is no miss. */
export async function judgeLookups(request: MissRequest): Promise<Miss[]> {
  const looked = [...request.lookups];
  const misses: Miss[] = [];
  // The machine answers in order: asked in batches, so that no answer is waited for alone.
  for (let at = 0; at < looked.length; at += 500) {
    const judged = await Promise.all(looked.slice(at, at + 500).map((lookup) => judge(lookup, request)));
    misses.push(...judged.filter((one) => one !== undefined));
  }
  const rank = ({ state }: Miss): number => missStates.indexOf(state);
  return misses.sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1));
}

async function judge(lookup: Lookup, request: MissRequest): Promise<Miss | undefined> {
  const { evidence, machine } = request;
  const key = escapeBytes(request.canonical(lookup.path));
  const has = (table: Record<string, unknown> | undefined, name: string): boolean =>
    table !== undefined && Object.hasOwn(table, name);
  if (has(evidence?.paths, key)) {
    return lookup.use === "exec"
      ? { ...lookup, state: "interpreter", why: "packed, but not the interpreter or loader that it names" }
      : undefined;
  }
  if (has(evidence?.excluded, key))
    return { ...lookup, state: "left out", why: evidence?.excluded[key] ?? "" };
  if (has(evidence?.candidates, key))
    return { ...lookup, state: "reachable", why: evidence?.candidates[key] ?? "" };
  if (machine === undefined) return { ...lookup, state: "unknown", why: "on no list of the package" };
  const resolved = await machine.files.resolve(lookup.path);
  const entry = resolved.entry ?? resolved.links.at(-1);
  if (
    entry === undefined ||
    (resolved.entry === undefined && resolved.links.every((l) => l.path !== lookup.path))
  )
    return { ...lookup, state: "absent", why: "on the source neither" };
  const never = neverPacked(entry.path, entry.kind === "directory");
  if (never !== undefined) return { ...lookup, state: "never packed", why: never };
  return { ...lookup, state: "on the source", why: `a ${entry.kind} that the package lacks` };
}

/** Those that a person asked for: without what the source lacks too and what nobody could tell. */
export function toldMisses(misses: readonly Miss[]): Miss[] {
  return misses.filter(({ state }) => state !== "absent" && state !== "unknown");
}

/** Names below a missing directory that come along with it. */
const maxChildren = 20_000;

/** Seeds for what of the lookups the source has. A directory that was to be opened comes with its names: whoever lists it acts on them. */
export async function missedSeeds(machine: Machine, lookups: readonly Lookup[]): Promise<Seed[]> {
  const seeds: Seed[] = [];
  for (const { path, use, by, fetched } of [...lookups].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const { entry } = await machine.files.resolve(path);
    if (entry === undefined || neverPacked(entry.path, entry.kind === "directory") !== undefined) continue;
    const how = fetched === true ? { missed: true, tethered: true } : { missed: true };
    const reason: Reason = { kind: "traced", from: by, detail: use, ...how };
    const listed = entry.kind === "directory" && (use === "read" || use === "list");
    seeds.push({ path, reason: listed ? { ...reason, detail: "list" } : reason });
    if (!listed) continue;
    for (const child of ((await machine.files.list(path)) ?? []).slice(0, maxChildren))
      if (neverPacked(child.path, child.kind === "directory") === undefined)
        seeds.push({ path: child.path, reason });
  }
  return seeds;
}
