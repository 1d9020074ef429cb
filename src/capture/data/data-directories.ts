// Data directories of a capture: a data base copies most of its files up onto the overlay when it merely starts, so there must
// be room; and --data says what they start from.
import { statfsSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { followData } from "../../closure/data-places.ts";
import { machineTree } from "../../closure/tree.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { isUnreadable, type Machine } from "../../machine/machine.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import type { DataChoice } from "../sandbox/overlays.ts";

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
}

/** Free space that must stay beside the data, for logs and temporary files. */
const reserve = 64 << 20;

/** The data directories of the described programs; E_NO_SPACE where a copy of them has no room below `work`. */
export async function checkDataSpace(
  machine: Machine,
  descriptor: Descriptor,
  work: string,
): Promise<DataDirectory[]> {
  const found = await usualData(machine, descriptor);
  const needed = found.reduce((sum, directory) => sum + directory.size, 0) + reserve;
  const stats = statfsSync(work);
  const free = stats.bavail * stats.bsize;
  if (needed > free) {
    const names = found
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

/** Where the data bases among the described programs usually keep their files, and where links lead from there. */
export async function usualData(machine: Machine, descriptor: Descriptor): Promise<DataDirectory[]> {
  const words = descriptor.programs.map((program) => program.command.join(" ")).join(" ");
  const usual = usualDirectories.filter(([program]) => program.test(words));
  return await present(
    machine,
    usual.map(([, path]) => path),
  );
}

/** Where data bases of any kind keep their files on this machine, and where links lead from there. */
export async function knownDataDirectories(machine: Machine): Promise<DataDirectory[]> {
  return await present(
    machine,
    usualDirectories.map(([, path]) => path),
  );
}

/** As the reason of a volume. */
export function dataReason({ link }: Pick<DataDirectory, "link">): string {
  return link === undefined ? "data base directory" : `data that ${escapeBytes(link)} leads to`;
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
  return places.map((place) => ({ ...place, size: sizes.get(place.path) ?? 0 }));
}

/** --data: what the sandbox shows in data directories. */
export function dataRequest(data: string, directories: readonly DataDirectory[]): DataChoice {
  if (data === "copy") return {};
  const paths = directories.map((directory) => escapeBytes(directory.path));
  if (data === "empty") return { emptyData: paths };
  const from = /^snapshot:(\/.+)$/.exec(data)?.[1];
  if (from === undefined) {
    throw new TranshipError("E_USAGE", `--data ${data} is neither copy, empty nor snapshot:DIR`, {
      hint: "DIR is an absolute path on this host",
    });
  }
  if (paths.length !== 1) {
    throw new TranshipError(
      "E_USAGE",
      `--data snapshot:DIR needs exactly one data directory, found ${paths.length}: ${paths.join(", ") || "none"}`,
    );
  }
  return { snapshots: { [paths[0] ?? ""]: from } };
}
