// The database of rpm on a machine: where it lies, and what it holds. Read in pieces, so that its size does not count.
import { createHash } from "node:crypto";
import { isTranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";
import type { RandomAccess } from "../formats/random-access.ts";
import { type RpmPackages, readRpmDatabase } from "../formats/rpm-database.ts";
import type { MachineFiles } from "./machine.ts";

export interface RpmDatabase extends RpmPackages {
  path: ByteString;
}

/** /usr/lib/sysimage since Fedora 36 and SUSE 15, /usr/share/rpm in image-based systems; else /var/lib. */
const directories: readonly ByteString[] = ["/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm"];
/** Where a machine was converted both lie there, and the newer kind is in use. */
const names: readonly ByteString[] = ["rpmdb.sqlite", "Packages.db", "Packages"];
const piece = 1 << 20;
const kept = 8;

/**
 * The packages of a machine; undefined where it has no database of rpm. What is damaged is told in `problems`. E_IO where the
 * machine itself cannot be read.
 */
export async function readRpm(files: MachineFiles): Promise<RpmDatabase | undefined> {
  const found = await findDatabases(files);
  let chosen: RpmDatabase | undefined;
  for (const path of found) {
    if (chosen !== undefined && chosen.packages.length > 0) break;
    const read = await readAt(files, path);
    // An empty one beside a full one was made by a tool that only looked.
    if (chosen === undefined || read.packages.length > 0) chosen = read;
  }
  if (chosen === undefined) return undefined;
  for (const path of found)
    if (path !== chosen.path) chosen.problems.push(`there is another database at ${path}, which is not read`);
  return chosen;
}

async function findDatabases(files: MachineFiles): Promise<ByteString[]> {
  const found = new Map<ByteString, ByteString>();
  for (const directory of directories) {
    for (const name of names) {
      const { entry } = await files.resolve(`${directory}/${name}`);
      // One is often a link to the other.
      if (entry?.kind === "file") found.set(entry.path, entry.path);
    }
  }
  return [...found.values()];
}

async function readAt(files: MachineFiles, path: ByteString): Promise<RpmDatabase> {
  try {
    const main = await open(files, path);
    if (main === undefined) return { path, packages: [], problems: ["it has gone while it was looked for"] };
    const log = path.endsWith(".sqlite") ? await open(files, `${path}-wal`) : undefined;
    const read = await readRpmDatabase({ main, log }, hash);
    const journal = path.endsWith(".sqlite") ? await files.stat(`${path}-journal`) : undefined;
    if ((journal?.size ?? 0) > 0)
      read.problems.push("a transaction of it was not finished: run rpm --rebuilddb there");
    if (await changed(files, path, main.ctime)) read.problems.push("it changed while it was read");
    return { path, ...read };
  } catch (error) {
    if (!isTranshipError(error, "E_IO")) throw error;
    return { path, packages: [], problems: [error.message] };
  }
}

function hash(algorithm: "sha1" | "sha256", parts: readonly Uint8Array[]): string {
  const digest = createHash(algorithm);
  for (const part of parts) digest.update(part);
  return digest.digest("hex");
}

async function changed(files: MachineFiles, path: ByteString, before: bigint): Promise<boolean> {
  return (await files.stat(path))?.ctime !== before;
}

async function open(
  files: MachineFiles,
  path: ByteString,
): Promise<(RandomAccess & { ctime: bigint }) | undefined> {
  const entry = await files.stat(path);
  if (entry?.kind !== "file") return undefined;
  const pieces = new Map<number, Uint8Array>();
  const pieceAt = async (number: number): Promise<Uint8Array> => {
    const known = pieces.get(number);
    if (known !== undefined) {
      // Moved to the end: the one that was not used for longest is the first.
      pieces.delete(number);
      pieces.set(number, known);
      return known;
    }
    const bytes = (await files.readRange(path, number * piece, piece)) ?? new Uint8Array();
    pieces.set(number, bytes);
    for (const oldest of pieces.keys()) if (pieces.size > kept) pieces.delete(oldest);
    return bytes;
  };
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const first = Math.floor(offset / piece);
    const inside = offset - first * piece;
    if (inside + length <= piece) return (await pieceAt(first)).subarray(inside, inside + length);
    return (await files.readRange(path, offset, length)) ?? new Uint8Array();
  };
  return { size: entry.size, ctime: entry.ctime, read };
}
