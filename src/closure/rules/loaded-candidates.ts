/**
 * Libraries that a program names in its text and may load by dlopen.
 *
 * Why: plug-ins, drivers and optional libraries are no NEEDED entries; whether they are loaded depends on what the
 * program is asked to do. Where a used file imports dlopen and holds a string that is the name of a library in its
 * library path, or the absolute path of one, that library is taken; where it holds the name of a directory that has plug-ins in it, all of
 * them: a server was built with that name, and a request chooses one of them later.
 */

import type { ByteString } from "../../formats/entry.ts";
import { findPathStrings } from "../../formats/strings.ts";
import { isSweepable } from "../policy.ts";
import type { Emit, Rule, Scene } from "../rule.ts";
import { isUse } from "../rule.ts";
import { mayBeElf } from "./elf-closure.ts";

const maxBytes = 64 << 20;
const maxNames = 2000;
const maxLibraries = 200;
const maxPlugins = 500;
const library = /\.so(\.[\w.]+)?$/;

export function loadedCandidates(): Rule {
  const seen = new Set<string>();
  return {
    name: "loaded",
    async reason(scene, entry, reason, emit) {
      if (!isUse(reason) || seen.has(entry.path) || !(await mayBeElf(scene, entry))) return;
      seen.add(entry.path);
      const elf = await scene.elves.info(entry.path);
      if (elf === undefined || !(elf.imports.has("dlopen") || elf.imports.has("dlmopen"))) return;
      const bytes = await scene.tree.read(entry.path, maxBytes);
      if (bytes === undefined) return;
      const { sonames, paths } = findPathStrings(bytes, maxNames);
      const names = [...sonames, ...paths.filter((path) => library.test(path))];
      for (const path of paths.filter(isPluginDirectory)) await addPlugins(scene, entry.path, path, emit);
      let left = maxLibraries;
      for (const name of names) {
        if (name === elf.soname || elf.needed.includes(name)) continue;
        const library = await scene.loader.find(name, entry.path, elf);
        if (library === undefined || left-- <= 0) continue;
        emit.add(library.path, { kind: "loaded", from: entry.path, detail: name });
      }
    },
  };
}

/** Directories of one program's plug-ins lie below those of all libraries; these are never taken whole. */
function isPluginDirectory(path: ByteString): boolean {
  return (
    /^\/(usr\/(local\/)?|opt\/.*)?(lib|lib32|lib64|libexec)\/./.test(path) &&
    isSweepable(path.replace(/\/+$/, ""))
  );
}

async function addPlugins(scene: Scene, from: ByteString, path: ByteString, emit: Emit): Promise<void> {
  const { entry } = await scene.tree.resolve(path);
  if (entry?.kind !== "directory" || !isSweepable(entry.path)) return;
  const plugins = ((await scene.tree.list(entry.path)) ?? []).filter((one) => library.test(one.path));
  const why = { kind: "loaded", from, detail: "plug-in of a directory that it names" } as const;
  for (const [index, one] of plugins.entries()) {
    if (index < maxPlugins) emit.add(one.path, why);
    else emit.candidate(one.path, why, `one of more than ${maxPlugins} plug-ins`);
  }
}
