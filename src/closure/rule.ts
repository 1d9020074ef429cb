// What a closure rule sees and says. A rule is told of every path that joins the package and answers with further ones.
import type { ByteString, Entry } from "../formats/entry.ts";
import type { MachineFiles } from "../machine/machine.ts";
import type { Configurations } from "./configuration.ts";
import type { NamedData } from "./data-places.ts";
import type { ElfReader } from "./elf-reader.ts";
import type { InstalledPackages } from "./installed.ts";
import type { Loader } from "./loader.ts";
import type { ProgramStart } from "./program-start.ts";
import type { Reason, ReasonKind } from "./reason.ts";
import type { Tree } from "./tree.ts";

/** Where a rule puts what it found. Nothing is resolved yet: the engine follows links and adds parents. */
export interface Emit {
  /** A path by any of its names. Where it does not exist it is dropped, unless somebody asked for it by name (see missing). */
  add(path: ByteString, reason: Reason): void;
  /** A directory with all below it. "unless huge": where it is, it becomes a candidate and joins empty. */
  tree(path: ByteString, reason: Reason, limit?: "unless huge"): void;
  missing(path: ByteString, reason: Reason): void;
  /** Reachable, but not packed. */
  candidate(path: ByteString, reason: Reason, because: string): void;
}

export interface Included {
  entry: Entry;
  reasons: Reason[];
}

/** The state of an expansion that rules may read. */
export interface Scene {
  readonly files: MachineFiles;
  readonly tree: Tree;
  readonly elves: ElfReader;
  readonly loader: Loader;
  readonly installed: InstalledPackages;
  readonly configurations: Configurations;
  /** The programs of the application; empty for the system files. */
  readonly starts: readonly ProgramStart[];
  /** Directories with data that somebody found besides. */
  readonly data: readonly NamedData[];
  /** Directories of PATH, for `env NAME`. */
  readonly path: readonly ByteString[];
  /** What is in the package by now, by canonical path. */
  readonly included: ReadonlyMap<ByteString, Included>;
  /** The first bytes of a file (at least 512 where it has as many), each file read once. */
  head(entry: Entry): Promise<Uint8Array>;
}

/** One rule of one expansion: a factory makes it, so it may keep state. Calls within a round run side by side. */
export interface Rule {
  readonly name: string;
  start?(scene: Scene, emit: Emit): Promise<void>;
  /** Once for each path that joins, with its first reason. */
  entry?(scene: Scene, entry: Entry, reason: Reason, emit: Emit): Promise<void>;
  /** Once for each kind of reason that a path gets, the first included; use and mere presence (isUse) count apart. */
  reason?(scene: Scene, entry: Entry, reason: Reason, emit: Emit): Promise<void>;
  /** When nothing is left to do; what it emits starts another round. */
  settle?(scene: Scene, emit: Emit): Promise<void>;
}

const usedKinds: ReadonlySet<ReasonKind> = new Set([
  "traced",
  "rule",
  "installer",
  "needed",
  "interpreter",
  "loaded",
  "configuration",
]);

/** Detail of an "interpreter" reason whose script was only swept in. */
export const unusedScript = "unused script";

/**
 * Somebody or something used or brought this very file, as against its being swept in: all kinds above, and "installed" without
 * `from`, which says that the installed package was named by the user.
 */
export function isUse(reason: Reason): boolean {
  if (reason.kind === "interpreter" && reason.detail === unusedScript) return false;
  return usedKinds.has(reason.kind) || (reason.kind === "installed" && reason.from === undefined);
}
