// A plan read back from its file (print-plan.ts writes it).
import type { z } from "zod";
import { TranshipError } from "../../base/errors.ts";
import { unescapeBytes } from "../../formats/escape.ts";
import { readInput } from "../../host/files.ts";
import { digestOf } from "../../image/digest.ts";
import { describe, readDocument } from "../../package/yaml.ts";
import type { Exclusion, Largest, Plan } from "./plan.ts";
import { blockOf, takeBlocks } from "./plan-blocks.ts";
import { refuseHostilePaths } from "./plan-paths.ts";
import { type exclusions, planSchema } from "./plan-schema.ts";

function readExclusions(told: z.output<typeof exclusions>): Exclusion[] {
  const list = told.flatMap((one) => {
    const paths = "paths" in one ? (one.paths as string[]) : [one.path as string];
    return paths.map((path) => ({ path: unescapeBytes(path), why: one.why }));
  });
  return list.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
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

/** With the digest of the file. */
export function readPlanFile(file: string): { plan: Plan; digest: string } {
  const bytes = readInput(file, "the plan", maxPlanBytes);
  if (bytes !== undefined) return { plan: parsePlan(bytes, file), digest: digestOf(bytes) };
  throw new TranshipError("E_PLAN_INVALID", `${file} is larger than ${maxPlanBytes} bytes`, {
    hint: "make it anew with --plan-only",
  });
}
