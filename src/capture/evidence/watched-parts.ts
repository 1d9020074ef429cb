// The parts of a plan that only a watched run can tell: what it exercised, and where what it wrote goes.
import type { Reason } from "../../closure/reason.ts";
import { findService, readServices } from "../../discover/services.ts";
import { Source } from "../../discover/source.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { writeMap } from "../data/write-map.ts";
import type { Plan, PlanGroup } from "../plan/plan.ts";
import { coverageOf } from "./coverage.ts";
import type { Evidence } from "./evidence.ts";

export interface Watched {
  machine: Machine;
  evidence: Evidence;
  descriptor: Descriptor;
  startedAndStopped?: boolean;
}

export interface Planned {
  groups: readonly PlanGroup[];
  reasons: ReadonlyMap<ByteString, readonly Reason[]>;
  entries: ReadonlyMap<ByteString, Entry>;
}

export async function watchedParts(
  watched: Watched,
  planned: Planned,
): Promise<Pick<Plan, "coverage" | "writes">> {
  const { machine, evidence, descriptor } = watched;
  const coverage = coverageOf({
    evidence,
    descriptor,
    reloadable: await reloadable(machine, descriptor),
    startedAndStopped: watched.startedAndStopped === true,
    groups: planned.groups,
    reasons: planned.reasons,
    isFile: (path) => planned.entries.get(path)?.kind === "file",
  });
  return { coverage, writes: writeMap(evidence, descriptor) };
}

/** Services whose unit or script on the machine says that they know how to reload, with the signals that do it. */
async function reloadable(machine: Machine, descriptor: Descriptor): Promise<Map<string, Set<number>>> {
  const found = new Map<string, Set<number>>();
  if (descriptor.services.length === 0) return found;
  const source = new Source(machine.files);
  const known = await readServices(source);
  for (const { name } of descriptor.services) {
    const fact = findService(known, name);
    const texts = await Promise.all((fact?.from ?? []).map((file) => source.text(file)));
    const knowing = texts.filter((text) => text !== undefined).filter((text) => knowsReload.test(text));
    if (knowing.length > 0) found.set(name, reloadSignals(name, knowing));
  }
  return found;
}

/** By their numbers. HUP is what nearly all daemons take; another one where the unit or the script sends it, or the daemon is known. */
function reloadSignals(name: string, texts: readonly string[]): Set<number> {
  const signals = new Set([1]);
  const usr1 =
    /^(apache2?|httpd)/.test(name) || texts.some((text) => /^\s*ExecReload\s*=.*\b(SIG)?USR1\b/m.test(text));
  const usr2 =
    /^(php.*fpm|haproxy)/.test(name) ||
    texts.some((text) => /^\s*ExecReload\s*=.*\b(SIG)?USR2\b/m.test(text));
  if (usr1) signals.add(10);
  if (usr2) signals.add(12);
  return signals;
}

/** ExecReload of a unit, or a branch of a script's case. */
const knowsReload = /^\s*(?:ExecReload\s*=\s*\S|\(?(?:[\w-]+\s*\|\s*)*(["']?)reload\1\s*[|)])/m;
