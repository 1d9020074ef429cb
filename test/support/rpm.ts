// Databases of rpm for tests: those that rpm made (test/fixtures/rpm), what rpm says of them, and headers made by hand.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { RandomAccess } from "../../src/formats/random-access.ts";
import type { RpmHash } from "../../src/formats/rpm-header.ts";
import type { RpmPackage, RpmRelation } from "../../src/formats/rpm-package.ts";

export const rpmFixtures = join(import.meta.dirname, "../fixtures/rpm");
/** Made by rpm 4.16 (Berkeley DB) and 4.20 (ndb) from the same packages. */
export const rpmDatabases = ["Packages", "Packages.db"] as const;

export function rpmDatabase(name: (typeof rpmDatabases)[number]): Buffer {
  return gunzipSync(readFileSync(join(rpmFixtures, `${name}.gz`)));
}

/** What `rpm -qa --qf FORMAT | sort -u` prints, by the names in the file `formats`. */
export const rpmFormats: ReadonlyMap<string, string> = new Map(
  readFileSync(join(rpmFixtures, "formats"), "utf8")
    .trim()
    .split("\n")
    .map((line) => [line.slice(0, line.indexOf("|")), line.slice(line.indexOf("|") + 1)]),
);

export function rpmSays(what: string): string {
  return readFileSync(join(rpmFixtures, `${what}.txt`), "latin1");
}

/** The same lines from what our readers found. */
export function weSay(what: string, packages: readonly RpmPackage[]): string {
  const lines = packages.flatMap((one) => linesOf(what, one));
  return `${[...new Set(lines)].sort().join("\n")}\n`;
}

function linesOf(what: string, one: RpmPackage): string[] {
  const related = (list: readonly RpmRelation[]) =>
    list.map((each) => [one.name, each.name, each.flags, each.version].join("\t"));
  if (what === "requires") return related(one.requires);
  if (what === "provides") return related(one.provides);
  if (what === "packages")
    return [[one.name, one.epoch || "0", one.version, one.release, one.architecture].join("\t")];
  return one.files.map((file) => {
    return [
      one.name,
      file.path,
      file.mode,
      file.user,
      file.group,
      file.size,
      file.flags,
      file.digest,
      file.target,
    ].join("\t");
  });
}

export function inMemory(bytes: Uint8Array): RandomAccess {
  return { size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

export const hash: RpmHash = (algorithm, parts) => {
  const digest = createHash(algorithm);
  for (const part of parts) digest.update(part);
  return digest.digest("hex");
};

export interface HeaderTag {
  tag: number;
  type: number;
  /** Default: as many as there are. */
  count?: number;
  strings?: readonly string[];
  numbers?: readonly number[];
}

/** A header as a database keeps it. Types: 3 and 4 are integers of 16 and 32 bits, 6 a string, 8 strings. */
export function buildRpmHeader(tags: readonly HeaderTag[]): Uint8Array {
  const data: number[] = [];
  const index: number[] = [];
  for (const { tag, type, count, strings, numbers } of tags) {
    const width = type === 3 ? 2 : 4;
    if (numbers !== undefined) while (data.length % width !== 0) data.push(0);
    index.push(tag, type, data.length, count ?? (strings ?? numbers ?? []).length);
    for (const text of strings ?? []) data.push(...Buffer.from(text, "latin1"), 0);
    for (const value of numbers ?? [])
      for (let shift = (width - 1) * 8; shift >= 0; shift -= 8) data.push((value >> shift) & 255);
  }
  const bytes = new Uint8Array(8 + index.length * 4 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, index.length / 4);
  view.setUint32(4, data.length);
  for (const [i, value] of index.entries()) view.setUint32(8 + i * 4, value);
  bytes.set(data, 8 + index.length * 4);
  return bytes;
}
