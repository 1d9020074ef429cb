// Finds libraries as the dynamic loader of the tree would.
//
// Theory. For a NEEDED name without a slash glibc looks, in this order, in: the DT_RPATH of the object that needs it, of the
// object that loaded that one, and so on up to the program, all only where the needing object has no DT_RUNPATH;
// LD_LIBRARY_PATH; its own DT_RUNPATH; ld.so.cache; the directories built into the loader. A file of another class or
// machine is passed over. In each directory the subdirectories for better processors come first: we return the plain file
// and all of those beside it, because the package may run on another processor. An object already loaded under the
// same soname is taken without a search. The built-in directories and $LIB are read from the loader's own strings:
// each distribution compiles in its own. musl has one list, in /etc/ld-musl-ARCH.path, after all run paths.

import type { ElfFile } from "../formats/elf.ts";
import { sameAbi } from "../formats/elf.ts";
import type { ByteString } from "../formats/entry.ts";
import type { ElfReader } from "./elf-reader.ts";
import type { LoaderKind } from "./loader-environment.ts";
import { LoaderEnvironment } from "./loader-environment.ts";
import type { Tree } from "./tree.ts";
import { dirname } from "./tree.ts";

export interface FoundLibrary {
  /** As the loader opens it; may be a symbolic link. */
  path: ByteString;
  canonical: ByteString;
  elf: ElfFile;
  /** The same library for better processors, as opened. */
  variants: ByteString[];
}

export interface NeededBy {
  name: ByteString;
  /** Canonical path of the object that needs it. */
  from: ByteString;
}

export interface LoadResult {
  found: Array<NeededBy & { library: FoundLibrary }>;
  missing: NeededBy[];
}

interface LoadedObject {
  canonical: ByteString;
  elf: ElfFile;
  /** $ORIGIN of the object. */
  origin: ByteString;
  loader: LoadedObject | undefined;
  libraryPath: readonly ByteString[];
}

const maxObjects = 4096;
const maxRunPaths = 256;
const maxLibraryPaths = 8;

export class Loader {
  readonly #tree: Tree;
  readonly #elves: ElfReader;
  readonly #searches = new Map<string, Promise<FoundLibrary | undefined>>();
  readonly environment: LoaderEnvironment;
  /** Values of LD_LIBRARY_PATH that programs of the tree are started with, in the order they became known. */
  readonly libraryPaths: ByteString[][] = [];

  constructor(tree: Tree, elves: ElfReader) {
    this.#tree = tree;
    this.#elves = elves;
    this.environment = new LoaderEnvironment(tree, elves);
  }

  addLibraryPath(directories: readonly ByteString[]): void {
    const value = directories.join(":");
    const known = this.libraryPaths.some((one) => one.join(":") === value);
    if (!known && this.libraryPaths.length < maxLibraryPaths) this.libraryPaths.push([...directories]);
  }

