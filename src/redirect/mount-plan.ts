// What rules become in the namespace engine, as values: what is asked of package and host, and the mounts, entries and refusals that follow.
import type { FileRule } from "./rules.ts";

export type EntryKind = "file" | "directory";

/** What is at a path, and where links have led: `location` has none in it any more. kind undefined: nothing is there. */
export interface Found {
  readonly location: string;
  readonly kind: EntryKind | undefined;
  /** Links in a circle, or names that no file system holds: no path leads there. */
  readonly nowhere?: boolean;
}

export interface MountWorld {
  inPackage(path: string): Found;
  /** undefined: nothing is there. Asked only of what is allowed. */
  onHost(path: string): EntryKind | undefined;
  /** Whether the host's own path may be seen. */
  allows(path: string): boolean;
  /** Where volumes and directories of the host are mounted in the instance. */
  readonly mounts: readonly string[];
}

/** How a rule is carried out; `at` is where, after the links of the package. */
export type Made =
  | { readonly as: "nothing"; readonly at: string; readonly reason: string }
  | {
      readonly as: "bind";
      readonly at: string;
      readonly source: string;
      readonly readOnly: boolean;
      /** The source is the package's, not what the instance sees there: read-only ones alone. */
      readonly apart: boolean;
    }
  | { readonly as: "host"; readonly at: string; readonly source: string }
  | {
      readonly as: "overlay";
      readonly at: string;
      /** Lower directories: a path of the package, a path of the host; null: not part of it. */
      readonly package: string | null;
      readonly host: string | null;
    }
  | { readonly as: "copy"; readonly at: string; readonly source: string; readonly host: boolean }
  | { readonly as: "absent"; readonly at: string; readonly reason: string };

export interface MountPlan {
  readonly made: ReadonlyArray<{ readonly rule: FileRule; readonly made: Made }>;
  readonly entries: readonly LayerEntry[];
  readonly refusals: readonly Refusal[];
}

export interface Refusal {
  readonly rule: FileRule;
  /** kind: `to` is of another kind than the rule; merged: a folder; place: all else. */
  readonly about: "kind" | "merged" | "place";
  readonly reason: string;
  readonly hint: string;
}

/** Something that has to be in a layer of ours. */
export interface LayerEntry {
  /** null: of the instance's root; else the index in `made` of the overlay. */
  readonly overlay: number | null;
  /** Inside the layer. */
  readonly path: string;
  readonly kind: EntryKind | "whiteout" | "copy";
  /** Of a copy: a path of the package, or of the host. */
  readonly source?: { readonly path: string; readonly host: boolean };
}

/** Where no rule may lead to or from: what the instance is made of. */
export const reserved: readonly string[] = ["/proc", "/sys", "/dev", "/.tranship"];
