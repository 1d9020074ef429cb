/**
 * The plug-ins beside one that was loaded.
 *
 * Why: a program that loads a library from a directory of its own, outside of the loader's path, chooses by configuration or
 * request which; the others are there to be chosen as well. Where installed packages own the directory, they bring it anyway.
 */

import { isSweepable } from "../policy.ts";
import type { Rule } from "../rule.ts";
import { dirname } from "../tree.ts";
import { mayBeElf } from "./elf-closure.ts";

const maxPlugins = 500;
const library = /\.so(\.[\w.]+)?$/;

export function pluginDirectories(): Rule {
  const seen = new Set<string>();
  return {
    name: "plug-ins",
    async reason(scene, entry, reason, emit) {
      if (reason.kind !== "traced" || entry.kind !== "file" || !library.test(entry.path)) return;
      const directory = dirname(entry.path);
      if (seen.has(directory) || !isSweepable(directory) || !(await mayBeElf(scene, entry))) return;
      seen.add(directory);
      const others = (await scene.tree.list(directory)) ?? [];
      const plugins = others.filter((one) => library.test(one.path) && one.path !== entry.path);
      for (const [index, one] of plugins.entries()) {
        const why = { kind: "loaded", from: entry.path, detail: "plug-in beside it" } as const;
        if (index < maxPlugins) emit.add(one.path, why);
        else emit.candidate(one.path, why, `one of more than ${maxPlugins} plug-ins`);
      }
    },
  };
}
