// What an expansion found, sorted: packed in which group, or left out and why.
import type { Expansion } from "../closure/expand.ts";
import type { Reason, ReasonKind } from "../closure/reason.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { escapeBytes, unescapeBytes } from "../formats/escape.ts";
import type { Machine } from "../machine/machine.ts";
import type { Secret } from "../package/descriptor.ts";
import { pathText } from "./descriptor-text.ts";
import { filterOf } from "./filters.ts";
import { neverPacked } from "./kernel-parts.ts";
import { groupOf, layerOf } from "./layers.ts";
import type { PlanRequest } from "./make-plan.ts";
import { type Exclusion, layerNames, type PlanGroup } from "./plan.ts";
import { secretIn } from "./secrets.ts";

export interface Sorted {
  groups: PlanGroup[];
  excluded: Exclusion[];
  secrets: Secret[];
  reasons: Map<ByteString, readonly Reason[]>;
  entries: Map<ByteString, Entry>;
  asOf: bigint;
}

export async function sortOut(
  request: PlanRequest,
  expansion: Expansion,
  system: Expansion,
): Promise<Sorted> {
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
