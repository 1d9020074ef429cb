// The installed packages of a machine: who owns a path, what belongs to a package, what it depends on.
// Works on the databases of dpkg and of rpm, also where a machine has both. apk's is recognised and reported, not read.

import type { DpkgAlternative } from "../formats/dpkg.ts";
import type { ByteString } from "../formats/entry.ts";
import type { MachineFiles } from "../machine/machine.ts";
import { loadDpkg } from "./installed-dpkg.ts";
import { loadRpm } from "./installed-rpm.ts";

export interface InstalledProblem {
  path: ByteString;
  /** 1 is the first line; 0 where the file as a whole is meant. */
  line: number;
  message: string;
}

/** Links that update-alternatives keeps: dpkg's and, of the same form, chkconfig's on machines with rpm. */
export type InstalledAlternative = DpkgAlternative;

export interface InstalledPackage {
  manager: "dpkg" | "rpm";
  name: string;
  version: string;
  architecture: string;
  /** Debian's section or rpm's group. */
  section: string;
  /** As the database has it; dpkg's has none: it is in the package's copyright file. */
  licence?: string;
  /** Scripts may use its commands without naming it. */
  essential: boolean;
  /** What it depends on at run time: names, and with rpm also paths and sonames. Alternatives are all there. */
  needs: readonly string[];
  recommends: readonly string[];
  provides: readonly string[];
  /** Files that it calls configuration, as far as a digest of what it brought is known. */
  configuration: readonly ConfigurationFile[];
}

export interface ConfigurationFile {
  path: ByteString;
  algorithm: "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512";
  /** Of the content that the package brought; hexadecimal. */
  digest: string;
}

/** A package with its files as they are on the machine, not yet canonical. Directories included. */
export interface LoadedPackage extends InstalledPackage {
  files: readonly ByteString[];
  /** What it runs before and after it is installed; its text, or how to get it. */
  scripts: () => Promise<ByteString>;
}

export interface InstalledPackages {
  /** Installed packages that own the path (canonical or as listed), by name; empty where none does. */
  owner(path: ByteString): readonly string[];
  /** Paths of a package as they are on this machine: diversions applied, not yet canonical. Directories included. */
  filesOf(name: string): readonly ByteString[];
  /** Names of the installed packages that satisfy what it depends on, provided names handled. */
  depends(name: string): readonly string[];
  recommends(name: string): readonly string[];
  get(name: string): InstalledPackage | undefined;
  /** The scripts that it runs when it is installed, one behind the other; "" where it has none. */
  scripts(name: string): Promise<ByteString>;
  /** Sorted by name. */
  all(): readonly InstalledPackage[];
  alternatives(): readonly InstalledAlternative[];
  /** What of the databases is damaged or cannot be read. */
  readonly problems: readonly InstalledProblem[];
}

export async function loadInstalled(files: MachineFiles): Promise<InstalledPackages> {
  const problems: InstalledProblem[] = [];
  const dpkg = await loadDpkg(files, problems);
  const rpm = await loadRpm(files, problems);
  const packages = [...dpkg.packages, ...rpm.packages];
  if (packages.length === 0) await reportForeign(files, problems);
  const alternatives = [...dpkg.alternatives, ...rpm.alternatives];
  return new PackageIndex({ packages, alternatives, aliases: await findAliases(files), problems });
}

async function reportForeign(files: MachineFiles, problems: InstalledProblem[]): Promise<void> {
  const path = "/lib/apk/db";
  if ((await files.stat(path)) === undefined) return;
  const message = "a database of installed packages that is not read: owners are unknown";
  problems.push({ path, line: 0, message });
}

/** Top directories that are links (usrmerge): what the lists call /lib/x is /usr/lib/x. Longest first. */
async function findAliases(files: MachineFiles): Promise<Array<[ByteString, ByteString]>> {
  const aliases: Array<[ByteString, ByteString]> = [];
  for (const path of ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/var/run", "/var/lock"]) {
    const { links, entry } = await files.resolve(path);
    if (links.length > 0 && entry !== undefined) aliases.push([path, entry.path]);
  }
  return aliases;
}

