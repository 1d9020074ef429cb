// Where an expansion begins: what was seen in a watched run, and what --include asks for.
import { mapLimit } from "../../base/map-limit.ts";
import type { Seed } from "../../closure/expand.ts";
import type { ByteString } from "../../formats/entry.ts";
import { isUnreadable, type Machine } from "../../machine/machine.ts";
import { type Evidence, snapshotUses, type Use } from "../evidence/evidence.ts";
import { parsePattern } from "../plan/filters.ts";
import { neverPacked } from "../plan/kernel-parts.ts";

/** The use by which a path is told; "list" of a directory asks for all of its names. */
const mostTelling: readonly Use[] = [
  "list",
  "exec",
  "read",
  "write",
  "create",
  "argument",
  "directory",
  "variable",
];

/** What was found on the source and not made by the run itself. A path that the run made speaks for its directory. */
export async function tracedSeeds(machine: Machine, evidence: Evidence | undefined): Promise<Seed[]> {
  const seeds: Seed[] = [];
  // In an order of their own: which of two services came first at a file must not tell in the package.
  for (const [path, seen] of [...(evidence?.paths ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!seen.found || neverPacked(path, true) !== undefined) continue;
    const detail =
      mostTelling.find((use) => seen.uses.has(use)) ?? [...seen.uses.keys()].sort()[0] ?? "other";
    const [from = "", ...others] = seen.uses.get(detail) ?? [];
    const only = seen.traced ? {} : { witnessOnly: true };
    // The file witness cannot tell what the run made: what was written and is not on the source was.
    const made =
      seen.madeByRun ||
      (!seen.traced && seen.uses.has("write") && (await machine.files.stat(path)) === undefined);
    if (made)
      seeds.push({
        path: parentOf(path),
        reason: { kind: "traced", from, detail: seen.uses.has("log") ? "log" : "create", ...only },
      });
    else seeds.push({ path, reason: { kind: "traced", from, detail, ...only } });
    // Rules go by the first; the others are for people.
    for (const other of made ? [] : others)
      seeds.push({ path, reason: { kind: "traced", from: other, detail, ...only } });
    for (const use of made ? [] : snapshotUses)
      if (use !== detail && seen.uses.has(use))
        seeds.push({ path, reason: { kind: "traced", from: seen.uses.get(use)?.[0] ?? "", detail: use } });
  }
  const known = await mapLimit(seeds, 512, (seed) => onSource(machine, seed));
  return known.filter((seed) => seed !== undefined);
}

/** A directory that only exists because the run made it is not on the source: the one above it, where it was made, is. */
async function onSource(machine: Machine, seed: Seed): Promise<Seed | undefined> {
  let { path } = seed;
  while ((await machine.files.stat(path)) === undefined) {
    if (path === "/" || !/^(create|log)$/.test(seed.reason.detail ?? "")) return undefined;
    path = parentOf(path);
  }
  return path === seed.path ? seed : { ...seed, path };
}

/** Absences that are recorded; a program that tries more names makes them up. */
const maxAbsent = 20_000;

/** What the application looked for in vain and the source does not have, in byte order: it has to be absent in the package as well. */
export async function absentPaths(machine: Machine, evidence: Evidence | undefined): Promise<ByteString[]> {
  const looked = [...(evidence?.paths ?? [])]
    .filter(([path, seen]) => seen.absent && !seen.found && neverPacked(path, false) === undefined)
    .map(([path]) => path)
    .filter((path) => path.startsWith("/"))
    .sort()
    .slice(0, maxAbsent);
  const there = await mapLimit(looked, 512, (path) => machine.files.stat(path));
  return looked.filter((_, index) => there[index] === undefined);
}

/** Not walked for a pattern that could fit anywhere: what is there lives while a system runs. */
const liveOnly = ["/proc", "/sys", "/dev", "/run"];

/** What fits a pattern; a directory that fits means all that is below it. */
export async function includedSeeds(machine: Machine, patterns: readonly string[]): Promise<Seed[]> {
  const seeds: Seed[] = [];
  for (const text of patterns) {
    const pattern = parsePattern(text, "--include");
    const inside = new Set<ByteString>();
    const exclude = pattern.base === "/" ? { exclude: liveOnly } : {};
    for await (const entry of machine.files.walk(pattern.base, exclude)) {
      if (isUnreadable(entry)) continue;
      const isDirectory = entry.kind === "directory";
      const taken = inside.has(parentOf(entry.path)) || pattern.fits(entry.path, isDirectory);
      if (!taken) continue;
      if (isDirectory) inside.add(entry.path);
      seeds.push({ path: entry.path, reason: { kind: "rule", detail: `--include ${text}` } });
    }
  }
  return seeds;
}

export function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}
