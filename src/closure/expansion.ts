// What an expansion is given and what it gives: paths with reasons.
import type { ByteString, Entry } from "../formats/entry.ts";
import type { NamedData } from "./data-places.ts";
import type { InstalledPackages, InstalledProblem } from "./installed.ts";
import type { ProgramStart } from "./program-start.ts";
import type { Missing, Reason } from "./reason.ts";
import { reasonKinds } from "./reason.ts";
import type { Included, Rule } from "./rule.ts";
import type { Candidate } from "./sink.ts";

export interface Seed {
  path: ByteString;
  /** detail "list" on a directory: its names have to be complete. */
  reason: Reason;
}

export interface LanguageUse {
  /** "python3.9", "perl5.32", "php7.4": as in the detail of the reasons. */
  name: string;
  /** The file that showed its use. */
  from: ByteString;
}

export interface Expansion {
  /** Canonical path -> reasons, most telling first; in byte order of the paths. */
  paths: Map<ByteString, Reason[]>;
  /** What the machine says of each path. */
  entries: ReadonlyMap<ByteString, Entry>;
  missing: Missing[];
  languages: LanguageUse[];
  candidates: Candidate[];
  /** Names of the installed packages that are packed, sorted. */
  packages: string[];
  problems: InstalledProblem[];
}

export interface ExpandOptions {
  /** Default: loaded from the machine. */
  installed?: InstalledPackages;
  /** PATH of the traced program, as directories. */
  path?: readonly ByteString[];
  /** The programs of the application, as they are started. Default: none. */
  starts?: readonly ProgramStart[];
  /** Directories with data, whatever asks for them: taken whole. Default: none. */
  data?: readonly NamedData[];
  /** Default 2,000,000. E_LIMIT above. */
  maxPaths?: number;
  /** Only these rules; for tests. */
  rules?: readonly Rule[];
}

/** What was included in byte order of the paths, the most telling reason of each first. */
export function sortedPaths(
  included: ReadonlyMap<ByteString, Included>,
): Pick<Expansion, "paths" | "entries"> {
  const paths = new Map<ByteString, Reason[]>();
  const entries = new Map<ByteString, Entry>();
  for (const path of [...included.keys()].sort()) {
    const one = included.get(path);
    if (one === undefined) continue;
    paths.set(
      path,
      one.reasons.sort((a, b) => reasonKinds.indexOf(a.kind) - reasonKinds.indexOf(b.kind)),
    );
    entries.set(path, one.entry);
  }
  return { paths, entries };
}
