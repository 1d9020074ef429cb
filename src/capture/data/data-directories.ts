// Data directories of a capture: a data base copies most of its files up onto the overlay when it merely starts, so there must
// be room; and --data says what they start from.
import { statfsSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { followData } from "../../closure/data-places.ts";
import { loadInstalled } from "../../closure/installed.ts";
import { machineTree } from "../../closure/tree.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { isUnreadable, type Machine } from "../../machine/machine.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import type { DataChoice } from "../sandbox/overlays.ts";
import { configuredData } from "./configured-data.ts";
import { parseDataWord, snapshotsOf } from "./data-word.ts";

/** Where data bases keep their files unless told otherwise, by a word of their program's name. */
const usualDirectories: readonly (readonly [program: RegExp, path: string])[] = [
  [/mysqld|mariadbd|mysql/, "/var/lib/mysql"],
  [/postgres|pg_ctl|postmaster/, "/var/lib/postgresql"],
  [/postgres|pg_ctl|postmaster/, "/var/lib/pgsql"],
  [/redis/, "/var/lib/redis"],
  [/mongod/, "/var/lib/mongodb"],
  [/mongod/, "/var/lib/mongo"],
  [/slapd/, "/var/lib/ldap"],
  [/couchdb/, "/var/lib/couchdb"],
  [/influxd/, "/var/lib/influxdb"],
];

export interface DataDirectory {
  path: ByteString;
  /** Bytes in use. */
  size: number;
  /** The link in another data directory that leads here. */
  link?: ByteString;
  /** The configuration that names it. */
  from?: ByteString;
  /** Of a data base: its files are copied up when it merely starts. Other stores are left alone until somebody writes. */
  copiedUp: boolean;
}

/** Free space that must stay beside the data, for logs and temporary files. */
const reserve = 64 << 20;

/** The data directories of the described programs; E_NO_SPACE where a copy of them has no room below `work`. */
export async function checkDataSpace(
  machine: Machine,
  descriptor: Descriptor,
  work: string,
): Promise<DataDirectory[]> {
  const found = await dataOf(machine, descriptor);
  const copied = found.filter((directory) => directory.copiedUp);
  const needed = copied.reduce((sum, directory) => sum + directory.size, 0) + reserve;
  const stats = statfsSync(work);
  const free = stats.bavail * stats.bsize;
  if (needed > free) {
    const names = copied
      .map((directory) => `${escapeBytes(directory.path)} (${formatSize(directory.size)})`)
      .join(", ");
    throw new TranshipError(
      "E_NO_SPACE",
      `${formatSize(needed)} may be needed below ${work} for ${names || "what the application writes"}, ${formatSize(free)} are free`,
      {
        hint: "choose a larger file system with --root, or start from other data with --data empty or --data snapshot:DIR",
      },
    );
  }
  return found;
}

/**
 * Where the data bases among the described programs usually keep their files, where configuration says that the programs keep theirs, and
 * where links lead from there.
 */
export async function dataOf(machine: Machine, descriptor: Descriptor): Promise<DataDirectory[]> {
  const words = descriptor.programs.map((program) => program.command.join(" ")).join(" ");
  const usual = usualDirectories.filter(([program]) => program.test(words)).map(([, path]) => path);
  const installed = await loadInstalled(machine.files);
  const configured = await configuredData(machine, descriptor, installed, []);
  const from = new Map(configured.map((one) => [one.path, one.from]));
  const found = await present(machine, [...usual, ...from.keys()]);
  // The usual place of all clusters holds the one that is configured.
  const outer = found.filter(({ path }) => !found.some((other) => path.startsWith(`${other.path}/`)));
  return outer.map((one) => {
    const named = from.get(one.path);
    return named === undefined ? one : { ...one, from: named, copiedUp: usual.length > 0 };
  });
}

/** Where data bases of any kind keep their files on this machine, and where links lead from there. */
export async function knownDataDirectories(machine: Machine): Promise<DataDirectory[]> {
  return await present(
    machine,
    usualDirectories.map(([, path]) => path),
  );
}

/** As the reason of a volume. */
export function dataReason({ link, from }: Pick<DataDirectory, "link" | "from">): string {
  if (link !== undefined) return `data that ${escapeBytes(link)} leads to`;
  return from === undefined ? "data base directory" : `data directory by ${escapeBytes(from)}`;
}

/** Of these directories and what links lead to from there, those that the machine has: each by its canonical path. */
async function present(machine: Machine, paths: readonly ByteString[]): Promise<DataDirectory[]> {
  const tree = machineTree(machine.files);
  const there: ByteString[] = [];
  for (const path of paths) if ((await tree.resolve(path)).entry?.kind === "directory") there.push(path);
  const sizes = new Map<ByteString, number>();
  const places = await followData(there, tree, async function* (directory) {
    let size = 0;
    for await (const entry of machine.files.walk(directory)) {
      if (isUnreadable(entry)) continue;
      size += entry.blocks * 512;
      if (entry.kind === "symlink") yield entry;
    }
    sizes.set(directory, size);
  });
  return places.map((place) => ({ ...place, size: sizes.get(place.path) ?? 0, copiedUp: true }));
}

const whereNone =
  "its data directory is none that is known by its program or its configuration: capture it with --data copy and --volume PATH";

/** --data: what the sandbox shows in data directories. */
export function dataRequest(data: string, directories: readonly DataDirectory[]): DataChoice {
  const word = parseDataWord(data);
  if (word.kind === "copy") return {};
  const paths = directories.map((directory) => directory.path);
  if (word.kind === "empty") return { emptyData: paths.map(escapeBytes) };
  const snapshots = snapshotsOf(word, paths, whereNone);
  return { snapshots: Object.fromEntries(snapshots.map((one) => [escapeBytes(one.path), one.directory])) };
}
