// The plan: what a capture will pack and why, as a file that people read and edit before it is carried out.
import { stringify } from "yaml";
import { z } from "zod";
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes, unescapeBytes } from "../formats/escape.ts";
import type { Descriptor } from "../package/descriptor.ts";
import { descriptorSchema } from "../package/schema.ts";
import { describe, readDocument } from "../package/yaml.ts";

/** Layers by origin, bottom first. `tranship` is made by packing and never in a plan. */
export const layerNames = ["system", "runtime", "app", "config"] as const;
export type LayerName = (typeof layerNames)[number];

export interface PlanGroup {
  /** "installed apache2", "configuration", "data /var/lib/mysql". */
  name: string;
  layer: LayerName;
  /** One sentence: why these files are in. */
  why: string;
  bytes: number;
  files: ByteString[];
}

export interface Exclusion {
  path: ByteString;
  why: string;
}

export interface Plan {
  source: {
    machine: string;
    /** No planned file changed after this moment: nanoseconds since the epoch, in the source's own clock. */
    asOf: bigint;
    /** Name of the file beside the plan where the reasons of every path are. */
    evidence: string | undefined;
  };
  package: Descriptor;
  groups: PlanGroup[];
  /** Paths that evidence asked for and that are left out, with the reason. */
  excluded: Exclusion[];
  /** Paths that could be needed in ways that were not exercised; include one by moving it into a group. */
  candidates: Exclusion[];
  /** Asked for and absent on the source. */
  missing: Exclusion[];
}

const exclusions = z.array(z.looseObject({ path: z.string(), why: z.string().default("") })).default([]);

export const planSchema = z.looseObject({
  apiVersion: z.literal("tranship/v1alpha1"),
  kind: z.literal("Plan"),
  source: z.looseObject({
    machine: z.string(),
    asOf: z.string().regex(/^\d+$/, "must be nanoseconds since the epoch"),
    evidence: z.string().optional(),
  }),
  package: descriptorSchema,
  groups: z.array(
    z.looseObject({
      name: z.string(),
      layer: z.enum(layerNames),
      why: z.string().default(""),
      bytes: z.number().default(0),
      files: z.array(z.string().regex(/^\//, "must be an absolute path")),
    }),
  ),
  excluded: exclusions,
  candidates: exclusions,
  missing: exclusions,
});

export function printPlan(plan: Plan): string {
  const paths = (list: readonly Exclusion[]) =>
    list.map((one) => ({ path: escapeBytes(one.path), why: one.why }));
  const head = [
    "A plan of Tranship. Read it, edit it, and carry it out with `tranship capture ... --plan FILE`.",
    "Remove a file's line to leave it out; add one to take it in. It is refused if the source changed since.",
  ];
  const body = stringify(
    {
      apiVersion: "tranship/v1alpha1",
      kind: "Plan",
      source: {
        machine: plan.source.machine,
        asOf: String(plan.source.asOf),
        ...(plan.source.evidence === undefined ? {} : { evidence: plan.source.evidence }),
      },
      package: plan.package,
      groups: plan.groups.map((group) => ({ ...group, files: group.files.map(escapeBytes) })),
      excluded: paths(plan.excluded),
      candidates: paths(plan.candidates),
      missing: paths(plan.missing),
    },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
  return `${head.map((line) => `# ${line}\n`).join("")}${body}`;
}

/** E_PLAN_INVALID names every problem with its line; `name` is the file's. */
export function parsePlan(text: string, name: string): Plan {
  const { value, problems } = readDocument(text, planSchema);
  if (value === undefined) {
    throw new TranshipError("E_PLAN_INVALID", `${name}: ${problems.slice(0, 10).map(describe).join("; ")}`, {
      hint: "make it anew with --plan-only",
      details: { problems },
    });
  }
  refuseHostilePaths(
    value.groups.flatMap((group) => group.files.map(unescapeBytes)),
    name,
  );
  const paths = (list: readonly { path: string; why: string }[]): Exclusion[] =>
    list.map((one) => ({ path: unescapeBytes(one.path), why: one.why }));
  return {
    source: {
      machine: value.source.machine,
      asOf: BigInt(value.source.asOf),
      evidence: value.source.evidence,
    },
    package: value.package,
    groups: value.groups.map((group) => ({
      name: group.name,
      layer: group.layer,
      why: group.why,
      bytes: group.bytes,
      files: group.files.map(unescapeBytes),
    })),
    excluded: paths(value.excluded),
    candidates: paths(value.candidates),
    missing: paths(value.missing),
  };
}

/** A plan is edited by people and may come from anywhere: what it names lies below the machine's root and is told once. */
function refuseHostilePaths(paths: readonly ByteString[], name: string): void {
  for (const path of paths) {
    const problem = pathProblem(path);
    if (problem === undefined) continue;
    throw new TranshipError("E_PLAN_INVALID", `${name}: ${escapeBytes(path.slice(0, 200))}: ${problem}`, {
      hint: "remove the line from the plan",
      details: { path: path.slice(0, 4096) },
    });
  }
}

function pathProblem(path: ByteString): string | undefined {
  if (path.length > 65_535) return `a path of ${path.length} bytes`;
  const parts = path.slice(1).split("/");
  if (path !== "/" && parts.some((part) => part === "" || part === "." || part === ".."))
    return "not a canonical path";
  if (path.includes("\0")) return "a path cannot hold a zero byte";
  if (parts.some((part) => part.length > 255)) return "a name of more than 255 bytes";
  if (/^\/(proc|sys|dev)\/./.test(path)) return "lives only while a system runs";
  if (/^\/\.tranship(\/|$)/.test(path)) return "the place of Tranship's own files";
  return undefined;
}
