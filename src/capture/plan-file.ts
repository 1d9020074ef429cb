// The plan as a file. Lists of paths are one block of text with a path a line: people edit it as easily as a list, and a plan of a
// whole machine (300,000 paths) is read in a tenth of the time and with half of the memory that a YAML list takes.
import { stringify } from "yaml";
import { z } from "zod";
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes, unescapeBytes } from "../formats/escape.ts";
import { readInput } from "../host/files.ts";
import { descriptorSchema } from "../package/schema.ts";
import { describe, readDocument } from "../package/yaml.ts";
import type { Agreement } from "./evidence.ts";
import { type Exclusion, type Largest, layerNames, type Plan } from "./plan.ts";
import { blockOf, takeBlocks } from "./plan-blocks.ts";
import { writePlaces } from "./write-map.ts";

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

/** Paths that share a sentence stand in one block below it. */
const exclusions = z
  .array(
    z.union([
      z.looseObject({ why: z.string().default(""), paths: pathList }),
      z.looseObject({ why: z.string().default(""), path: z.string() }),
    ]),
  )
  .default([]);

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
  missing: exclusions,
  unmet: exclusions,
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

/** As it stands in the file. */
type Told = { why: string; path: string } | { why: string; paths: string };

function linesOf(block: string): string[] {
  const lines: string[] = [];
  for (const line of block.split("\n")) {
    const path = line.trimStart();
    if (path !== "" && !path.startsWith("#")) lines.push(path);
  }
  return lines;
}

const block = (paths: readonly ByteString[]): string =>
  paths.map((path) => `${escapeBytes(path)}\n`).join("");

function printExclusions(list: readonly Exclusion[]): Told[] {
  const paths = new Map<string, ByteString[]>();
  for (const { why, path } of list) {
    const known = paths.get(why);
    if (known === undefined) paths.set(why, [path]);
    else known.push(path);
  }
  return [...paths].map(([why, all]) => {
    const [first = ""] = all;
    return all.length === 1 ? { path: escapeBytes(first), why } : { why, paths: block(all) };
  });
}