  /** All libraries that `path` pulls in when it is started with that LD_LIBRARY_PATH, or loaded by dlopen. */
  async load(path: ByteString, elf: ElfFile, libraryPath: readonly ByteString[] = []): Promise<LoadResult> {
    const kind = await this.environment.kindFor(elf);
    const main: LoadedObject = {
      canonical: path,
      elf,
      origin: dirname(path),
      loader: undefined,
      libraryPath,
    };
    const queue: LoadedObject[] = [main];
    const loaded = new Map<ByteString, FoundLibrary>();
    const result: LoadResult = { found: [], missing: [] };
    for (let object = queue.shift(); object !== undefined; object = queue.shift()) {
      const { needed, filters, optional } = object.elf;
      for (const [index, name] of [...needed, ...filters, ...optional].entries()) {
        const known = loaded.get(name);
        const library = known ?? (await this.#find(name, object, main, kind));
        const need = { name, from: object.canonical };
        if (library === undefined) {
          if (index < needed.length + filters.length) result.missing.push(need);
          continue;
        }
        result.found.push({ ...need, library });
        const fresh =
          known === undefined && ![...loaded.values()].some((one) => one.canonical === library.canonical);
        loaded.set(name, library);
        if (library.elf.soname !== undefined) loaded.set(library.elf.soname, library);
        if (fresh && loaded.size < maxObjects) {
          const { canonical } = library;
          queue.push({
            canonical,
            elf: library.elf,
            origin: dirname(library.path),
            loader: object,
            libraryPath,
          });
        }
      }
    }
    return result;
  }

  /** A library by the name that dlopen would be given, for a process like `elf`. */
  async find(name: ByteString, path: ByteString, elf: ElfFile): Promise<FoundLibrary | undefined> {
    const main: LoadedObject = {
      canonical: path,
      elf,
      origin: dirname(path),
      loader: undefined,
      libraryPath: [],
    };
    return this.#find(name, main, main, await this.environment.kindFor(elf));
  }

  async #find(
    name: ByteString,
    object: LoadedObject,
    main: LoadedObject,
    kind: LoaderKind,
  ): Promise<FoundLibrary | undefined> {
    if (name.includes("/")) {
      for (const path of this.#expand(name, object.origin, object.elf, kind)) {
        const found = await this.#accept(path, object.elf, []);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    const before = this.#runPaths(object, main, kind);
    const key = [name, object.elf.bits, object.elf.machine, kind.id, object.elf.noDefaultLib, ...before].join(
      "\0",
    );
    let search = this.#searches.get(key);
    if (search === undefined) {
      search = this.#search(name, object.elf, before, kind);
      this.#searches.set(key, search);
    }
    return search;
  }

  /** The directories that come before the cache. */
  #runPaths(object: LoadedObject, main: LoadedObject, kind: LoaderKind): ByteString[] {
    const directories: ByteString[] = [];
    const take = (list: ByteString | undefined, owner: LoadedObject): void => {
      for (const part of list === undefined ? [] : list.split(":", maxRunPaths)) {
        if (part !== "") directories.push(...this.#expand(part, owner.origin, owner.elf, kind));
      }
    };
    if (object.elf.runpath === undefined || kind.flavour === "musl") {
      let owner: LoadedObject | undefined = object;
      let last = object;
      for (; owner !== undefined; owner = owner.loader) {
        if (owner.elf.runpath === undefined) take(owner.elf.rpath, owner);
        else if (kind.flavour === "musl") take(owner.elf.runpath, owner);
        last = owner;
      }
      if (last !== main && main.elf.runpath === undefined) take(main.elf.rpath, main);
    }
    directories.push(...object.libraryPath);
    if (kind.flavour !== "musl") take(object.elf.runpath, object);
    return [...new Set(directories)];
  }

  /** $ORIGIN, $LIB and $PLATFORM, with and without braces. */
  #expand(text: ByteString, origin: ByteString, elf: ElfFile, kind: LoaderKind): ByteString[] {
    if (!text.includes("$")) return [text];
    const base = text.replace(/\$(?:ORIGIN|\{ORIGIN\})/g, () => origin);
    if (!/\$\{?(LIB|PLATFORM)/.test(base)) return [base];
    const results: ByteString[] = [];
    for (const lib of kind.libTokens) {
      for (const platform of kind.platforms(elf)) {
        results.push(
          base
            .replace(/\$(?:LIB|\{LIB\})/g, () => lib)
            .replace(/\$(?:PLATFORM|\{PLATFORM\})/g, () => platform),
        );
      }
    }
    return [...new Set(results)];
  }

  async #search(
    name: ByteString,
    elf: ElfFile,
    before: readonly ByteString[],
    kind: LoaderKind,
  ): Promise<FoundLibrary | undefined> {
    for (const directory of before) {
      const found = await this.#inDirectory(directory, name, elf);
      if (found !== undefined) return found;
    }
    const cached = kind.flavour === "musl" ? [] : await this.environment.cached(name);
    const found = await this.#accept(cached[0], elf, cached.slice(1));
    if (found !== undefined) return found;
    if (elf.noDefaultLib) return undefined;
    for (const directory of kind.directories) {
      const found = await this.#inDirectory(directory, name, elf);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #inDirectory(
    directory: ByteString,
    name: ByteString,
    elf: ElfFile,
  ): Promise<FoundLibrary | undefined> {
    const below = await this.environment.variantDirectories(directory);
    if (below === undefined) return undefined;
    return this.#accept(
      `${directory}/${name}`,
      elf,
      below.map((variant) => `${variant}/${name}`),
    );
  }

  /** The first of the paths that is a library of the same ABI; the others that are become its variants. */
  async #accept(
    first: ByteString | undefined,
    elf: ElfFile,
    others: readonly ByteString[],
  ): Promise<FoundLibrary | undefined> {
    if (first === undefined) return undefined;
    let result: FoundLibrary | undefined;
    for (const path of [first, ...others]) {
      const { entry } = await this.#tree.resolve(path);
      if (entry?.kind !== "file") continue;
      const library = await this.#elves.info(entry.path);
      if (library === undefined || !sameAbi(elf, library)) continue;
      if (result === undefined) result = { path, canonical: entry.path, elf: library, variants: [] };
      else result.variants.push(path);
    }
    return result;
  }
}
