// dpkg's database as installed packages.

import { mapLimit } from "../base/map-limit.ts";
import type { DpkgPackage } from "../formats/dpkg.ts";
import {
  parseDpkgAlternative, parseDpkgDiversions, parseDpkgList, parseDpkgStatus,
} from "../formats/dpkg.ts"; // biome-ignore format: short
import type { ByteString } from "../formats/entry.ts";
import type { MachineFiles } from "../machine/machine.ts";
import type { InstalledAlternative, InstalledProblem, LoadedPackage } from "./installed.ts";
import { basename } from "./tree.ts";

const database = "/var/lib/dpkg";
const maxDatabase = 256 << 20;

export interface DpkgLoaded {
  packages: LoadedPackage[];
  alternatives: InstalledAlternative[];
}

/** Installed packages with their files, diversions applied. None where there is no database. */
export async function loadDpkg(files: MachineFiles, problems: InstalledProblem[]): Promise<DpkgLoaded> {
  const byName = new Map<string, DpkgPackage>();
  for (const one of await loadStatus(files, problems)) {
    if (one.state === "installed" || one.state.startsWith("trigger")) byName.set(one.name, one);
    else if (one.state !== "config-files" && one.state !== "not-installed") {
      problems.push({ path: `${database}/status`, line: 0, message: `${one.name} is ${one.state}` });
      byName.set(one.name, one);
    }
  }
  if (byName.size === 0) return { packages: [], alternatives: [] };
  const lists = await loadLists(files, byName, problems);
  const diversions = parseDpkgDiversions((await readText(files, `${database}/diversions`)) ?? "");
  const diverted = new Map(diversions.map((one) => [one.from, one]));
  const packages = [...byName.values()].map((one): LoadedPackage => {
    const list = lists.get(one.name) ?? [];
    const names = (groups: DpkgPackage["depends"]): string[] => groups.flat().map((each) => each.name);
    return {
      manager: "dpkg",
      name: one.name,
      version: one.version,
      architecture: one.architecture,
      section: one.section,
      essential: one.essential,
      needs: [...names(one.preDepends), ...names(one.depends)],
      recommends: names(one.recommends),
      provides: one.provides.map((each) => each.name),
      // "newconffile" stands for a file that was never configured; an obsolete one is the package's no longer.
      configuration: one.conffiles
        .filter((file) => !file.obsolete && file.md5 !== "newconffile")
        .map((file) => ({ path: file.path, algorithm: "md5", digest: file.md5 })),
      scripts: () => readScripts(files, one),
      files: list.map((path) => {
        const diversion = diverted.get(path);
        return diversion === undefined || diversion.by === one.name ? path : diversion.to;
      }),
    };
  });
  return { packages, alternatives: await loadAlternatives(files) };
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

async function loadAlternatives(files: MachineFiles): Promise<InstalledAlternative[]> {
  const entries = ((await files.list(`${database}/alternatives`)) ?? []).filter((one) => one.kind === "file");
  const texts = await mapLimit(entries, 32, (entry) => readText(files, entry.path).catch(() => undefined));
  const alternatives: InstalledAlternative[] = [];
  for (const [index, entry] of entries.entries()) {
    const alternative = parseDpkgAlternative(basename(entry.path), texts[index] ?? "");
    if (alternative !== undefined) alternatives.push(alternative);
  }
  return alternatives;
}

/** preinst and postinst of a package; of one that several architectures share the first that is there. */
async function readScripts(files: MachineFiles, one: DpkgPackage): Promise<ByteString> {
  const texts: ByteString[] = [];
  for (const script of ["preinst", "postinst"]) {
    for (const name of [one.name, `${one.name}:${one.architecture}`]) {
      const text = await readText(files, `${database}/info/${name}.${script}`).catch(() => undefined);
      if (text !== undefined) texts.push(text);
    }
  }
  return texts.join("\n");
}
