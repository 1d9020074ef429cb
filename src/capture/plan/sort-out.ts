// What an expansion found, sorted: packed in which group, or left out and why.
import { mapLimit } from "../../base/map-limit.ts";
import type { Expansion } from "../../closure/expand.ts";
import type { Reason, ReasonKind } from "../../closure/reason.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes, unescapeBytes } from "../../formats/escape.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Secret } from "../../package/descriptor.ts";
import { pathText } from "../application/descriptor-text.ts";
import { secretIn } from "../application/secrets.ts";
import { groupOf, layerOf } from "../pack/layers.ts";
import { filterOf } from "./filters.ts";
import { KeptEntries } from "./kept-entries.ts";
import { neverPacked } from "./kernel-parts.ts";
import type { PlanRequest } from "./make-plan.ts";
import { type Exclusion, layerNames, type PlanGroup } from "./plan.ts";

export interface Sorted {
  groups: PlanGroup[];
  excluded: Exclusion[];
  secrets: Secret[];
  reasons: Map<ByteString, readonly Reason[]>;
  entries: ReadonlyMap<ByteString, Entry>;
  asOf: bigint;
}

export async function sortOut(
  request: PlanRequest,
  expansion: Expansion,
  system: Expansion,
): Promise<Sorted> {
  const leftOut = filterOf(request.filters);
  const keptSecrets = new Set(request.keepSecrets.map(unescapeBytes));
  const groups = new Map<string, PlanGroup>();
  // Not the expansions themselves: what else they hold is let go.
  const [own, shared] = [expansion.entries, system.entries];
  const entryOf = (path: ByteString) => own.get(path) ?? shared.get(path);
  const kept = new Map<ByteString, readonly Reason[]>();
  const result: Sorted = {
    groups: [],
    excluded: [],
    secrets: [],
    reasons: kept,
    entries: new KeptEntries(kept, entryOf),
    asOf: 0n,
  };
  const paths = merged(expansion, request.closure ? system : undefined);
  const secrets = await findSecrets(request.machine, paths, entryOf);
  for (const path of paths) {
    const entry = entryOf(path);
    const reasons = expansion.paths.get(path) ?? system.paths.get(path) ?? [];
    if (entry === undefined) continue;
    const never = neverPacked(path, entry.kind === "directory");
    const secret = secrets.get(path);
    const rule = onlyParent(reasons) ? undefined : leftOut(path, entry.kind === "directory");
    const log = request.logs?.has(path) === true && !reasons.some((reason) => reason.kind === "rule");
    if (never !== undefined || rule !== undefined || log || entry.kind === "socket") {
      const running = log ? "a log of the running program" : "a socket of a program that ran";
      result.excluded.push({ path, why: never ?? (rule === undefined ? running : `left out by ${rule}`) });
      continue;
    }
    if (secret !== undefined && !keptSecrets.has(path)) {
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
    kept.set(path, reasons);
    // A recovered file is a copy of ours: its ctime says nothing of the machine.
    if (entry.ctime > result.asOf && request.recovered?.has(path) !== true) result.asOf = entry.ctime;
  }
  const rank = (group: PlanGroup) => layerNames.indexOf(group.layer);
  result.groups = [...groups.values()].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  return result;
}

/** The system files are taken whole, so that applications of one machine share their layer by digest. */
function merged(expansion: Expansion, system: Expansion | undefined): ByteString[] {
  const all = [...expansion.paths.keys()];
  for (const path of system?.paths.keys() ?? []) if (!expansion.paths.has(path)) all.push(path);
  return all.sort();
}

const looksAtOnce = 256;

async function findSecrets(
  machine: Machine,
  paths: readonly ByteString[],
  entryOf: (path: ByteString) => Entry | undefined,
): Promise<Map<ByteString, string>> {
  const found = new Map<ByteString, string>();
  await mapLimit(paths, looksAtOnce, async (path) => {
    const entry = entryOf(path);
    const secret = entry === undefined ? undefined : await secretIn(machine.files, entry);
    if (secret !== undefined) found.set(secret.path, secret.reason);
  });
  return found;
}

/** Somebody asked for the path: without it the application may not do. */
const wanted: ReadonlySet<ReasonKind> = new Set(["traced", "rule", "installer", "configuration"]);

function onlyParent(reasons: readonly Reason[]): boolean {
  return reasons.every((reason) => reason.kind === "parent");
}
