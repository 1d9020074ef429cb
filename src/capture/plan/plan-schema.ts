// The form of a plan file, version by version: what parsePlan holds it against and schemas/ is made from.
import { z } from "zod";
import { descriptorSchema } from "../../package/schema.ts";
import { writePlaces } from "../data/write-map.ts";
import { layerNames } from "./plan.ts";

/** A block of text, one path a line; lines that begin with # are comments. A YAML list is read too. */
const pathList = z
  .preprocess(
    (value) => (typeof value === "string" ? linesOf(value) : value),
    z.array(
      z
        .string()
        .regex(/^\//, { error: (issue) => `${JSON.stringify(issue.input)} must be an absolute path` }),
    ),
  )
  .meta({
    description: "paths, one a line; a line that begins with # is a comment",
    oneOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
  });

/** As a list of paths; what was looked for and not found may be the bare name of a library. */
const nameList = z
  .preprocess((value) => (typeof value === "string" ? linesOf(value) : value), z.array(z.string().min(1)))
  .meta({
    description: "paths or names of libraries, one a line; a line that begins with # is a comment",
    oneOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
  });

/** Paths that share a sentence stand in one block below it. */
function below<List extends typeof pathList | typeof nameList>(paths: List) {
  const why = z.string().default("");
  return z
    .array(z.union([z.looseObject({ why, paths }), z.looseObject({ why, path: z.string() })]))
    .default([]);
}

export const exclusions = below(pathList);
const lacking = below(nameList);

const large = { path: z.string(), bytes: z.number(), why: z.string().default("") };

export const planSchema = z.looseObject({
  apiVersion: z.literal("tranship/v1alpha1"),
  kind: z.literal("Plan"),
  source: z.looseObject({
    machine: z.string(),
    asOf: z.string().regex(/^\d+$/, "must be nanoseconds since the epoch"),
    evidence: z.string().optional(),
    process: z.looseObject({ pid: z.int().min(1), startTime: z.string().regex(/^\d+$/) }).optional(),
    snapshots: z
      .array(z.looseObject({ path: z.string().regex(/^\//), directory: z.string().regex(/^\//) }))
      .optional(),
    recovered: z.string().optional(),
    installer: z.array(z.string()).optional(),
  }),
  package: descriptorSchema,
  groups: z.array(
    z.looseObject({
      name: z.string(),
      layer: z.enum(layerNames),
      why: z.string().default(""),
      bytes: z.number().default(0),
      files: pathList,
    }),
  ),
  excluded: exclusions,
  candidates: exclusions,
  missing: lacking,
  unmet: lacking,
  edited: exclusions,
  absent: pathList.optional(),
  coverage: z
    .array(
      z.looseObject({
        what: z.string(),
        total: z.number(),
        exercised: z.number(),
        never: z.array(z.string()).default([]),
      }),
    )
    .default([]),
  writes: z
    .array(
      z.looseObject({
        path: z.string(),
        to: z.enum(writePlaces),
        why: z.string().default(""),
        paths: z.number().default(0),
        by: z.string().default(""),
      }),
    )
    .default([]),
  data: z
    .array(
      z.looseObject({
        path: z.string(),
        state: z.enum(["still", "live", "unknown"]),
        why: z.string().default(""),
      }),
    )
    .default([]),
  largest: z
    .looseObject({
      files: z.array(z.looseObject(large)).default([]),
      directories: z.array(z.looseObject({ ...large, files: z.number().default(0) })).default([]),
    })
    .default({ files: [], directories: [] }),
  recovered: z
    .array(
      z.looseObject({
        path: z.string().regex(/^\//, "must be an absolute path"),
        why: z.string().default(""),
        digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
      }),
    )
    .optional(),
  witnesses: z
    .looseObject({
      both: z.number().default(0),
      tracerOnly: pathList.default([]),
      witnessOnly: pathList.default([]),
    })
    .optional(),
});

function linesOf(block: string): string[] {
  const lines: string[] = [];
  for (const line of block.split("\n")) {
    const path = line.trimStart();
    if (path !== "" && !path.startsWith("#")) lines.push(path);
  }
  return lines;
}
