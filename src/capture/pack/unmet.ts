// Whether a plan is closed: each library, symbol version and interpreter that its programs need is in it. Asked before anything is packed.
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { machineTree } from "../../closure/tree.ts";
import { type ClosureFinding, verifyClosure, verifyPaths } from "../../closure/verify.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Machine } from "../../machine/machine.ts";
import { statAll } from "../../machine/stat-all.ts";
import type { Exclusion, Plan } from "../plan/plan.ts";

const words = {
  library: (wants: ByteString) => `needs the library ${escapeBytes(wants)}`,
  version: (wants: ByteString) => `needs the version ${escapeBytes(wants)}`,
  interpreter: (wants: ByteString) => `needs the loader ${escapeBytes(wants)}`,
  "script interpreter": (wants: ByteString) => `needs the interpreter ${escapeBytes(wants)}`,
} as const;

export interface Needs {
  /** What the source has and the plan leaves out: with the package something of the machine would be lost. */
  unmet: Exclusion[];
  /** What the source does not have either: there it does not work as well. Named by what is needed. */
  absent: Exclusion[];
}

/** Both sorted by path. known: what is known to be absent, as "PATH\0WANTS". */
export async function openNeeds(
  machine: Machine,
  entries: ReadonlyMap<ByteString, Entry>,
  known: ReadonlySet<string> = new Set(),
): Promise<Needs> {
  const findings = await verifyClosure({
    paths: entries.keys(),
    entry: (path) => entries.get(path),
    readRange: (path, offset, length) => machine.files.readRange(path, offset, length),
  });
  const open = findings.filter((one) => one.kind in words && !known.has(keyOf(one)));
  const affected = [...new Set(open.map((one) => one.path))];
  const alsoThere = new Set((await verifyPaths(machineTree(machine.files).source, affected)).map(keyOf));
  const needs: Needs = { unmet: [], absent: [] };
  for (const finding of open) {
    const { path, wants } = finding;
    // Links dangle on many machines, and a broken file is what it is: `verify` tells both.
    if (finding.kind === "link" || finding.kind === "broken ELF") continue;
    if (alsoThere.has(keyOf(finding)))
      needs.absent.push({ path: wants, why: `needed by ${escapeBytes(path)}` });
    else needs.unmet.push({ path, why: words[finding.kind](wants) });
  }
  return needs;
}

function keyOf({ path, wants }: ClosureFinding): string {
  return `${path}\0${wants}`;
}

/** A plan is for reading first: what would be refused when it is carried out is told. */
export function warnOfUnmet(unmet: Plan["unmet"], log: Log): void {
  for (const line of unmetLines(unmet)) log.warn(line);
}

function unmetLines(unmet: Plan["unmet"]): string[] {
  const lines = unmet
    .slice(0, 20)
    .map(({ path, why }) => `${escapeBytes(path)} ${why}, which the plan leaves out`);
  return unmet.length > 20 ? [...lines, `and ${unmet.length - 20} more needs that are not met`] : lines;
}

/** E_UNMET where the plan would lose what its programs need, unless that is wanted. */
export function refuseUnmet(unmet: Plan["unmet"], allow: boolean): void {
  const [first] = unmet;
  if (allow || first === undefined) return;
  const more = unmet.length > 1 ? `, and ${unmet.length - 1} more` : "";
  throw new TranshipError(
    "E_UNMET",
    `${escapeBytes(first.path)} ${first.why}, which the plan leaves out${more}`,
    {
      hint: "take it in (`plan show` lists all, --exclude and edited plans are the usual reasons), or pack without it by --allow-unmet",
      details: { unmet: unmet.slice(0, 1000).map(({ path, why }) => ({ path: escapeBytes(path), why })) },
    },
  );
}

/** The needs of a plan that was made before, as it stands now: people edit plans. */
export async function currentNeeds(machine: Machine, plan: Plan): Promise<Needs> {
  const paths = plan.groups.flatMap((group) => group.files);
  return await openNeeds(machine, await statAll(machine.files, paths));
}
