// The difference of two plans: what the package of the second would hold that the first's would not, and the other way round.
import { z } from "zod";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import type { Exclusion, LayerName, Plan } from "./plan.ts";

const count = z.object({ before: z.number(), after: z.number() });
const placed = z.array(z.object({ path: z.string(), layer: z.string(), group: z.string() }));
const listed = z.object({ added: z.array(z.string()), removed: z.array(z.string()) });

/** What `plan diff --format json` gives; paths are texts as in a plan. */
export const planDifferenceSchema = z.object({
  schema: z.literal("tranship/plan-difference"),
  version: z.literal(1),
  /** Nothing below but the totals. Machine and time of the plans do not count. */
  same: z.boolean(),
  files: count,
  bytes: count,
  groups: z.array(z.object({ name: z.string(), layer: z.string(), files: count, bytes: count })),
  added: placed,
  removed: placed,
  moved: z.array(z.object({ path: z.string(), from: z.string(), to: z.string() })),
  package: z.array(z.object({ key: z.string(), before: z.unknown(), after: z.unknown() })),
  excluded: listed,
  candidates: listed,
  missing: listed,
  unmet: listed,
});

export type PlanDifference = z.output<typeof planDifferenceSchema>;

interface Place {
  layer: LayerName;
  group: string;
}

export function diffPlans(before: Plan, after: Plan): PlanDifference {
  const [old, fresh] = [placesOf(before), placesOf(after)];
  const only = (here: ReadonlyMap<ByteString, Place>, there: ReadonlyMap<ByteString, Place>) =>
    [...here]
      .filter(([path]) => !there.has(path))
      .map(([path, place]) => ({ path: escapeBytes(path), ...place }));
  const moved = [...fresh].flatMap(([path, { layer }]) => {
    const from = old.get(path)?.layer;
    return from === undefined || from === layer ? [] : [{ path: escapeBytes(path), from, to: layer }];
  });
  const difference = {
    groups: diffGroups(before, after),
    added: only(fresh, old),
    removed: only(old, fresh),
    moved,
    package: diffDescriptors(before.package, after.package),
    excluded: diffLists(before.excluded, after.excluded),
    candidates: diffLists(before.candidates, after.candidates),
    missing: diffLists(before.missing, after.missing),
    unmet: diffLists(before.unmet, after.unmet),
  };
  const same = Object.values(difference).every((part) =>
    Array.isArray(part) ? part.length === 0 : part.added.length + part.removed.length === 0,
  );
  const bytes = (plan: Plan) => plan.groups.reduce((sum, group) => sum + group.bytes, 0);
  return {
    schema: "tranship/plan-difference",
    version: 1,
    same,
    files: { before: old.size, after: fresh.size },
    bytes: { before: bytes(before), after: bytes(after) },
    ...difference,
  };
}

/** In byte order of the paths. */
function placesOf(plan: Plan): Map<ByteString, Place> {
  const places = plan.groups.flatMap(({ layer, name, files }) =>
    files.map((path): [ByteString, Place] => [path, { layer, group: name }]),
  );
  return new Map(places.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

function diffGroups(before: Plan, after: Plan): PlanDifference["groups"] {
  const groups = new Map<string, PlanDifference["groups"][number]>();
  const note = (plan: Plan, side: "before" | "after"): void => {
    for (const { name, layer, files, bytes } of plan.groups) {
      const key = `${layer} ${name}`;
      const known = groups.get(key) ?? {
        name,
        layer,
        files: { before: 0, after: 0 },
        bytes: { before: 0, after: 0 },
      };
      known.files[side] += files.length;
      known.bytes[side] += bytes;
      groups.set(key, known);
    }
  };
  note(before, "before");
  note(after, "after");
  return [...groups.values()].filter(
    ({ files, bytes }) => files.before !== files.after || bytes.before !== bytes.after,
  );
}

function diffLists(before: readonly Exclusion[], after: readonly Exclusion[]): PlanDifference["missing"] {
  const paths = (list: readonly Exclusion[]) => new Set(list.map((one) => escapeBytes(one.path)));
  const [old, fresh] = [paths(before), paths(after)];
  return {
    added: [...fresh].filter((path) => !old.has(path)),
    removed: [...old].filter((path) => !fresh.has(path)),
  };
}

function diffDescriptors(before: Descriptor, after: Descriptor): PlanDifference["package"] {
  const [old, fresh] = [leaves(before), leaves(after)];
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .sort()
    .filter((key) => JSON.stringify(old.get(key)) !== JSON.stringify(fresh.get(key)))
    .map((key) => ({ key, before: old.get(key) ?? null, after: fresh.get(key) ?? null }));
}

/** "services.web.stop.signal" -> value. What has a name of its own is told by it, not by its place in a list. */
function leaves(value: unknown, at = "", into = new Map<string, unknown>()): Map<string, unknown> {
  const below = (key: string): string => (at === "" ? key : `${at}.${key}`);
  if (Array.isArray(value) && value.some((one) => typeof one === "object" && one !== null)) {
    value.forEach((one, index) => {
      leaves(one, below(nameOf(one) ?? String(index)), into);
    });
  } else if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    for (const [key, one] of Object.entries(value)) if (one !== undefined) leaves(one, below(key), into);
  } else into.set(at, value);
  return into;
}

function nameOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { name, path, port, protocol } = value as Record<string, unknown>;
  if (typeof port === "number") return `${port}/${protocol}`;
  return typeof name === "string" ? name : typeof path === "string" ? path : undefined;
}

const shown = 20;

/** For people: + is in the second only, - in the first only, ~ in both and changed. */
export function describeDifference(difference: PlanDifference, size: (bytes: number) => string): string[] {
  if (difference.same) return ["the plans are the same"];
  const { files, bytes } = difference;
  const lines = [`paths ${files.before} -> ${files.after}, ${size(bytes.before)} -> ${size(bytes.after)}`];
  const section = (title: string, list: readonly string[]): void => {
    if (list.length === 0) return;
    lines.push("", `${title} (${list.length})`, ...list.slice(0, shown).map((line) => `  ${line}`));
    if (list.length > shown) lines.push(`  and ${list.length - shown} more; --format json has them all`);
  };
  section(
    "groups",
    difference.groups.map(({ name, layer, files, bytes }) => {
      const sign = files.before === 0 ? "+" : files.after === 0 ? "-" : "~";
      return `${sign} ${layer} ${name}: paths ${files.before} -> ${files.after}, ${size(bytes.before)} -> ${size(bytes.after)}`;
    }),
  );
  section(
    "added",
    difference.added.map(({ path, layer, group }) => `+ ${path} (${layer}, ${group})`),
  );
  section(
    "removed",
    difference.removed.map(({ path, layer, group }) => `- ${path} (${layer}, ${group})`),
  );
  section(
    "in another layer",
    difference.moved.map(({ path, from, to }) => `~ ${path}: ${from} -> ${to}`),
  );
  section(
    "descriptor",
    difference.package.map(({ key, before, after }) => {
      if (before === null) return `+ ${key}: ${JSON.stringify(after)}`;
      if (after === null) return `- ${key}: ${JSON.stringify(before)}`;
      return `~ ${key}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`;
    }),
  );
  const list = (title: string, { added, removed }: PlanDifference["missing"]): void =>
    section(title, [...added.map((path) => `+ ${path}`), ...removed.map((path) => `- ${path}`)]);
  list("left out", difference.excluded);
  list("reachable and not packed", difference.candidates);
  list("asked for and absent on the source", difference.missing);
  list("needs that are not met", difference.unmet);
  return lines;
}
