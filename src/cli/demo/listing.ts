// What a directory tree looks like: kind, mode, owner, size, time of change and content of everything below it. Two listings tell
// whether anything was touched.
import { createHash, type Hash } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { escapeBytes } from "../../formats/escape.ts";

/** Path -> one line that changes with the object. Paths are byte strings. */
export type Listing = ReadonlyMap<string, string>;

export interface ListingSummary {
  objects: number;
  /** Of all regular files. */
  bytes: number;
  digest: string;
}

/** content: also hash what is in the files. */
export async function listTree(top: string, content: boolean, signal: AbortSignal): Promise<Listing> {
  const found = new Map<string, string>();
  const todo = [Buffer.from(top).toString("latin1")];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    signal.throwIfAborted();
    const name = Buffer.from(path, "latin1");
    const stat = await lstat(name, { bigint: true });
    found.set(path, `${attributes(stat)} ${await contentOf(name, stat, content)}`);
    if (!stat.isDirectory()) continue;
    for (const entry of await readdir(name, { encoding: "latin1" })) todo.push(`${path}/${entry}`);
  }
  return found;
}

function attributes(stat: BigIntStats): string {
  // The size of a directory is the file system's own affair.
  const size = stat.isDirectory() ? 0n : stat.size;
  return `${stat.mode.toString(8)} ${stat.uid}:${stat.gid} ${size} ${stat.mtimeNs} ${stat.rdev}`;
}

async function contentOf(name: Buffer, stat: BigIntStats, content: boolean): Promise<string> {
  if (stat.isSymbolicLink()) return await readlink(name, { encoding: "latin1" });
  return stat.isFile() && content ? await hashFile(name) : "";
}

const part = Buffer.alloc(1 << 20);

async function hashFile(name: Buffer): Promise<string> {
  // Without NOATIME the listing itself would leave a trace.
  const file = await open(name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NOATIME);
  const hash: Hash = createHash("sha256");
  try {
    for (;;) {
      const { bytesRead } = await file.read(part, 0, part.length);
      if (bytesRead === 0) break;
      hash.update(part.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}

export function summarize(listing: Listing): ListingSummary {
  const hash = createHash("sha256");
  let bytes = 0;
  for (const path of [...listing.keys()].sort()) {
    const line = listing.get(path) ?? "";
    hash.update(`${path}\0${line}\n`, "latin1");
    const [mode = "0", , size = "0"] = line.split(" ");
    if ((Number.parseInt(mode, 8) & 0o170000) === 0o100000) bytes += Number(size);
  }
  return { objects: listing.size, bytes, digest: hash.digest("hex") };
}

/** Paths that differ, for people. */
export function changes(before: Listing, after: Listing): string[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths
    .filter((path) => before.get(path) !== after.get(path))
    .map((path) => {
      const what = before.has(path) ? (after.has(path) ? "changed" : "removed") : "new";
      return `${escapeBytes(path)}: ${what}`;
    });
}
