// Where data may lie. A link in a data directory that leads to such a place is part of the data: a table space, a cluster that was
// moved to a larger disk. One that leads to a program, its configuration or its logs is not.
import { TranshipError } from "../base/errors.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import { dirname, isBelow, type Tree } from "./tree.ts";

/** Written by every program and no data: logs, locks, caches, temporary files, and system files that services rewrite. */
const noData =
  /^\/(proc|sys|dev|run|tmp|etc|usr|lib|lib64|bin|sbin|boot|root\/\.|\.tranship|var\/(run|lock|tmp|log|cache|lib\/(dpkg|apt|systemd|php\/sessions)))(\/|$)/;
/** Programs that nobody packaged are there, and now and then their data: that belongs to the service's user. */
const localPrograms = /^\/(usr\/local|opt)\/./;
/** Below these each child is a data directory of its own. */
const homesOfData: readonly ByteString[] = [
  "/var/lib",
  "/var/spool",
  "/srv",
  "/home",
  "/opt",
  "/data",
  "/var/opt",
];
const notOneThing: ReadonlySet<ByteString> = new Set([
  "/",
  "/var",
  "/mnt",
  "/media",
  "/root",
  ...homesOfData,
]);

/** Whether what is written there is no data of an application. */
export function isNoData(path: ByteString): boolean {
  return noData.test(path);
}

/** Whether a directory only holds data directories of several applications. */
export function isHomeOfData(path: ByteString): boolean {
  return path === "/" || homesOfData.includes(path);
}

/** Whether a directory may be data of one application: not the top of many, and no program's place. */
export function isOneThing(directory: ByteString): boolean {
  return !notOneThing.has(directory);
}

/** The directory with the data that a link below a data directory leads to; undefined where that is no data, or nothing. */
export async function dataBehind(link: Entry, tree: Tree): Promise<ByteString | undefined> {
  const { entry } = await tree.resolve(link.path);
  if (entry === undefined || (entry.kind !== "directory" && entry.kind !== "file")) return undefined;
  const directory = entry.kind === "directory" ? entry.path : dirname(entry.path);
  if (notOneThing.has(directory)) return undefined;
  if (localPrograms.test(directory)) return entry.uid === 0 ? undefined : directory;
  return isNoData(directory) ? undefined : directory;
}

/** Each is a volume: nobody has more, and every link is held against all of them. */
const maxPlaces = 1000;

/** A directory with data, and the file or program that names it. */
export interface NamedData {
  path: ByteString;
  from: ByteString;
}

export interface DataPlace {
  path: ByteString;
  /** The link that leads there from another data directory. */
  link?: ByteString;
}

/**
 * Data directories by their canonical paths, and behind them those that links at or below them lead to. `below` gives the links
 * below a directory, of which some may be in data directories that were there already: those come once. E_LIMIT for more than a thousand.
 */
export async function followData(
  directories: readonly ByteString[],
  tree: Tree,
  below: (directory: ByteString) => Iterable<Entry> | AsyncIterable<Entry>,
): Promise<DataPlace[]> {
  const places: DataPlace[] = [];
  for (const path of directories) {
    const { entry } = await tree.resolve(path);
    const real = entry?.kind === "directory" ? entry.path : path;
    if (!places.some((one) => one.path === real)) places.push({ path: real });
  }
  // Grows while it is gone through: what a link leads to may have links of its own.
  for (const { path } of places) {
    for await (const link of below(path)) {
      if (link.kind !== "symlink") continue;
      const target = await dataBehind(link, tree);
      if (target === undefined || places.some((one) => isBelow(target, one.path))) continue;
      if (places.length >= maxPlaces)
        throw new TranshipError(
          "E_LIMIT",
          `links below ${escapeBytes(path)} lead to more than ${maxPlaces} data directories`,
          { hint: "put one link to the directory above them in their place, or a mount" },
        );
      places.push({ path: target, link: link.path });
    }
  }
  return places;
}
