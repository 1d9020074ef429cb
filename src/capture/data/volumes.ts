// Which directories hold data that must outlive an instance: those in which the application wrote while it was watched.
import { isHomeOfData, isNoData } from "../../closure/data-places.ts";
import type { ByteString } from "../../formats/entry.ts";
import type { Evidence } from "../evidence/evidence.ts";
import { writingUses } from "../evidence/evidence.ts";

/** What Python writes beside a module that it imports, under a name of its own until it is whole: made anew wherever it is missing. */
const byteCode = /\/__pycache__(\/|$)|\.py[co](\.\d+)?$/;

/** Sorted, none inside another. `exists` tells directories that the source has. */
export function dataDirectories(evidence: Evidence, exists: (path: ByteString) => boolean): ByteString[] {
  const found = new Set<ByteString>();
  for (const [path, seen] of evidence.paths) {
    if (!writingUses.some((use) => seen.uses.has(use)) || isNoData(path) || byteCode.test(path)) continue;
    let directory = path.slice(0, path.lastIndexOf("/")) || "/";
    while (directory !== "/" && !exists(directory))
      directory = directory.slice(0, directory.lastIndexOf("/")) || "/";
    if (isHomeOfData(directory)) continue;
    found.add(wholeOf(directory));
  }
  const sorted = [...found].sort();
  return sorted.filter(
    (directory) => !sorted.some((other) => other !== directory && directory.startsWith(`${other}/`)),
  );
}

/** /var/lib/mysql/guestbook -> /var/lib/mysql: a data base's directory is one thing. */
function wholeOf(directory: ByteString): ByteString {
  const match = /^(\/var\/(?:lib|spool)\/[^/]+)/.exec(directory);
  return match?.[1] ?? directory;
}
