// Where what the application writes goes in a package: each written path is given a place, with the reason.
import type { ByteString } from "../../formats/entry.ts";
import { encodeText } from "../../formats/escape.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { type Evidence, writingUses } from "../evidence/evidence.ts";

/**
 * volume: outlives instances. memory: in /dev/shm, or in a directory below /run that init empties at each start. log: not packed, its directory is.
 * lock: a pid or lock file, of no use to the next run. instance: in the instance's own files, gone when it is removed.
 */
export const writePlaces = ["volume", "memory", "log", "lock", "instance"] as const;
export type WritePlace = (typeof writePlaces)[number];

export interface WriteTarget {
  /** The volume, or the directory that was written to. */
  path: ByteString;
  to: WritePlace;
  why: string;
  /** Paths written there. */
  paths: number;
  /** The program that was first, in byte order. */
  by: ByteString;
}

const notFiles = /^\/(proc|sys|dev|\.tranship)(\/|$)/;
const words: Readonly<Record<WritePlace, string>> = {
  volume: "data that outlives an instance",
  memory: "temporary: emptied at each start",
  log: "a log: the content stays behind, the directory keeps its owner and mode",
  lock: "a pid or lock file, of no use to the next run",
  instance: "in the instance's own files, gone when it is removed; --volume PATH keeps it",
};

/** Sorted by place, then path. A directory with writes of two kinds is told twice. */
export function writeMap(evidence: Evidence, descriptor: Descriptor): WriteTarget[] {
  const volumes = descriptor.volumes.map((volume) => encodeText(volume.path));
  const targets = new Map<string, WriteTarget>();
  for (const [path, seen] of evidence.paths) {
    const by = writingUses.flatMap((use) => seen.uses.get(use) ?? []).sort()[0];
    if (by === undefined || !seen.found || (notFiles.test(path) && !path.startsWith("/dev/shm/"))) continue;
    const volume = volumes.find((one) => path === one || path.startsWith(`${one}/`));
    const to = volume === undefined ? placeOf(path) : "volume";
    const at = volume ?? (path.slice(0, path.lastIndexOf("/")) || "/");
    const key = `${to} ${at}`;
    const known = targets.get(key);
    if (known === undefined) targets.set(key, { path: at, to, why: words[to], paths: 1, by });
    else {
      known.paths++;
      if (by < known.by) known.by = by;
    }
  }
  const rank = (target: WriteTarget): number => writePlaces.indexOf(target.to);
  return [...targets.values()].sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1));
}

function placeOf(path: ByteString): WritePlace {
  if (/\.(pid|lock|lck)$|^\/(var\/)?(run\/)?lock\//.test(path)) return "lock";
  if (/^\/(run|var\/run|dev\/shm)(\/|$)/.test(path)) return "memory";
  if (/^\/var\/log\/|\.log(\.\d+)?$|\/logs\//.test(path)) return "log";
  return "instance";
}
