/**
 * Directories whose names the program read.
 *
 * Why: a program that lists a directory acts on the names it finds, also on those that it did not open this time. All
 * children of one level are taken, so that the list is complete and each of them has its content.
 */
import { isSweepable } from "../policy.ts";
import type { Rule } from "../rule.ts";

/** A running program was started with the directory, or stands in it: what it does there was not watched, so it is taken whole. */
const named: ReadonlySet<string> = new Set(["directory", "argument", "variable"]);
const maxChildren = 20_000;

export function listedDirectories(): Rule {
  return {
    name: "listed",
    async reason(scene, entry, reason, emit) {
      if (entry.kind !== "directory" || reason.kind !== "traced") return;
      if (named.has(reason.detail ?? "") && isSweepable(entry.path))
        emit.tree(entry.path, { kind: "listed", from: entry.path }, "unless huge");
      if (reason.detail !== "list") return;
      const children = await scene.tree.list(entry.path);
      if (children === undefined) return;
      const why = { kind: "listed", from: entry.path } as const;
      if (!isSweepable(entry.path) || children.length > maxChildren) {
        for (const child of children.slice(0, maxChildren)) {
          if (!scene.included.has(child.path))
            emit.candidate(child.path, why, "below a listed directory that the whole system shares");
        }
        return;
      }
      for (const child of children) emit.add(child.path, why);
    },
  };
}
