// rpm's database as installed packages.
import { mapLimit } from "../base/map-limit.ts";
import { parseDpkgAlternative } from "../formats/dpkg.ts";
import type { ByteString } from "../formats/entry.ts";
import {
  isOfRpmItself, isOfScriptsOnly, type RpmPackage, type RpmRelation, rpmVersion,
} from "../formats/rpm-package.ts"; // biome-ignore format: short
import type { MachineFiles } from "../machine/machine.ts";
import { readRpm } from "../machine/rpm.ts";
import type {
  ConfigurationFile,
  InstalledAlternative,
  InstalledProblem,
  LoadedPackage,
} from "./installed.ts";
import { basename } from "./tree.ts";

/** What scripts of RHEL, SUSE and their like take for granted: rpm finds what a script is run by, not what it calls. */
const essential: ReadonlySet<string> = new Set([
  "bash", "coreutils", "coreutils-single", "diffutils", "findutils", "gawk", "glibc-common", "grep", "gzip", "hostname", "sed",
  "setup", "tar", "util-linux", "util-linux-core", "which",
]); // biome-ignore format: a table

export interface RpmLoaded {
  packages: LoadedPackage[];
  alternatives: InstalledAlternative[];
}

/** None where there is no database. */
export async function loadRpm(files: MachineFiles, problems: InstalledProblem[]): Promise<RpmLoaded> {
  const read = await readRpm(files);
  if (read === undefined) return { packages: [], alternatives: [] };
  for (const message of read.problems) problems.push({ path: read.path, line: 0, message });
  // Keys that signatures are checked with are kept as packages without architecture and files.
  const packages = read.packages.filter((one) => one.architecture !== "").map(loaded);
  return { packages, alternatives: packages.length === 0 ? [] : await loadAlternatives(files) };
}

function loaded(one: RpmPackage): LoadedPackage {
  return {
    manager: "rpm",
    name: one.name,
    version: rpmVersion(one),
    architecture: one.architecture,
    section: one.group,
    licence: one.licence,
    essential: essential.has(one.name),
    needs: namesOf(one.requires),
    recommends: namesOf(one.recommends),
    provides: [...new Set(one.provides.map((each) => each.name))],
    configuration: configurationOf(one),
    scripts: async () =>
      one.scripts
        .filter(({ when }) => /Install$/.test(when))
        .map(({ text }) => text)
        .join("\n"),
    files: one.files.filter((file) => !file.notInstalled).map((file) => file.path),
  };
}

function configurationOf(one: RpmPackage): ConfigurationFile[] {
  const { digestAlgorithm: algorithm } = one;
  if (algorithm === undefined) return [];
  return one.files
    .filter((file) => file.configuration && !file.ghost && !file.notInstalled && file.digest !== "")
    .map((file) => ({ path: file.path, algorithm, digest: file.digest }));
}

/** "(a or b if c)": every name in it counts, as every alternative of dpkg does. */
function namesOf(relations: readonly RpmRelation[]): string[] {
  const names = new Set<string>();
  for (const relation of relations) {
    if (isOfRpmItself(relation) || isOfScriptsOnly(relation)) continue;
    for (const name of relation.name.startsWith("(") ? richNames(relation.name) : [relation.name])
      names.add(name);
  }
  return [...names];
}

function richNames(text: string): string[] {
  const words = text.slice(0, 4096).match(/(?:[^\s()]|\([^\s()]*\))+/g) ?? [];
  const names: string[] = [];
  for (const [i, word] of words.entries()) {
    const isVersion = /^[<>=]+$/.test(words[i - 1] ?? "");
    if (!isVersion && !/^([<>=]+|and|or|if|else|unless|with|without)$/.test(word)) names.push(word);
  }
  return names;
}

/** /var/lib/alternatives: chkconfig writes them in dpkg's form, with a family or an initscript behind the priority. */
async function loadAlternatives(files: MachineFiles): Promise<InstalledAlternative[]> {
  const entries = ((await files.list("/var/lib/alternatives")) ?? []).filter((one) => one.kind === "file");
  const texts = await mapLimit(entries, 32, (entry) => readText(files, entry.path));
  return entries.flatMap((entry, i) => parseDpkgAlternative(basename(entry.path), texts[i] ?? "") ?? []);
}

async function readText(files: MachineFiles, path: ByteString): Promise<ByteString> {
  const bytes = await files.read(path).catch(() => undefined);
  return bytes === undefined ? "" : Buffer.from(bytes).toString("latin1");
}
