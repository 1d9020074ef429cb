// What a header says of an installed package, in our own words.
import type { ByteString } from "./entry.ts";
import { type RpmHeader, rpmTag } from "./rpm-header.ts";

export interface RpmFile {
  path: ByteString;
  /** As in stat(2), file type included. */
  mode: number;
  user: string;
  group: string;
  size: number;
  /** Hexadecimal; "" for what is no regular file, and for ghosts. */
  digest: string;
  /** Symbolic links only. */
  target: ByteString;
  /** RPMFILE bits as they are. */
  flags: number;
  configuration: boolean;
  documentation: boolean;
  /** It belongs to the package and did not come with it: logs, pid files, what scripts make. */
  ghost: boolean;
  /** Left out when the package was installed (--excludedocs, other architecture). */
  notInstalled: boolean;
}

export interface RpmRelation {
  /** A name, a path, a soname such as "libc.so.6(GLIBC_2.4)(64bit)", or a rich one in parentheses. */
  name: string;
  version: string;
  /** RPMSENSE bits. */
  flags: number;
}

export interface RpmScript {
  when: "preInstall" | "postInstall" | "preRemove" | "postRemove";
  program: string;
  /** Cut at 64 KiB. */
  text: ByteString;
}

export type RpmDigest = "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512";

export interface RpmPackage {
  name: string;
  /** "" where it has none. */
  epoch: string;
  version: string;
  release: string;
  /** "" for keys, which rpm keeps as packages. */
  architecture: string;
  group: string;
  summary: string;
  /** As its maker calls it; "" where it says none. */
  licence: string;
  /** "" for keys and for source packages. */
  sourceRpm: string;
  size: number;
  digestAlgorithm: RpmDigest | undefined;
  files: RpmFile[];
  requires: RpmRelation[];
  recommends: RpmRelation[];
  provides: RpmRelation[];
  scripts: RpmScript[];
}

const digests: Readonly<Record<number, RpmDigest>> = {
  1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224",
}; // biome-ignore format: a table

const configurationFlag = 1;
const documentationFlag = 2;
const ghostFlag = 1 << 6;
const maxScript = 64 << 10;
const maxPath = 4096;

const sense = { prerequisite: 1 << 6, interpreter: 1 << 8, scripts: 0xf << 9, rpmlib: 1 << 24 } as const;

/** "2:1.26-3.el9": as rpm compares and prints it. */
export function rpmVersion(one: Pick<RpmPackage, "epoch" | "version" | "release">): string {
  return `${one.epoch === "" ? "" : `${one.epoch}:`}${one.version}-${one.release}`;
}

/** A feature of rpm itself, such as rpmlib(CompressedFileNames): no package provides it. */
export function isOfRpmItself(relation: RpmRelation): boolean {
  return (relation.flags & sense.rpmlib) !== 0 || relation.name.startsWith("rpmlib(");
}

/** Needed while the package is installed or removed, and at no other time. */
export function isOfScriptsOnly(relation: RpmRelation): boolean {
  return (relation.flags & sense.scripts) !== 0;
}

/** Problems name what of the header was left out. */
export function rpmPackageOf(
  header: RpmHeader,
): { package: RpmPackage; problems: string[] } | { problem: string } {
  const name = header.string(rpmTag.name) ?? "";
  const version = header.string(rpmTag.version) ?? "";
  const release = header.string(rpmTag.release) ?? "";
  if (!isWord(name) || !isWord(version) || !isWord(release)) {
    return {
      problem: `a header without a valid name and version: ${quote(`${name} ${version} ${release}`)}`,
    };
  }
  const problems: string[] = [];
  const algorithm = header.numbers(rpmTag.digestAlgorithm)[0] ?? 1;
  return {
    package: {
      name,
      version,
      release,
      epoch: header.numbers(rpmTag.epoch)[0]?.toString() ?? "",
      architecture: header.string(rpmTag.architecture) ?? "",
      group: header.string(rpmTag.group) ?? "",
      summary: header.string(rpmTag.summary) ?? "",
      licence: header.string(rpmTag.licence) ?? "",
      sourceRpm: header.string(rpmTag.sourceRpm) ?? "",
      size: header.numbers(rpmTag.longSize)[0] ?? header.numbers(rpmTag.size)[0] ?? 0,
      digestAlgorithm: digests[algorithm],
      files: filesOf(header, (text) => problems.push(`${name}: ${text}`)),
      requires: relationsOf(header, rpmTag.requireNames, rpmTag.requireVersions, rpmTag.requireFlags),
      recommends: relationsOf(header, rpmTag.recommendNames, rpmTag.recommendVersions, rpmTag.recommendFlags),
      provides: relationsOf(header, rpmTag.provideNames, rpmTag.provideVersions, rpmTag.provideFlags),
      scripts: scriptsOf(header),
    },
    problems,
  };
}

