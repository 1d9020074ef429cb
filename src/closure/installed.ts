// The installed packages of a machine: who owns a path, what belongs to a package, what it depends on.
// Works on dpkg's database. Other databases (rpm, apk) are recognised and reported, not read.

import type { DpkgAlternative, DpkgDiversion, DpkgPackage } from "../formats/dpkg.ts";
import {
  parseDpkgAlternative, parseDpkgDiversions, parseDpkgList, parseDpkgStatus,
} from "../formats/dpkg.ts"; // biome-ignore format: short
import type { ByteString } from "../formats/entry.ts";
import type { MachineFiles } from "../machine/machine.ts";
import { basename, mapLimit } from "./tree.ts";

export interface InstalledProblem {
  path: ByteString;
  /** 1 is the first line; 0 where the file as a whole is meant. */
  line: number;
  message: string;
}

export interface InstalledPackages {
  /** Installed packages that own the path (canonical or as listed), by name; empty where none does. */
  owner(path: ByteString): readonly string[];
  /** Paths of a package as they are on this machine: diversions applied, not yet canonical. Directories included. */
  filesOf(name: string): readonly ByteString[];
  /** Names of the installed packages that satisfy Depends and Pre-Depends, Provides handled. */
  depends(name: string): readonly string[];
  recommends(name: string): readonly string[];
  get(name: string): DpkgPackage | undefined;
  /** Sorted by name. */
  all(): readonly DpkgPackage[];
  alternatives(): readonly DpkgAlternative[];
  /** What of the database is damaged or cannot be read. */
  readonly problems: readonly InstalledProblem[];
}

const database = "/var/lib/dpkg";
const maxDatabase = 256 << 20;

export async function loadInstalled(files: MachineFiles): Promise<InstalledPackages> {
  const problems: InstalledProblem[] = [];
  const packages = await loadStatus(files, problems);
  const byName = new Map<string, DpkgPackage>();
  for (const one of packages) {
    if (one.state === "installed" || one.state.startsWith("trigger")) byName.set(one.name, one);
    else if (one.state !== "config-files" && one.state !== "not-installed") {
      problems.push({ path: `${database}/status`, line: 0, message: `${one.name} is ${one.state}` });
      byName.set(one.name, one);
    }
  }
  const lists = await loadLists(files, byName, problems);
  const diversions = parseDpkgDiversions((await readText(files, `${database}/diversions`)) ?? "");
  const alternatives = await loadAlternatives(files);
  await reportForeign(files, byName.size, problems);
  return new DpkgDatabase({
    byName,
    lists,
    diversions,
    alternatives,
    aliases: await findAliases(files),
    problems,
  });
}

