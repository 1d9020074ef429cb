// A plan as text. Lists of paths are one block of text with a path a line: people edit it as easily as a list, and a plan of a
// whole machine (300,000 paths) is read in a tenth of the time and with half of the memory that a YAML list takes.
import { createHash } from "node:crypto";
import { stringify } from "yaml";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { randomHex } from "../../host/random.ts";
import type { Agreement } from "../evidence/evidence.ts";
import type { Exclusion, Plan } from "./plan.ts";

/** As it stands in the file. */
type Told = { why: string; path: string } | { why: string; paths: string };

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

function printWitnesses({ both, tracerOnly, witnessOnly }: Agreement): Record<string, unknown> {
  return { both, tracerOnly: block(tracerOnly), witnessOnly: block(witnessOnly) };
}

export function printPlan(plan: Plan): string {
  return [...planPieces(plan)].join("");
}

/** printPlan() in pieces: the long lists never are one text, nor pass through the printer of YAML. */
export function* planPieces(plan: Plan): Generator<string> {
  // In the place of a group's files: nothing that a machine says can be this.
  const random = randomHex(16);
  const markerOf = (index: number): string => `files-${random}-${index}`;
  const text = printBody(plan, markerOf);
  let at = 0;
  for (const [index, group] of plan.groups.entries()) {
    if (group.files.length === 0) continue;
    const line = `    files: ${markerOf(index)}\n`;
    const found = text.indexOf(line, at);
    if (found < 0)
      throw new TranshipError("E_INTERNAL", `a plan was printed without its group ${group.name}`);
    yield `${text.slice(at, found)}    files: |\n`;
    at = found + line.length;
    for (let from = 0; from < group.files.length; from += atOnce) {
      const some = group.files.slice(from, from + atOnce);
      yield some.map((path) => `      ${escapeBytes(path)}\n`).join("");
    }
  }
  yield text.slice(at);
}

/** Of the file that has these pieces. */
export function planDigest(plan: Plan): string {
  const hash = createHash("sha256");
  for (const piece of planPieces(plan)) hash.update(piece);
  return `sha256:${hash.digest("hex")}`;
}

const atOnce = 4096;

function printBody(plan: Plan, markerOf: (group: number) => string): string {
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
      groups: plan.groups.map((group, index) => ({
        ...group,
        files: group.files.length === 0 ? "" : markerOf(index),
      })),
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