function isWord(text: string): boolean {
  return /^[^\s/\0]{1,255}$/.test(text);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

function filesOf(header: RpmHeader, problem: (text: string) => void): RpmFile[] {
  const paths = pathsOf(header, problem);
  const of = (tag: number): number[] => header.numbers(tag);
  const [modes, flags, states] = [of(rpmTag.fileModes), of(rpmTag.fileFlags), of(rpmTag.fileStates)];
  const long = of(rpmTag.longFileSizes);
  const sizes = long.length > 0 ? long : of(rpmTag.fileSizes);
  const digest = header.strings(rpmTag.fileDigests);
  const targets = header.strings(rpmTag.fileLinkTargets);
  const [users, groups] = [header.strings(rpmTag.fileUsers), header.strings(rpmTag.fileGroups)];
  for (const list of [modes, flags, users, groups]) {
    if (list.length === paths.length) continue;
    problem(`${paths.length} files and ${list.length} modes, flags or owners`);
    return [];
  }
  const files: RpmFile[] = [];
  for (const [i, path] of paths.entries()) {
    if (!isPath(path)) {
      problem(`not a path of a file: ${quote(path)}`);
      continue;
    }
    const flag = flags[i] ?? 0;
    files.push({
      path,
      mode: modes[i] ?? 0,
      user: users[i] ?? "",
      group: groups[i] ?? "",
      size: sizes[i] ?? 0,
      digest: digest[i] ?? "",
      target: targets[i] ?? "",
      flags: flag,
      configuration: (flag & configurationFlag) !== 0,
      documentation: (flag & documentationFlag) !== 0,
      ghost: (flag & ghostFlag) !== 0,
      notInstalled: states[i] === 2 || states[i] === 4,
    });
  }
  return files;
}

function isPath(path: ByteString): boolean {
  if (!path.startsWith("/") || path.length > maxPath) return false;
  return path === "/" || !/\/(\.{0,2}(\/|$))/.test(path);
}

function pathsOf(header: RpmHeader, problem: (text: string) => void): ByteString[] {
  const names = header.strings(rpmTag.baseNames);
  if (names.length === 0) return header.strings(rpmTag.oldFileNames);
  const directories = header.strings(rpmTag.directoryNames);
  const indexes = header.numbers(rpmTag.directoryIndexes);
  if (indexes.length !== names.length || indexes.some((index) => index >= directories.length)) {
    problem(`${names.length} file names, ${indexes.length} of them in ${directories.length} directories`);
    return [];
  }
  return names.map((name, i) => (directories[indexes[i] ?? 0] ?? "") + name);
}

function relationsOf(header: RpmHeader, names: number, versions: number, flags: number): RpmRelation[] {
  const version = header.strings(versions);
  const flag = header.numbers(flags);
  return header.strings(names).map((name, i) => ({ name, version: version[i] ?? "", flags: flag[i] ?? 0 }));
}

function scriptsOf(header: RpmHeader): RpmScript[] {
  const scripts: RpmScript[] = [];
  for (const when of ["preInstall", "postInstall", "preRemove", "postRemove"] as const) {
    const text = header.string(rpmTag[when]);
    if (text === undefined) continue;
    const program = header.strings(rpmTag[`${when}Program`])[0] ?? "/bin/sh";
    scripts.push({ when, program, text: text.slice(0, maxScript) });
  }
  return scripts;
}
