/**
 * Libraries that a program names in its text and may load by dlopen.
 *
 * Why: plug-ins, drivers and optional libraries are no NEEDED entries; whether they are loaded depends on what the
 * program is asked to do. Where a used file imports dlopen and holds a string that is the name of a library in its
 * library path, or the absolute path of one, that library is taken.
 */
import { findPathStrings } from "../../formats/strings.ts";
import type { Rule } from "../rule.ts";
import { isUse } from "../rule.ts";
import { mayBeElf } from "./elf-closure.ts";

const maxBytes = 64 << 20;
const maxNames = 2000;
const maxLibraries = 200;

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
      const names = [...sonames, ...paths.filter((path) => /\.so(\.[\w.]+)?$/.test(path))];
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
