// Whether a set of paths is closed: every library, interpreter and link of it is found inside of it. The same loader as the
// expansion's, on a tree that holds only these paths; used on expansions, plans and finished packages.

import { mapLimit } from "../base/map-limit.ts";
import type { ElfFile } from "../formats/elf.ts";
import { sameAbi } from "../formats/elf.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { parseShebang } from "../formats/shebang.ts";
import { ElfReader } from "./elf-reader.ts";
import { Loader } from "./loader.ts";
import type { TreeSource } from "./tree.ts";
import { basename, Tree } from "./tree.ts";

/** A set of paths and their content. */
export interface ClosureLookup {
  /** Canonical paths. */
  paths: Iterable<ByteString>;
  /** The entry of a path of the set; undefined for any other. */
  entry(path: ByteString): Entry | undefined | Promise<Entry | undefined>;
  readRange(path: ByteString, offset: number, length: number): Promise<Uint8Array | undefined>;
}

export interface ClosureFinding {
  kind: "library" | "version" | "interpreter" | "script interpreter" | "link" | "broken ELF";
  /** Who is affected. */
  path: ByteString;
  /** What is not in the set: a soname, a version of a library ("GLIBC_2.34 of libc.so.6"), a path, a link target; for a broken ELF what is wrong with it. */
  wants: ByteString;
}

export interface VerifyOptions {
  /** Links to here dangle by design. Default: /proc, /dev, /sys, /run. */
  givenAtRunTime?: readonly ByteString[];
  /** Entries of the tree cost nothing to ask for. */
  atHand?: boolean;
}

/** Findings sorted by path; empty where the set is closed. */
export async function verifyClosure(
  lookup: ClosureLookup,
  options: VerifyOptions = {},
): Promise<ClosureFinding[]> {
  const paths = [...lookup.paths].sort();
  return verifyPaths(setSource(lookup, paths), paths, { ...options, atHand: true });
}

/** As verifyClosure, of these paths in any tree; paths sorted. */
export async function verifyPaths(
  source: TreeSource,
  paths: readonly ByteString[],
  options: VerifyOptions = {},
): Promise<ClosureFinding[]> {
  const tree = new Tree(source, { atHand: options.atHand === true });
  const elves = new ElfReader(tree);
  const check: Check = {
    tree,
    elves,
    loader: new Loader(tree, elves),
    given: options.givenAtRunTime ?? ["/proc", "/dev", "/sys", "/run"],
    byName: new Map(),
    unmet: [],
  };
  const findings = await mapLimit(paths, 64, (path) => checkPath(check, path));
  const all = findings.flat();
  for (const { elf, finding } of check.unmet) {
    if (!(check.byName.get(finding.wants) ?? []).some((one) => sameAbi(elf, one))) all.push(finding);
  }
  return all.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.wants < b.wants ? -1 : 1));
}

interface Check {
  tree: Tree;
  elves: ElfReader;
  loader: Loader;
  given: readonly ByteString[];
  /** Libraries of the set by file name and by soname. */
  byName: Map<ByteString, ElfFile[]>;
  unmet: Array<{ elf: ElfFile; finding: ClosureFinding }>;
}

function setSource(lookup: ClosureLookup, paths: readonly ByteString[]): TreeSource {
  // Directories are listed where a library is looked for, and only there.
  const children = (directory: ByteString): ByteString[] => {
    const prefix = directory === "/" ? "/" : `${directory}/`;
    const found: ByteString[] = [];
    for (let at = firstFrom(paths, prefix); paths[at]?.startsWith(prefix) === true; at++) {
      const path = paths[at] ?? "";
      if (path !== "/" && !path.includes("/", prefix.length)) found.push(path);
    }
    return found;
  };
  const known = (path: ByteString): boolean => paths[firstFrom(paths, path)] === path;
  const lstat = async (path: ByteString): Promise<Entry | undefined> =>
    known(path) ? lookup.entry(path) : undefined;
  return {
    lstat,
    list: async (path) => {
      const list = await Promise.all(children(path).map(lstat));
      return list.filter((entry) => entry !== undefined);
    },
    readRange: (path, offset, length) => lookup.readRange(path, offset, length),
  };
}

/** Index of the first of the sorted paths that is not before `text`. */
function firstFrom(paths: readonly ByteString[], text: ByteString): number {
  let [low, high] = [0, paths.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((paths[middle] ?? "") < text) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Most paths have none: one list for all of them. */
const nothing: ClosureFinding[] = [];

async function checkPath(check: Check, path: ByteString): Promise<ClosureFinding[]> {
  const entry = await check.tree.source.lstat(path);
  if (entry?.kind === "symlink") return checkLink(check, entry);
  if (entry?.kind !== "file" || entry.size < 4) return nothing;
  const isProgram = (entry.mode & 0o111) !== 0;
  if (!isProgram && !/\.(so|node|jnilib)(\.|$)/.test(basename(path))) return nothing;
  const head = await check.tree.source.readRange(path, 0, 256).catch(() => undefined);
  if (head === undefined) return [];
  if (head[0] === 0x7f) return checkElf(check, path);
  const shebang = isProgram ? parseShebang(head) : undefined;
  if (shebang === undefined || (await check.tree.resolve(shebang.interpreter)).entry !== undefined) return [];
  return [{ kind: "script interpreter", path, wants: shebang.interpreter }];
}

async function checkLink(check: Check, entry: Entry): Promise<ClosureFinding[]> {
  const resolved = await check.tree.resolve(entry.path);
  if (resolved.entry !== undefined) {
    if (resolved.entry.kind === "file" && /\.so(\.|$)/.test(basename(entry.path))) {
      const elf = await check.elves.info(resolved.entry.path);
      if (elf !== undefined) put(check.byName, basename(entry.path), elf);
    }
    return nothing;
  }
  if (check.given.some((one) => resolved.at === one || resolved.at.startsWith(`${one}/`))) return [];
  return [{ kind: "link", path: entry.path, wants: entry.target }];
}

async function checkElf(check: Check, path: ByteString): Promise<ClosureFinding[]> {
  const elf = await check.elves.info(path);
  if (elf === undefined || elf.type === "relocatable" || elf.type === "core") return [];
  const findings: ClosureFinding[] = elf.problems.map((wants) => ({ kind: "broken ELF", path, wants }));
  put(check.byName, basename(path), elf);
  if (elf.soname !== undefined) put(check.byName, elf.soname, elf);
  if (elf.interpreter !== undefined && (await check.tree.resolve(elf.interpreter)).entry === undefined) {
    findings.push({ kind: "interpreter", path, wants: elf.interpreter });
  }
  const { missing, found } = await check.loader.load(path, elf);
  const libraries = new Map(found.map((one) => [one.name, one.library.elf]));
  for (const { file, versions } of elf.versionsNeeded) {
    // A library without any versions is taken as it is, as the loader does.
    const defined = libraries.get(file)?.versionsDefined ?? [];
    if (defined.length === 0) continue;
    for (const version of versions)
      if (!defined.includes(version))
        findings.push({ kind: "version", path, wants: `${version} of ${file}` });
  }
  for (const { name, from } of missing) {
    if (from === path) check.unmet.push({ elf, finding: { kind: "library", path, wants: name } });
  }
  return findings;
}

function put(map: Map<ByteString, ElfFile[]>, name: ByteString, elf: ElfFile): void {
  const list = map.get(name);
  if (list === undefined) map.set(name, [elf]);
  else list.push(elf);
}
