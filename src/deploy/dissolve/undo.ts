// A dissolve is taken back, whole or as far as it came: what was put there and is as it was put goes, what it replaced comes back. What somebody
// has changed since, the application's data above all, stays and is told.
import { existsSync, lstatSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ByteString } from "../../formats/entry.ts";
import { unescapeBytes } from "../../formats/escape.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { step } from "../../host/steps.ts";
import { Inside } from "./inside.ts";
import { dissolvedIds, type Manifest, manifestDirectory, type PutObject, readManifest } from "./manifest.ts";

export interface Undone {
  id: string;
  removed: number;
  restored: number;
  /** Changed since: printable paths. */
  left: string[];
}

/** E_DEPLOYMENT_NOT_FOUND. */
export function undoDissolve(top: string, id: string, log: Log): Undone {
  const manifest = readManifest(top, id);
  if (manifest === undefined) {
    const known = dissolvedIds(top);
    throw new TranshipError("E_DEPLOYMENT_NOT_FOUND", `${id} is not dissolved in ${top}`, {
      hint: known.length === 0 ? "nothing is" : `there are: ${known.join(", ")}`,
    });
  }
  const directory = manifestDirectory(top, id);
  const undone: Undone = { id, removed: 0, restored: 0, left: [] };
  for (const [file, lines] of Object.entries(manifest.lines)) removeLines(top, file, lines);
  const inside = new Inside(top);
  for (const put of [...manifest.put].reverse()) undoOne(inside, put, directory, undone);
  step("remove the manifest of the dissolve");
  if (undone.left.length > 0) log.warn(`changed since, and left: ${undone.left.slice(0, 20).join(", ")}`);
  forget(directory, manifest);
  return undone;
}

function undoOne(inside: Inside, put: PutObject, directory: string, undone: Undone): void {
  const path = unescapeBytes(put.path);
  const before = put.saved === undefined ? undefined : join(directory, "saved", String(put.saved));
  const stat = inside.stat(path);
  const isReplaced = before !== undefined && existsSync(before);
  // A replacement that had not begun: what is there is not ours.
  if (before !== undefined && !isReplaced && lstatSync(before, { throwIfNoEntry: false }) === undefined)
    return;
  if (stat !== undefined) {
    if (put.kind === "directory") {
      if (removeEmpty(inside.place(path))) undone.removed++;
      return;
    }
    if (!asPut(inside, path, put)) {
      undone.left.push(put.path);
      return;
    }
    step("remove an object");
    rmSync(inside.place(path), { force: true });
    undone.removed++;
  }
  if (before === undefined) return;
  step("put back what was there");
  renameSync(before, inside.place(path));
  undone.restored++;
}

function removeEmpty(path: Buffer): boolean {
  try {
    if (readdirSync(path).length > 0) return false;
    step("remove a directory");
    rmdirSync(path);
    return true;
  } catch {
    return false; // no directory any more
  }
}

/** -1 as size: a unit or its link, which nobody edits in place. */
function asPut(inside: Inside, path: ByteString, put: PutObject): boolean {
  if (put.size === -1) return true;
  const stat = lstatSync(inside.place(path), { bigint: true });
  if (put.kind === "symlink") return stat.isSymbolicLink();
  return put.kind === "file"
    ? stat.isFile() && stat.size === BigInt(put.size) && String(stat.mtimeNs) === put.mtime
    : true;
}

function removeLines(top: string, file: string, lines: readonly ByteString[]): void {
  const path = new Inside(top).place(file).toString();
  if (lines.length === 0 || !existsSync(path)) return;
  const ours = new Set(lines);
  const before = readFileSync(path, "latin1");
  const after = before
    .split("\n")
    .filter((line) => !ours.has(line))
    .join("\n");
  if (after === before) return;
  step("remove users and groups");
  writeFileAtomic(path, Buffer.from(after, "latin1"), { mode: 0o644 });
}

function forget(directory: string, { id }: Manifest): void {
  rmSync(directory, { recursive: true, force: true });
  const parent = join(directory, "..");
  if (id !== "" && readdirSync(parent).length === 0) rmdirSync(parent);
}
