// Data directories of a running program: what --data makes of them.
import { formatSize } from "../../base/units.ts";
import { followData } from "../../closure/data-places.ts";
import { machineTree } from "../../closure/tree.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { isUnreadable, type Machine } from "../../machine/machine.ts";
import type { Descriptor, Volume } from "../../package/descriptor.ts";
import { pathText } from "../application/descriptor-text.ts";
import { type Evidence, writingUses } from "../evidence/evidence.ts";
import { type FilterRule, parsePattern } from "../plan/filters.ts";
import type { DataSnapshot } from "../sandbox/snapshot-files.ts";
import { parentOf } from "../seeds/seeds.ts";
import { dataOf, dataReason } from "./data-directories.ts";
import { parseDataWord, snapshotsOf } from "./data-word.ts";
import { whatToDoWithData } from "./live-data.ts";
import { dataDirectories } from "./volumes.ts";

export interface ProcessData {
  /** Of data bases that are known by their program; what is seen to be written becomes a volume by itself. */
  volumes: Volume[];
  /** Leave the content of the data directories out. */
  filters: FilterRule[];
  snapshots: DataSnapshot[];
  notes: string[];
}

/** data: the word of --data. */
export async function dataOfProcess(
  data: string,
  machine: Machine,
  descriptor: Descriptor,
  evidence: Evidence,
): Promise<ProcessData> {
  const usual = await dataOf(machine, descriptor);
  const volumes = usual.map((one): Volume => {
    return {
      path: pathText(one.path),
      initial: "copy",
      reason: dataReason(one),
      size: formatSize(one.size).replace(" ", ""),
    };
  });
  const written = await linkedToo(machine, await writtenDirectories(machine, evidence));
  const word = parseDataWord(data);
  const all = [...new Set([...usual.map((one) => one.path), ...written])].sort();
  const outer = all.filter((path) => !all.some((other) => other !== path && path.startsWith(`${other}/`)));
  const nothing = { volumes, filters: [], snapshots: [], notes: [] };
  // A volume without a size promises no content.
  if (word.kind === "empty")
    return {
      ...nothing,
      volumes: volumes.map((one) => ({ ...one, size: "0" })),
      filters: outer.map(emptied),
    };
  if (word.kind !== "copy") return { ...nothing, snapshots: snapshotsOf(word, outer, whereNone) };
  const notes = outer.map(
    (path) =>
      `${escapeBytes(path)} is copied while the program runs: each file is whole, but not all are of one moment. For a database, ${whatToDoWithData}`,
  );
  return { ...nothing, notes };
}

async function writtenDirectories(machine: Machine, evidence: Evidence): Promise<ByteString[]> {
  const above = new Set<ByteString>();
  for (const [path, seen] of evidence.paths) {
    if (!writingUses.some((use) => seen.uses.has(use))) continue;
    for (let at = parentOf(path); at !== "/"; at = parentOf(at)) above.add(at);
  }
  const directories = new Set<ByteString>();
  await Promise.all(
    [...above].map(async (path) => {
      if ((await machine.files.stat(path))?.kind === "directory") directories.add(path);
    }),
  );
  return dataDirectories(evidence, (path) => directories.has(path));
}

/** With the data that links in these directories lead to. */
async function linkedToo(machine: Machine, directories: readonly ByteString[]): Promise<ByteString[]> {
  const places = await followData(directories, machineTree(machine.files), async function* (directory) {
    for await (const entry of machine.files.walk(directory)) if (!isUnreadable(entry)) yield entry;
  });
  return places.map((place) => place.path);
}

/** The rule that leaves the content of a data directory out. */
export function emptied(path: ByteString): FilterRule {
  const pattern = `${escapeBytes(path).replace(/[*?[\]]/g, "?")}/*`;
  return { keep: false, pattern: parsePattern(pattern, "--data empty"), told: "--data empty" };
}

const whereNone =
  "watch it longer, so that it is seen to write; or give what else is written to by --exclude and --volume";
