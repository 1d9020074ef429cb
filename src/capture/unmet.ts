// Whether a plan is closed: each library, symbol version and interpreter that its programs need is in it. Asked before anything is packed.
import type { Log } from "../base/log.ts";
import { verifyClosure } from "../closure/verify.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import type { Machine } from "../machine/machine.ts";
import type { Exclusion, Plan } from "./plan.ts";

const words = {
  library: (wants: ByteString) => `needs the library ${escapeBytes(wants)}`,
  version: (wants: ByteString) => `needs the version ${escapeBytes(wants)}`,
  interpreter: (wants: ByteString) => `needs the loader ${escapeBytes(wants)}`,
  "script interpreter": (wants: ByteString) => `needs the interpreter ${escapeBytes(wants)}`,
} as const;

/** Sorted by path. known: what the source does not have either, as "PATH\0WANTS"; it is told as missing. */
export async function unmetNeeds(
  machine: Machine,
  entries: ReadonlyMap<ByteString, Entry>,
  known: ReadonlySet<string> = new Set(),
): Promise<Exclusion[]> {
  const findings = await verifyClosure({
    paths: entries.keys(),
    entry: (path) => entries.get(path),
    readRange: (path, offset, length) => machine.files.readRange(path, offset, length),
  });
  return findings.flatMap(({ kind, path, wants }) => {
    // Links dangle on many machines, and a broken file is what it is: `verify` tells both.
    if (kind === "link" || kind === "broken ELF" || known.has(`${path}\0${wants}`)) return [];
    return [{ path, why: words[kind](wants) }];
  });
}

/** What is missing at the first start is better told now. */
export function warnOfUnmet(unmet: Plan["unmet"], log: Log): void {
  for (const { path, why } of unmet.slice(0, 20))
    log.warn(`${escapeBytes(path)} ${why}, which is not in the package`);
  if (unmet.length > 20) log.warn(`and ${unmet.length - 20} more needs that are not met`);
}

/** Of a plan that was edited: what a person took out and programs still need. */
export async function checkEdited(machine: Machine, plan: Plan, log: Log): Promise<void> {
  const paths = plan.groups.flatMap((group) => group.files);
  const found = await Promise.all(paths.map((path) => machine.files.stat(path)));
  const entries = new Map(found.filter((entry) => entry !== undefined).map((entry) => [entry.path, entry]));
  const told = new Set([...plan.unmet, ...plan.missing].map((one) => `${one.path} ${one.why}`));
  const known = new Set(plan.missing.map((one) => one.path));
  const fresh = (await unmetNeeds(machine, entries)).filter(
    (one) => !told.has(`${one.path} ${one.why}`) && !known.has(one.why.split(" ").at(-1) ?? ""),
  );
  warnOfUnmet(fresh, log);
}
