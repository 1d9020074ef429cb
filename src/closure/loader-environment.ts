// What a tree's loaders have built in or read at start: the cache, the default directories, processor variants.

import type { ElfFile } from "../formats/elf.ts";
import { sameAbi } from "../formats/elf.ts";
import type { ByteString } from "../formats/entry.ts";
import { parseLdSoCache } from "../formats/ld-so-cache.ts";
import { parseLdSoConf } from "../formats/ld-so-conf.ts";
import type { ElfReader } from "./elf-reader.ts";
import { matchPaths } from "./glob.ts";
import type { Tree } from "./tree.ts";
import { basename, dirname, join } from "./tree.ts";

export interface LoaderKind {
  /** Tells kinds apart in caches. */
  id: string;
  flavour: "glibc" | "musl";
  /** Canonical path; undefined where the tree has no loader for this ABI. */
  loader: ByteString | undefined;
  directories: ByteString[];
  /** What $LIB may stand for. */
  libTokens: string[];
  platforms(elf: ElfFile): string[];
}

/** Where distributions put the loader: for libraries, which name none. */
const knownLoaders = [
  "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-linux-armhf.so.3",
  "/lib/ld-linux.so.3", "/lib64/ld64.so.2", "/lib64/ld64.so.1", "/lib/ld64.so.1", "/lib/ld-linux-riscv64-lp64d.so.1",
  "/libx32/ld-linux-x32.so.2", "/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-i386.so.1", "/lib/ld-musl-aarch64.so.1",
  "/lib/ld-musl-armhf.so.1", "/lib/ld.so.1",
]; // biome-ignore format: a table

/** Subdirectories of old glibc for better processors; the newer ones are listed from glibc-hwcaps. */
const legacyVariants = [
  "tls",
  "haswell",
  "avx512_1",
  "xeon_phi",
  "x86_64",
  "i386",
  "i486",
  "i586",
  "i686",
  "sse2",
  "cmov",
];

const platformNames: Record<number, string[]> = {
  3: ["i686", "i586", "i486", "i386"],
  40: ["v7l", "v6l"],
  62: ["x86_64", "haswell", "xeon_phi"],
  183: ["aarch64"],
};

const maxCacheBytes = 64 << 20;
const maxLoaderBytes = 4 << 20;

export class LoaderEnvironment {
  readonly #tree: Tree;
  readonly #elves: ElfReader;
  #cache: Promise<Map<ByteString, ByteString[]>> | undefined;
  readonly #kinds = new Map<string, Promise<LoaderKind>>();
  readonly #variants = new Map<ByteString, Promise<ByteString[] | undefined>>();

  constructor(tree: Tree, elves: ElfReader) {
    this.#tree = tree;
    this.#elves = elves;
  }

  /** Paths that the cache gives for a name, the plain library first. Without a cache: none. */
  async cached(name: ByteString): Promise<ByteString[]> {
    this.#cache ??= this.#loadCache();
    return (await this.#cache).get(name) ?? [];
  }

  async #loadCache(): Promise<Map<ByteString, ByteString[]>> {
    const byName = new Map<ByteString, ByteString[]>();
    const bytes = await this.#tree.read("/etc/ld.so.cache", maxCacheBytes);
    if (bytes === undefined) return byName;
    const { entries } = parseLdSoCache(bytes);
    const plainFirst = [...entries].sort((a, b) => Number(a.hwcap !== 0n) - Number(b.hwcap !== 0n));
    for (const entry of plainFirst) {
      const paths = byName.get(entry.name);
      if (paths === undefined) byName.set(entry.name, [entry.path]);
      else paths.push(entry.path);
    }
    return byName;
  }

  /** Subdirectories of a library directory that hold variants for better processors; undefined where it does not exist. */
  variantDirectories(directory: ByteString): Promise<ByteString[] | undefined> {
    let variants = this.#variants.get(directory);
    if (variants === undefined) {
      variants = this.#findVariants(directory);
      this.#variants.set(directory, variants);
    }
    return variants;
  }

  async #findVariants(directory: ByteString): Promise<ByteString[] | undefined> {
    const found: ByteString[] = [];
    const { entry } = await this.#tree.resolve(directory);
    if (entry?.kind !== "directory") return undefined;
    const hwcaps = await this.#tree.resolve(`${directory}/glibc-hwcaps`);
    if (hwcaps.entry !== undefined) {
      for (const one of (await this.#tree.list(hwcaps.at)) ?? []) {
        if (one.kind === "directory") found.push(`${directory}/glibc-hwcaps/${basename(one.path)}`);
      }
    }
    for (const name of legacyVariants) {
      const first = await this.#tree.resolve(`${directory}/${name}`);
      if (first.entry?.kind !== "directory") continue;
      found.push(`${directory}/${name}`);
      for (const below of legacyVariants) {
        const second = await this.#tree.lstat(join(first.at, below));
        if (second?.kind === "directory") found.push(`${directory}/${name}/${below}`);
      }
    }
    return found;
  }

