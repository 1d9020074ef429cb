// The database of rpm in its three forms: which one a file is, and all packages of it.

import { isBdbHash, readBdbHash } from "./rpm-bdb.ts";
import { maxBlob, type RpmBlob } from "./rpm-blob.ts";
import { parseRpmHeader, type RpmHash } from "./rpm-header.ts";
import { isNdb, readNdb } from "./rpm-ndb.ts";
import { type RpmPackage, rpmPackageOf } from "./rpm-package.ts";
import { isSqlite, readSqliteTable, type SqliteFiles } from "./sqlite.ts";

export type RpmDatabaseKind = "bdb" | "ndb" | "sqlite";

export interface RpmPackages {
  packages: RpmPackage[];
  /** What is damaged; a package that is damaged is not among the packages, as rpm itself leaves it out. */
  problems: string[];
}

export interface RpmLimits {
  packages: number;
  files: number;
  /** Bytes of all paths and scripts together. */
  text: number;
}

/** Far above any real machine: a full RHEL has 3,000 packages with 300,000 files and 25 MB of paths. */
export const rpmLimits: RpmLimits = { packages: 100_000, files: 4_000_000, text: 512 << 20 };
const maxProblems = 200;

export function rpmDatabaseKind(head: Uint8Array): RpmDatabaseKind | undefined {
  if (isSqlite(head)) return "sqlite";
  if (isNdb(head)) return "ndb";
  return isBdbHash(head) ? "bdb" : undefined;
}

/** Never an exception for what is in the database; what passes the limits ends the reading, with a problem that says so. */
export async function readRpmDatabase(
  files: SqliteFiles,
  hash: RpmHash,
  limits: RpmLimits = rpmLimits,
): Promise<RpmPackages> {
  const reading = new Reading(hash, limits);
  const kind = rpmDatabaseKind(await files.main.read(0, 100));
  if (kind === undefined) reading.problem("no database of rpm of a known kind");
  else for await (const blob of blobsOf(kind, files)) if (!reading.take(blob)) break;
  return reading.result();
}

function blobsOf(kind: RpmDatabaseKind, files: SqliteFiles): AsyncGenerator<RpmBlob> {
  if (kind === "bdb") return readBdbHash(files.main);
  return kind === "ndb" ? readNdb(files.main) : sqliteBlobs(files);
}

/** SQLite has no checksums. The index of names, a table of its own, tells whether all packages were found. */
async function* sqliteBlobs(files: SqliteFiles): AsyncGenerator<RpmBlob> {
  const found = new Set<number>();
  for await (const row of readSqliteTable(files, "Packages", { maxRow: maxBlob })) {
    if ("problem" in row) yield row;
    else {
      found.add(row.id);
      const bytes = row.values[1];
      if (bytes instanceof Uint8Array) yield { key: row.id, bytes };
      else yield { problem: `package ${row.id} has no header` };
    }
  }
  const named = new Set<number>();
  for await (const row of readSqliteTable(files, "Name", { maxRow: 65_536 })) {
    if ("problem" in row) yield { problem: `the index of names: ${row.problem}` };
    else if (typeof row.values[1] === "number") named.add(row.values[1]);
  }
  for (const key of named) {
    if (!found.has(key)) yield { problem: `package ${key} is in the index of names and nowhere else` };
  }
  for (const key of found)
    if (!named.has(key)) yield { problem: `package ${key} is not in the index of names` };
}

/** Made by rpm itself, of a key that somebody trusts. */
const importedKey = "gpg-pubkey";

class Reading {
  readonly #hash: RpmHash;
  readonly #limits: RpmLimits;
  readonly #packages: RpmPackage[] = [];
  readonly #problems: string[] = [];
  #more = 0;
  #files = 0;
  #text = 0;

  constructor(hash: RpmHash, limits: RpmLimits) {
    this.#hash = hash;
    this.#limits = limits;
  }

  problem(text: string): void {
    if (this.#problems.length < maxProblems) this.#problems.push(text);
    else this.#more++;
  }

  /** False where a limit is passed. */
  take(blob: RpmBlob): boolean {
    if ("problem" in blob) {
      this.problem(blob.problem);
      return true;
    }
    const read = parseRpmHeader(blob.bytes);
    if ("problem" in read) {
      this.problem(`package ${blob.key}: ${read.problem}; it is left out`);
      return true;
    }
    const seal = read.header.seal(this.#hash);
    if (seal === "broken") {
      this.problem(`package ${blob.key}: its header does not fit its digest; it is left out`);
      return true;
    }
    const made = rpmPackageOf(read.header);
    if ("problem" in made) {
      this.problem(`package ${blob.key}: ${made.problem}; it is left out`);
      return true;
    }
    if (seal === "unsealed" && made.package.name !== importedKey)
      this.problem(`package ${blob.key}: its header has no digest, so damage would not be seen`);
    for (const problem of made.problems) this.problem(problem);
    return this.#add(made.package);
  }

  #add(one: RpmPackage): boolean {
    this.#files += one.files.length;
    for (const file of one.files) this.#text += file.path.length;
    for (const script of one.scripts) this.#text += script.text.length;
    const { packages, files, text } = this.#limits;
    if (this.#packages.length >= packages || this.#files > files || this.#text > text) {
      this.problem(
        `more than ${packages} packages, ${files} files or ${text} bytes of paths: the rest is not read`,
      );
      return false;
    }
    this.#packages.push(one);
    return true;
  }

  result(): RpmPackages {
    const problems = [...this.#problems];
    if (this.#more > 0) problems.push(`and ${this.#more} more problems`);
    return { packages: this.#packages.sort(byName), problems };
  }
}

function byName(a: RpmPackage, b: RpmPackage): number {
  const [left, right] = [
    `${a.name} ${a.version} ${a.architecture}`,
    `${b.name} ${b.version} ${b.architecture}`,
  ];
  return left < right ? -1 : left > right ? 1 : 0;
}