function readExclusions(told: z.output<typeof exclusions>): Exclusion[] {
  const list = told.flatMap((one) => {
    const paths = "paths" in one ? (one.paths as string[]) : [one.path as string];
    return paths.map((path) => ({ path: unescapeBytes(path), why: one.why }));
  });
  return list.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

function printWitnesses({ both, tracerOnly, witnessOnly }: Agreement): Record<string, unknown> {
  return { both, tracerOnly: block(tracerOnly), witnessOnly: block(witnessOnly) };
}

export function printPlan(plan: Plan): string {
  const head = [
    "A plan of Tranship. Read it, edit it, and carry it out with `tranship capture ... --plan FILE`.",
    "Remove a file's line to leave it out; add one to take it in. It is refused if the source changed since.",
  ];
  const shown = <T extends { path: ByteString }>(list: readonly T[]) =>
    list.map((one) => ({ ...one, path: escapeBytes(one.path) }));
  const body = stringify(
    {
      apiVersion: "tranship/v1alpha1",
      kind: "Plan",
      source: {
        machine: plan.source.machine,
        asOf: String(plan.source.asOf),
        ...(plan.source.evidence === undefined ? {} : { evidence: plan.source.evidence }),
        ...(plan.source.process === undefined ? {} : { process: plan.source.process }),
        ...(plan.source.snapshots === undefined ? {} : { snapshots: shown(plan.source.snapshots) }),
        ...(plan.source.recovered === undefined ? {} : { recovered: plan.source.recovered }),
        ...(plan.source.installer === undefined ? {} : { installer: [...plan.source.installer] }),
      },
      package: plan.package,
      groups: plan.groups.map((group) => ({ ...group, files: block(group.files) })),
      excluded: printExclusions(plan.excluded),
      candidates: printExclusions(plan.candidates),
      missing: printExclusions(plan.missing),
      unmet: printExclusions(plan.unmet),
      ...(plan.edited === undefined ? {} : { edited: printExclusions(plan.edited) }),
      absent: block(plan.absent),
      coverage: plan.coverage,
      writes: shown(plan.writes).map((one) => ({ ...one, by: escapeBytes(one.by) })),
      data: shown(plan.data),
      largest: { files: shown(plan.largest.files), directories: shown(plan.largest.directories) },
      ...(plan.recovered === undefined || plan.recovered.length === 0
        ? {}
        : { recovered: shown(plan.recovered) }),
      ...(plan.witnesses === undefined ? {} : { witnesses: printWitnesses(plan.witnesses) }),
    },
    { lineWidth: 0, aliasDuplicateObjects: false, blockQuote: "literal" },
  );
  return `${head.map((line) => `# ${line}\n`).join("")}${body}`;
}

/** E_PLAN_INVALID names every problem with its line; `name` is the file's. */
export function parsePlan(source: string | Buffer, name: string): Plan {
  const {
    text,
    blocks,
    problems: wrong,
    lineOf,
  } = takeBlocks(typeof source === "string" ? Buffer.from(source) : source);
  const { value, problems: found } = readDocument(text, planSchema, maxPlanBytes);
  const problems = [
    ...wrong.map(({ line, text: words }) => ({
      line,
      where: "",
      message: `${JSON.stringify(words)} must be an absolute path`,
    })),
    ...found.map((one) => ({ ...one, line: one.line === undefined ? undefined : lineOf(one.line) })),
  ];
  if (value === undefined || problems.length > 0) {
    throw new TranshipError("E_PLAN_INVALID", `${name}: ${problems.slice(0, 10).map(describe).join("; ")}`, {
      hint: "make it anew with --plan-only",
      details: { problems: problems.slice(0, 1000) },
    });
  }
  const groups = value.groups.map(({ name: called, layer, why, bytes, files }) => {
    return { name: called, layer, why, bytes, files: blockOf(files, blocks) ?? files.map(unescapeBytes) };
  });
  for (const group of groups) refuseHostilePaths(group.files, name);
  const recovered = value.recovered?.map(({ path, why, digest }) => ({
    path: unescapeBytes(path),
    why,
    digest,
  }));
  refuseHostilePaths(recovered?.map((one) => one.path) ?? [], name);
  const snapshots = value.source.snapshots?.map(({ path, directory }) => ({
    path: unescapeBytes(path),
    directory,
  }));
  refuseHostilePaths(snapshots?.map((one) => one.path) ?? [], name);
  const largest: Largest = {
    files: value.largest.files.map(({ path, bytes, why }) => ({ path: unescapeBytes(path), bytes, why })),
    directories: value.largest.directories.map(({ path, bytes, why, files }) => {
      return { path: unescapeBytes(path), bytes, why, files };
    }),
  };
  return {
    source: {
      machine: value.source.machine,
      asOf: BigInt(value.source.asOf),
      evidence: value.source.evidence,
      ...(value.source.process === undefined ? {} : { process: value.source.process }),
      ...(snapshots === undefined ? {} : { snapshots }),
      ...(value.source.recovered === undefined ? {} : { recovered: value.source.recovered }),
      ...(value.source.installer === undefined ? {} : { installer: value.source.installer }),
    },
    package: value.package,
    groups,
    excluded: readExclusions(value.excluded),
    candidates: readExclusions(value.candidates),
    missing: readExclusions(value.missing),
    unmet: readExclusions(value.unmet),
    ...(value.edited.length === 0 ? {} : { edited: readExclusions(value.edited) }),
    absent: (value.absent ?? []).map(unescapeBytes),
    coverage: value.coverage.map(({ what, total, exercised, never }) => ({ what, total, exercised, never })),
    writes: value.writes.map(({ path, to, why, paths, by }) => {
      return { path: unescapeBytes(path), to, why, paths, by: unescapeBytes(by) };
    }),
    data: value.data.map(({ path, state, why }) => ({ path: unescapeBytes(path), state, why })),
    largest,
    ...(recovered === undefined ? {} : { recovered }),
    ...(value.witnesses === undefined
      ? {}
      : {
          witnesses: {
            both: value.witnesses.both,
            tracerOnly: value.witnesses.tracerOnly.map(unescapeBytes),
            witnessOnly: value.witnesses.witnessOnly.map(unescapeBytes),
          },
        }),
  };
}

/** A whole machine of 300,000 paths has some thirty; the file may be anything, also one without an end. */
const maxPlanBytes = 128 << 20;

export function readPlanFile(file: string): Plan {
  const bytes = readInput(file, "the plan", maxPlanBytes);
  if (bytes !== undefined) return parsePlan(bytes, file);
  throw new TranshipError("E_PLAN_INVALID", `${file} is larger than ${maxPlanBytes} bytes`, {
    hint: "make it anew with --plan-only",
  });
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
