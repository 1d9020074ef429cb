// The plan: what a capture will pack and why. plan-file.ts has it as a file that people read and edit before it is carried out.
import type { ByteString } from "../../formats/entry.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import type { DataState } from "../data/data-state.ts";
import type { WriteTarget } from "../data/write-map.ts";
import type { CoverageLine } from "../evidence/coverage.ts";
import type { Agreement } from "../evidence/evidence.ts";
import type { DataSnapshot } from "../sandbox/snapshot-files.ts";

/** Layers by origin, bottom first. `tranship` is made by packing and never in a plan. */
export const layerNames = ["system", "runtime", "app", "config"] as const;
export type LayerName = (typeof layerNames)[number];

export interface PlanGroup {
  /** "installed apache2", "configuration", "data /var/lib/mysql". */
  name: string;
  layer: LayerName;
  /** One sentence: why these files are in. */
  why: string;
  bytes: number;
  files: ByteString[];
}

export interface Exclusion {
  path: ByteString;
  why: string;
}

/** A planned file whose content was read from a running process, because its name no longer leads to it. */
export interface RecoveredFile {
  path: ByteString;
  why: string;
  /** Of the extents as they were read (digest.ts of recover); "" where the file changed all the time. */
  digest: string;
}

export interface Plan {
  source: {
    machine: string;
    /** No planned file changed after this moment: nanoseconds since the epoch, in the source's own clock. */
    asOf: bigint;
    /** Name of the file beside the plan where the reasons of every path are. */
    evidence: string | undefined;
    /** Set where all paths are those of a process with a root or mounts of its own: they are read through it. */
    process?: { pid: number; startTime: string } | undefined;
    /** Data directories whose content is that of another directory of this host. */
    snapshots?: DataSnapshot[] | undefined;
    /** Name of the directory beside the plan that holds the recovered files. */
    recovered?: string | undefined;
    /** The files are those of an installation that was run on overlays: the machine itself does not have them. */
    installer?: readonly string[] | undefined;
  };
  package: Descriptor;
  groups: PlanGroup[];
  /** Paths that evidence asked for and that are left out, with the reason. */
  excluded: Exclusion[];
  /** Paths that could be needed in ways that were not exercised; include one by moving it into a group. */
  candidates: Exclusion[];
  /** Asked for and absent on the source. */
  missing: Exclusion[];
  /** What planned programs need and the plan does not have, though the source may: nothing, unless it was left out. */
  unmet: Exclusion[];
  /** Looked for in vain by the application and absent on the source: a package in which one of them is there behaves otherwise. */
  absent: ByteString[];
  /** What the watched run exercised; empty where nothing was run. */
  coverage: CoverageLine[];
  /** Where what was written goes in the package; empty where nothing was run. */
  writes: WriteTarget[];
  /** Whether the content of volumes was still when the plan was made. */
  data: DataState[];
  /** Planned configuration files that are not what their installed packages brought; absent where there is none. */
  edited?: Exclusion[] | undefined;
  /** What is largest in it, when it was made. */
  largest: Largest;
  /** Default none. */
  recovered?: RecoveredFile[] | undefined;
  /** How far the two witnesses of the run agreed; absent where only one watched, or nothing was run. */
  witnesses?: Agreement;
}

export interface LargeFile {
  path: ByteString;
  bytes: number;
  why: string;
}

export interface LargeDirectory extends LargeFile {
  /** How many files are below it. */
  files: number;
}

export interface Largest {
  files: LargeFile[];
  directories: LargeDirectory[];
}