async function readText(files: MachineFiles, path: ByteString): Promise<ByteString | undefined> {
  const bytes = await files.read(path, { maxBytes: maxDatabase });
  return bytes === undefined
    ? undefined
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** status, and status.d of images that were built without dpkg itself. */
async function loadStatus(files: MachineFiles, problems: InstalledProblem[]): Promise<DpkgPackage[]> {
  const paths: ByteString[] = [`${database}/status`];
  for (const entry of (await files.list(`${database}/status.d`)) ?? []) {
    if (entry.kind === "file" && !entry.path.includes(".md5sums")) paths.push(entry.path);
  }
  const packages: DpkgPackage[] = [];
  for (const path of paths) {
    const text = await readText(files, path).catch((cause: unknown) => {
      problems.push({ path, line: 0, message: messageOf(cause) });
      return undefined;
    });
    if (text === undefined) continue;
    const status = parseDpkgStatus(text);
    packages.push(...status.packages);
    for (const { line, message } of status.problems) problems.push({ path, line, message });
  }
  return packages;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

async function loadLists(
  files: MachineFiles,
  packages: ReadonlyMap<string, DpkgPackage>,
  problems: InstalledProblem[],
): Promise<Map<string, ByteString[]>> {
  const names = ((await files.list(`${database}/info`)) ?? [])
    .map((entry) => entry.path)
    .filter((path) => path.endsWith(".list"));
  const texts = await mapLimit(names, 64, (path) => readText(files, path).catch(() => undefined));
  const lists = new Map<string, ByteString[]>();
  for (const [index, path] of names.entries()) {
    const name = basename(path).replace(/(:[a-z0-9-]+)?\.list$/, "");
    const text = texts[index];
    if (text === undefined) problems.push({ path, line: 0, message: "cannot be read" });
    else if (packages.has(name)) lists.set(name, [...(lists.get(name) ?? []), ...parseDpkgList(text)]);
  }
  for (const name of packages.keys()) {
    if (names.length > 0 && !lists.has(name)) {
      problems.push({
        path: `${database}/info/${name}.list`,
        line: 0,
        message: "the list of files is missing",
      });
    }
  }
  return lists;
}

async function loadAlternatives(files: MachineFiles): Promise<DpkgAlternative[]> {
  const entries = ((await files.list(`${database}/alternatives`)) ?? []).filter((one) => one.kind === "file");
  const texts = await mapLimit(entries, 32, (entry) => readText(files, entry.path).catch(() => undefined));
  const alternatives: DpkgAlternative[] = [];
  for (const [index, entry] of entries.entries()) {
    const alternative = parseDpkgAlternative(basename(entry.path), texts[index] ?? "");
    if (alternative !== undefined) alternatives.push(alternative);
  }
  return alternatives;
}

async function reportForeign(
  files: MachineFiles,
  count: number,
  problems: InstalledProblem[],
): Promise<void> {
  if (count > 0) return;
  for (const path of ["/var/lib/rpm", "/usr/lib/sysimage/rpm", "/lib/apk/db"]) {
    if ((await files.stat(path)) !== undefined) {
      problems.push({
        path,
        line: 0,
        message: "a database of installed packages that is not read: owners are unknown",
      });
    }
  }
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
  byName: ReadonlyMap<string, DpkgPackage>;
  lists: ReadonlyMap<string, ByteString[]>;
  diversions: readonly DpkgDiversion[];
  alternatives: readonly DpkgAlternative[];
  aliases: ReadonlyArray<readonly [ByteString, ByteString]>;
  problems: readonly InstalledProblem[];
}

class DpkgDatabase implements InstalledPackages {
  readonly problems: readonly InstalledProblem[];
  readonly #parts: Parts;
  readonly #providers = new Map<string, string[]>();
  readonly #diversions = new Map<ByteString, DpkgDiversion>();
  #owners: Map<ByteString, string[]> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.problems = parts.problems;
    for (const diversion of parts.diversions) this.#diversions.set(diversion.from, diversion);
    for (const one of parts.byName.values()) {
      for (const { name } of one.provides) {
        this.#providers.set(name, [...(this.#providers.get(name) ?? []), one.name]);
      }
    }
  }

  owner(path: ByteString): readonly string[] {
    this.#owners ??= this.#index();
    return this.#owners.get(this.#canonical(path)) ?? [];
  }

  #index(): Map<ByteString, string[]> {
    const owners = new Map<ByteString, string[]>();
    for (const name of this.#parts.lists.keys()) {
      for (const path of this.filesOf(name)) {
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
    const list = this.#parts.lists.get(name) ?? [];
    if (this.#diversions.size === 0) return list;
    return list.map((path) => {
      const diversion = this.#diversions.get(path);
      return diversion === undefined || diversion.by === name ? path : diversion.to;
    });
  }

  depends(name: string): readonly string[] {
    const one = this.#parts.byName.get(name);
    return one === undefined ? [] : this.#satisfy([...one.preDepends, ...one.depends]);
  }

  recommends(name: string): readonly string[] {
    return this.#satisfy(this.#parts.byName.get(name)?.recommends ?? []);
  }

  /** Every installed alternative counts: which of them the program uses is not known. */
  #satisfy(groups: DpkgPackage["depends"]): string[] {
    const names = new Set<string>();
    for (const { name } of groups.flat()) {
      if (this.#parts.byName.has(name)) names.add(name);
      else for (const provider of this.#providers.get(name) ?? []) names.add(provider);
    }
    return [...names].sort();
  }

  get(name: string): DpkgPackage | undefined {
    return this.#parts.byName.get(name);
  }

  all(): readonly DpkgPackage[] {
    return [...this.#parts.byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  alternatives(): readonly DpkgAlternative[] {
    return this.#parts.alternatives;
  }
}