interface Parts {
  packages: readonly LoadedPackage[];
  alternatives: readonly InstalledAlternative[];
  aliases: ReadonlyArray<readonly [ByteString, ByteString]>;
  problems: readonly InstalledProblem[];
}

class PackageIndex implements InstalledPackages {
  readonly problems: readonly InstalledProblem[];
  readonly #parts: Parts;
  readonly #packages = new Map<string, InstalledPackage>();
  readonly #files = new Map<string, ByteString[]>();
  readonly #scripts = new Map<string, LoadedPackage["scripts"]>();
  readonly #providers = new Map<string, string[]>();
  #owners: Map<ByteString, string[]> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.problems = parts.problems;
    for (const one of parts.packages) {
      const known = this.#packages.get(one.name);
      // Of one name there may be several architectures and, of kernels, several versions: together they are one.
      this.#packages.set(one.name, known === undefined ? one : joined(known, one));
      this.#scripts.set(one.name, one.scripts);
      const list = this.#files.get(one.name);
      if (list === undefined) this.#files.set(one.name, [...one.files]);
      else for (const path of one.files) list.push(path);
      for (const name of one.provides) {
        const providers = this.#providers.get(name);
        if (providers === undefined) this.#providers.set(name, [one.name]);
        else if (!providers.includes(one.name)) providers.push(one.name);
      }
    }
  }

  owner(path: ByteString): readonly string[] {
    this.#owners ??= this.#index();
    return this.#owners.get(this.#canonical(path)) ?? [];
  }

  #index(): Map<ByteString, string[]> {
    const owners = new Map<ByteString, string[]>();
    for (const [name, files] of this.#files) {
      for (const path of files) {
        const key = this.#canonical(path);
        const known = owners.get(key);
        if (known === undefined) owners.set(key, [name]);
        else if (!known.includes(name)) known.push(name);
      }
    }
    return owners;
  }

  #canonical(path: ByteString): ByteString {
    for (const [from, to] of this.#parts.aliases) {
      if (path.startsWith(from) && path[from.length] === "/") return to + path.slice(from.length);
    }
    return path;
  }

  filesOf(name: string): readonly ByteString[] {
    return this.#files.get(name) ?? [];
  }

  depends(name: string): readonly string[] {
    return this.#satisfy(this.#packages.get(name)?.needs ?? []);
  }

  recommends(name: string): readonly string[] {
    return this.#satisfy(this.#packages.get(name)?.recommends ?? []);
  }

  /** Every installed alternative counts: which of them the program uses is not known. */
  #satisfy(needs: readonly string[]): string[] {
    const names = new Set<string>();
    for (const need of needs) {
      if (this.#packages.has(need)) names.add(need);
      else if (need.startsWith("/")) for (const owner of this.owner(need)) names.add(owner);
      for (const provider of this.#packages.has(need) ? [] : (this.#providers.get(need) ?? []))
        names.add(provider);
    }
    return [...names].sort();
  }

  get(name: string): InstalledPackage | undefined {
    return this.#packages.get(name);
  }

  async scripts(name: string): Promise<ByteString> {
    return (await this.#scripts.get(name)?.()) ?? "";
  }

  all(): readonly InstalledPackage[] {
    return [...this.#packages.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  alternatives(): readonly InstalledAlternative[] {
    return this.#parts.alternatives;
  }
}

function joined(a: InstalledPackage, b: InstalledPackage): InstalledPackage {
  const both = (one: readonly string[], two: readonly string[]): string[] => [...new Set([...one, ...two])];
  return {
    ...a,
    needs: both(a.needs, b.needs),
    recommends: both(a.recommends, b.recommends),
    provides: both(a.provides, b.provides),
    configuration: [...a.configuration, ...b.configuration],
  };
}
