// Files that a running program still holds and that have no name any more, or whose name leads to another file by now: read through
// the kernel's own links in /proc, and kept in a directory of ours under the names that they had.
//
// Theory. The recovery directory is a tree with the program's own paths, so that a machine seen through it (recovered-files.ts)
// needs no second table: the closure follows libraries of recovered programs, and packing reads them, as if they had never gone.
import { statfsSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { makeDirectory } from "../../host/files.ts";
import { step } from "../../host/steps.ts";
import type { LayerEvent } from "../../image/layer-reader.ts";
import { makeTree } from "../../image/make-tree.ts";
import type { FileStream, Machine } from "../../machine/machine.ts";
import type { RecoveredFile } from "../plan/plan.ts";
import { ContentHash } from "./content-hash.ts";
import type { Recoverable, ToRecover } from "./find-recoverable.ts";
import type { ProcessView } from "./process-view.ts";

/** A file that changes while it is read is read again, at most so often. */
const attempts = 3;

/** Reads what was found into DIR, which must be empty. What has gone meanwhile is told and left out. */
export async function recoverFiles(
  machine: Machine,
  view: ProcessView,
  found: ToRecover,
  directory: string,
): Promise<RecoveredFile[]> {
  const recovered: RecoveredFile[] = [];
  if (found.files.length === 0) return recovered;
  step("recover deleted files");
  makeDirectory(directory);
  const events = recoveryEvents(machine, view, found, directory, recovered);
  await makeTree(directory, events, {}, (reason) => {
    return new TranshipError("E_IO", `cannot keep the recovered files in ${directory}: ${reason}`, {
      hint: "is there room, and may extended attributes be set there?",
    });
  });
  return recovered;
}

async function* recoveryEvents(
  machine: Machine,
  view: ProcessView,
  found: ToRecover,
  directory: string,
  recovered: RecoveredFile[],
): AsyncGenerator<LayerEvent, void, void> {
  const parents = new Set<ByteString>();
  for (const file of found.files) {
    const stream = await opened(machine, file.link);
    if (stream === undefined) {
      found.notes.push(
        `${escapeBytes(file.path)} was ${file.why}, and could not be recovered: it is no longer held`,
      );
      continue;
    }
    checkRoom(directory, stream.entry);
    for (const parent of directoriesAbove(file.path)) {
      if (parents.has(parent)) continue;
      parents.add(parent);
      yield { type: "entry", entry: await directoryEntry(view, parent), hardlinkTo: undefined };
    }
    const read = { digest: "" };
    yield* fileEvents(machine, file, stream, read);
    if (read.digest === "")
      found.notes.push(
        `${escapeBytes(file.path)} was written to while it was recovered: its content may be torn`,
      );
    recovered.push({ path: file.path, why: file.why, digest: read.digest });
  }
}

async function opened(machine: Machine, link: ByteString): Promise<FileStream | undefined> {
  if (machine.files.opened !== undefined) return await machine.files.opened(link);
  throw new TranshipError("E_MACHINE_UNKNOWN", `files without a name cannot be read on ${machine.address}`, {
    hint: "run tranship on that machine itself, with local:, or restart the program there first",
  });
}

/** The last attempt counts, whatever happened to it; its digest is empty where the file changed. */
async function* fileEvents(
  machine: Machine,
  file: Recoverable,
  first: FileStream,
  read: { digest: string },
): AsyncGenerator<LayerEvent, void, void> {
  let stream: FileStream | undefined = first;
  for (let attempt = 1; stream !== undefined; attempt++) {
    const hash = new ContentHash();
    yield { type: "entry", entry: { ...stream.entry, path: file.path, nlink: 1 }, hardlinkTo: undefined };
    for await (const { offset, bytes } of stream.data) {
      hash.add(offset, bytes);
      yield { type: "data", offset, bytes };
    }
    yield { type: "end" };
    read.digest = stream.changed() ? "" : hash.end(stream.entry.size);
    if (read.digest !== "" || attempt >= attempts) return;
    stream = await opened(machine, file.link);
  }
}

function checkRoom(directory: string, entry: Entry): void {
  const { bavail, bsize } = statfsSync(directory);
  if (entry.size <= bavail * bsize) return;
  throw new TranshipError(
    "E_NO_SPACE",
    `a deleted file of ${formatSize(entry.size)} has to be recovered below ${directory}, ${formatSize(bavail * bsize)} are free`,
    { hint: "choose a larger file system with --root (or, with --plan-only, by --output)" },
  );
}

function directoriesAbove(path: ByteString): ByteString[] {
  const found: ByteString[] = [];
  for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1)) found.push(path.slice(0, at));
  return found;
}

/** As it is on the machine; a directory that has gone too is made plain. */
async function directoryEntry(view: ProcessView, path: ByteString): Promise<Entry> {
  const there = await view.machine.files.stat(path);
  if (there?.kind === "directory") return { ...there, path };
  return {
    path, kind: "directory", mode: 0o755, uid: 0, gid: 0, nlink: 1, dev: 0n, ino: 0n, size: 0, blocks: 0, mtime: 0n, ctime: 0n,
    rdevMajor: 0, rdevMinor: 0, target: "", xattrs: [], extents: undefined,
  }; // biome-ignore format: a table
}
