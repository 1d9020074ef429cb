/**
 * Programs and libraries: their interpreter and everything that the loader would load for them.
 *
 * Why: a trace shows only the libraries of the code paths that ran; a program that was added as part of a package, or a
 * module that the program loads on another page, needs its own. Every ELF file that joins is resolved as a process
 * of its own. What a library lacks by itself may be there already in every process that loads it (a plug-in built without
 * run path): such a need counts as met when the package holds a library of that name and ABI.
 */

import type { ElfFile } from "../../formats/elf.ts";
import { sameAbi } from "../../formats/elf.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { parseLdSoPreload } from "../../formats/ld-so-conf.ts";
import { loaderConfiguration } from "../loader-environment.ts";
import type { Emit, Rule, Scene } from "../rule.ts";
import { basename } from "../tree.ts";

interface Unmet {
  name: ByteString;
  from: ByteString;
  elf: ElfFile;
}

export function elfClosure(): Rule {
  const unmet: Unmet[] = [];
  let searched = 0;
  return {
    name: "elf",
    async start(scene, emit) {
      const files = ["/etc/ld.so.cache", "/etc/ld.so.preload", ...(await loaderConfiguration(scene.tree))];
      for (const path of files) emit.add(path, { kind: "base", detail: "dynamic loader" });
      await preload(scene, emit);
    },
    async entry(scene, entry, _reason, emit) {
      if (!(await mayBeElf(scene, entry))) return;
      const elf = await scene.elves.info(entry.path);
      if (elf === undefined || elf.type === "relocatable" || elf.type === "core") return;
      await follow(scene, entry, elf, { emit, unmet });
    },
    async settle(scene, emit) {
      // Who is started with which LD_LIBRARY_PATH is not known of all programs, so each may be started with any.
      if (searched < scene.loader.libraryPaths.length) {
        let found = 0;
        for (const path of scene.loader.libraryPaths.slice(searched))
          found += await followBy(scene, path, emit);
        searched = scene.loader.libraryPaths.length;
        if (found > 0) return; // what it lacks is told when all of these are in
      }
      const byName = await librariesByName(scene);
      for (const { name, from, elf } of unmet.splice(0)) {
        const met = (byName.get(name) ?? []).some((library) => sameAbi(elf, library));
        if (!met) emit.missing(name, { kind: "needed", from, detail: name });
      }
    },
  };
}

/** Opening each of tens of thousands of pages and pictures costs more than it finds: libraries have .so, programs the x bit. */
export async function mayBeElf(scene: Scene, entry: Entry): Promise<boolean> {
  if (entry.kind !== "file" || entry.size < 52) return false;
  const name = basename(entry.path);
  if ((entry.mode & 0o111) === 0 && !/\.(so|node|jnilib|bundle)(\.|$)/.test(name)) return false;
  const head = await scene.head(entry);
  return head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

async function follow(
  scene: Scene,
  entry: Entry,
  elf: ElfFile,
  to: { emit: Emit; unmet: Unmet[] },
): Promise<void> {
  const from = entry.path;
  if (elf.interpreter !== undefined && elf.interpreter !== "") {
    const reason = { kind: "interpreter", from, detail: elf.interpreter } as const;
    const { entry: loader } = await scene.tree.resolve(elf.interpreter);
    if (loader === undefined) to.emit.missing(elf.interpreter, reason);
    else to.emit.add(elf.interpreter, reason);
  }
  if (elf.needed.length + elf.filters.length + elf.optional.length === 0) return;
  const result = await scene.loader.load(from, elf);
  for (const { name, from: needer, library } of result.found) {
    for (const path of [library.path, ...library.variants]) {
      to.emit.add(path, { kind: "needed", from: needer, detail: name });
    }
  }
  for (const need of result.missing) to.unmet.push({ ...need, elf });
}

/** What all programs so far would load by this LD_LIBRARY_PATH and not without; how many libraries. */
async function followBy(scene: Scene, libraryPath: readonly ByteString[], emit: Emit): Promise<number> {
  let count = 0;
  for (const { entry } of [...scene.included.values()]) {
    if (!(await mayBeElf(scene, entry))) continue;
    const elf = await scene.elves.info(entry.path);
    if (elf === undefined || elf.type === "relocatable" || elf.type === "core") continue;
    for (const { name, from, library } of (await scene.loader.load(entry.path, elf, libraryPath)).found) {
      if (!libraryPath.some((directory) => library.path.startsWith(`${directory}/`))) continue;
      if (scene.included.has(library.canonical)) continue;
      emit.add(library.path, { kind: "needed", from, detail: name });
      count++;
    }
  }
  return count;
}

async function preload(scene: Scene, emit: Emit): Promise<void> {
  const text = await scene.tree.text("/etc/ld.so.preload");
  for (const path of parseLdSoPreload(text ?? "")) {
    if (path.startsWith("/"))
      emit.add(path, { kind: "loaded", from: "/etc/ld.so.preload", detail: "preload" });
  }
}

async function librariesByName(scene: Scene): Promise<Map<ByteString, ElfFile[]>> {
  const byName = new Map<ByteString, ElfFile[]>();
  const put = (name: ByteString, elf: ElfFile): void => {
    byName.set(name, [...(byName.get(name) ?? []), elf]);
  };
  for (const { entry } of scene.included.values()) {
    const isLink = entry.kind === "symlink";
    if (!/\.so(\.|$)/.test(basename(entry.path)) || (!isLink && entry.kind !== "file")) continue;
    const file = isLink ? (await scene.tree.resolve(entry.path)).entry : entry;
    const elf = file?.kind === "file" ? await scene.elves.info(file.path) : undefined;
    if (elf === undefined) continue;
    put(basename(entry.path), elf);
    if (elf.soname !== undefined && elf.soname !== basename(entry.path)) put(elf.soname, elf);
  }
  return byName;
}
