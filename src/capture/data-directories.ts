// Data directories of a capture: a data base copies most of its files up onto the overlay when it merely starts, so there must
// be room; and --data says what they start from.
import { statfsSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import { formatSize } from "../base/units.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import { isUnreadable, type Machine } from "../machine/machine.ts";
import type { Descriptor } from "../package/descriptor.ts";
import type { DataChoice } from "./overlays.ts";

/** Where data bases keep their files unless told otherwise, by a word of their program's name. */
const usualDirectories: readonly (readonly [program: RegExp, path: string])[] = [
  [/mysqld|mariadbd|mysql/, "/var/lib/mysql"],
  [/postgres|pg_ctl/, "/var/lib/postgresql"],
  [/redis/, "/var/lib/redis"],
  [/mongod/, "/var/lib/mongodb"],
  [/slapd/, "/var/lib/ldap"],
  [/couchdb/, "/var/lib/couchdb"],
  [/influxd/, "/var/lib/influxdb"],
];

export interface DataDirectory {
  path: ByteString;
  /** Bytes in use. */
  size: number;
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

/** Where the data bases among the described programs usually keep their files. */
export async function usualData(machine: Machine, descriptor: Descriptor): Promise<DataDirectory[]> {
  const words = descriptor.programs.map((program) => program.command.join(" ")).join(" ");
  const found: DataDirectory[] = [];
  for (const [program, path] of usualDirectories) {
    if (!program.test(words) || (await machine.files.stat(path)) === undefined) continue;
    found.push({ path, size: await sizeOf(machine, path) });
  }
  return found;
}

/** Where data bases of any kind keep their files on this machine. */
export async function knownDataDirectories(machine: Machine): Promise<DataDirectory[]> {
  const found: DataDirectory[] = [];
  for (const [, path] of usualDirectories) {
    if ((await machine.files.stat(path))?.kind === "directory")
      found.push({ path, size: await sizeOf(machine, path) });
  }
  return found;
}

async function sizeOf(machine: Machine, path: ByteString): Promise<number> {
  let size = 0;
  for await (const entry of machine.files.walk(path))
    if (!isUnreadable(entry)) size += (entry as Entry).blocks * 512;
  return size;
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
