// What of a plan is there to be packed now, and whether it is still what was planned.
import { TranshipError } from "../../base/errors.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import type { EntryTable } from "../../formats/entry-table.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import { isUnreadable, type Machine } from "../../machine/machine.ts";
import { statAll } from "../../machine/stat-all.ts";
import { secretIn } from "../application/secrets.ts";
import { neverPacked } from "../plan/kernel-parts.ts";
import type { Plan, PlanGroup } from "../plan/plan.ts";

export interface Deviation {
  path: ByteString;
  what: "changed" | "gone" | "new";
  /** In a volume: data changes, and is taken as it is now. */
  data: boolean;
}

export interface CurrentEntries {
  /** The plan with the new files of its volumes. */
  plan: Plan;
  entries: EntryTable;
  deviations: Deviation[];
}

/**
 * Files below a volume are data and taken as they are now, also those that are new since the plan (their ctime is later than
 * `asOf`; an older one was left out on purpose). Of all others E_SOURCE_CHANGED names what is gone or was changed, unless `accept`.
 */
export async function currentEntries(machine: Machine, plan: Plan, accept: boolean): Promise<CurrentEntries> {
  const paths = [...new Set(plan.groups.flatMap((group) => group.files))].sort();
  const isData = dataTest(plan);
  // Ours, with times of their own; their digests were held against the plan.
  const recovered = new Set(plan.recovered?.map((one) => one.path));
  const deviations: Deviation[] = [];
  const entries = await statAll(machine.files, paths);
  for (const path of paths) {
    const entry = entries.get(path);
    // A directory's times change with what is made inside of it; its files speak for themselves.
    if (entry === undefined) deviations.push({ path, what: "gone", data: isData(path) });
    else if (entry.ctime > plan.source.asOf && entry.kind !== "directory" && !recovered.has(path))
      deviations.push({ path, what: "changed", data: isData(path) });
  }
  if (!accept) refuse(machine, deviations);
  const added = await newData(machine, plan, entries);
  for (const entry of added.entries) {
    entries.set(entry.path, entry);
    deviations.push({ path: entry.path, what: "new", data: true });
  }
  refuseBelowLinks(entries);
  return { plan: { ...plan, groups: [...plan.groups, ...added.groups] }, entries, deviations };
}

function refuse(machine: Machine, deviations: readonly Deviation[]): void {
  const changed = deviations.filter((one) => !one.data).map((one) => escapeBytes(one.path));
  if (changed.length === 0) return;
  throw new TranshipError(
    "E_SOURCE_CHANGED",
    `${changed.length} files of ${machine.address} are gone or changed since the plan was made: ${changed.slice(0, 5).join(", ")}`,
    {
      hint: "stop what writes there, then make the plan anew; or pack what is there now with --accept-changes",
      details: { changed: changed.slice(0, 1000) },
    },
  );
}

function volumePaths(plan: Plan): ByteString[] {
  return plan.package.volumes.filter((one) => one.initial === "copy").map((one) => encodeText(one.path));
}

function dataTest(plan: Plan): (path: ByteString) => boolean {
  const volumes = volumePaths(plan);
  return (path) => volumes.some((volume) => path.startsWith(`${volume}/`));
}

/** What was made in a volume after the plan, with a group for each layer that it goes to. */
async function newData(
  machine: Machine,
  plan: Plan,
  known: ReadonlyMap<ByteString, Entry>,
): Promise<{ entries: Entry[]; groups: PlanGroup[] }> {
  const entries: Entry[] = [];
  const groups: PlanGroup[] = [];
  const out = new Set(plan.excluded.map((one) => one.path));
  for (const volume of volumePaths(plan)) {
    const home = plan.groups.find((group) => group.files.includes(volume));
    if (home === undefined || known.get(volume)?.kind !== "directory") continue;
    const files: Entry[] = [];
    for await (const one of machine.files.walk(volume)) {
      if (isUnreadable(one) || known.has(one.path) || one.ctime <= plan.source.asOf) continue;
      if (
        one.kind === "socket" ||
        out.has(one.path) ||
        neverPacked(one.path, one.kind === "directory") !== undefined
      )
        continue;
      if ((await secretIn(machine.files, one)) === undefined) files.push(one);
    }
    if (files.length === 0) continue;
    entries.push(...files);
    const bytes = files.reduce((sum, one) => sum + (one.kind === "file" ? one.size : 0), 0);
    const why = `new in the volume ${escapeBytes(volume)} since the plan was made`;
    groups.push({ name: home.name, layer: home.layer, why, bytes, files: files.map((one) => one.path) });
  }
  return { entries, groups };
}

/** A file below a link would land elsewhere when the package is unpacked. */
function refuseBelowLinks(entries: EntryTable): void {
  const known = new Set<ByteString>(["/"]);
  for (const path of entries.keys()) {
    // What is above a directory that was looked at was looked at.
    if (known.has(path.slice(0, Math.max(1, path.lastIndexOf("/"))))) continue;
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      const directory = path.slice(0, at);
      const kind = entries.kindOf(directory);
      if (kind === undefined || kind === "directory") {
        known.add(directory);
        continue;
      }
      throw new TranshipError(
        "E_PLAN_INVALID",
        `the plan holds ${escapeBytes(path)}, but ${escapeBytes(directory)} is not a directory`,
        { hint: "name the file by its canonical path, without links on the way" },
      );
    }
  }
}