  /** How the loader of a program, or the one that suits a library, searches. */
  kindFor(elf: ElfFile): Promise<LoaderKind> {
    const musl = elf.needed.some((name) => name === "libc.so" || name.startsWith("libc.musl-"));
    const key = `${elf.interpreter ?? ""}\0${elf.bits}\0${elf.machine}\0${elf.endian}\0${musl}`;
    let kind = this.#kinds.get(key);
    if (kind === undefined) {
      kind = this.#makeKind(elf, musl);
      this.#kinds.set(key, kind);
    }
    return kind;
  }

  async #makeKind(elf: ElfFile, musl: boolean): Promise<LoaderKind> {
    const path = await this.#loaderFor(elf, musl);
    const flavour = path !== undefined && basename(path).startsWith("ld-musl-") ? "musl" : "glibc";
    const strings = path === undefined || flavour === "musl" ? [] : await this.#builtIn(path);
    const tokens = strings.filter((text) => /^lib[\w/.-]*[^/]$/.test(text) && !/\.so/.test(text));
    const directories =
      flavour === "musl" ? await this.#muslDirectories(path ?? "") : await this.#directories(strings);
    return {
      id: `${flavour}:${path ?? ""}:${elf.bits}:${elf.machine}`,
      flavour,
      loader: path,
      directories,
      libTokens: tokens.length > 0 ? [...new Set(tokens)] : fallbackTokens(directories),
      platforms: (one) => platformNames[one.machine] ?? [],
    };
  }

  async #loaderFor(elf: ElfFile, musl: boolean): Promise<ByteString | undefined> {
    const wanted = elf.interpreter === undefined ? [] : [elf.interpreter];
    const known = knownLoaders.filter((path) => path.includes("musl") === musl);
    const rest = knownLoaders.filter((path) => path.includes("musl") !== musl);
    for (const path of [...wanted, ...known, ...rest]) {
      const { entry } = await this.#tree.resolve(path);
      if (entry?.kind !== "file") continue;
      const loader = await this.#elves.info(entry.path);
      // musl's loader is libc.so itself: its name is kept, not what the link names.
      if (loader !== undefined && sameAbi(elf, loader)) return path.includes("ld-musl") ? path : entry.path;
    }
    return undefined;
  }

  /** Strings of the loader that begin like a library directory. */
  async #builtIn(path: ByteString): Promise<string[]> {
    const bytes = await this.#tree.read(path, maxLoaderBytes);
    if (bytes === undefined) return [];
    const text = Buffer.from(bytes).toString("latin1");
    return [...text.matchAll(/(?<=\0)(\/(?:usr\/)?lib[\w/.-]*\/|lib[\w-]*(?:\/[\w-]+)?)(?=\0)/g)].map(
      (match) => match[1] ?? "",
    );
  }

  async #directories(strings: readonly string[]): Promise<ByteString[]> {
    const builtIn = strings.filter((text) => text.startsWith("/")).map((text) => text.replace(/\/$/, ""));
    const directories = builtIn.length > 0 ? builtIn : ["/lib64", "/usr/lib64", "/lib", "/usr/lib"];
    // Without a cache (a tree that never ran ldconfig) its configuration says what the cache would have held.
    if ((await this.#tree.resolve("/etc/ld.so.cache")).entry === undefined) {
      directories.push(...(await configuredDirectories(this.#tree)));
    }
    return [...new Set(directories)];
  }

  async #muslDirectories(loader: ByteString): Promise<ByteString[]> {
    const name = basename(loader).replace(/\.so\.\d+$/, ".path");
    const text = await this.#tree.text(`/etc/${name}`);
    if (text === undefined) return ["/lib", "/usr/local/lib", "/usr/lib"];
    return text.split(/[\n:]/).filter((part) => part.startsWith("/"));
  }
}

function fallbackTokens(directories: readonly ByteString[]): string[] {
  const tokens = directories
    .map((path) => path.replace(/^\/(usr\/)?/, ""))
    .filter((path) => path.startsWith("lib"));
  return tokens.length > 0 ? [...new Set(tokens)] : ["lib"];
}

const maxConfFiles = 256;

/** Directories of ld.so.conf and of what it includes, in order. */
async function configuredDirectories(tree: Tree): Promise<ByteString[]> {
  const directories: ByteString[] = [];
  for (const file of await loaderConfiguration(tree)) {
    directories.push(...parseLdSoConf((await tree.text(file)) ?? "").directories);
  }
  return [...new Set(directories)];
}

/** /etc/ld.so.conf and every file that it includes, as named. */
export async function loaderConfiguration(tree: Tree): Promise<ByteString[]> {
  const files: ByteString[] = [];
  const queue: ByteString[] = ["/etc/ld.so.conf"];
  for (let path = queue.shift(); path !== undefined && files.length < maxConfFiles; path = queue.shift()) {
    if (files.includes(path)) continue;
    const text = await tree.text(path);
    if (text === undefined) continue;
    files.push(path);
    for (const include of parseLdSoConf(text).includes) {
      const pattern = include.startsWith("/") ? include : join(dirname(path), include);
      queue.push(...(await matchPaths(tree, pattern)));
    }
  }
  return files;
}
