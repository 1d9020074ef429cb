// Files that a running program still holds and that have no name any more, or whose name leads to another file by now: read through
// the kernel's own links in /proc, and kept in a directory of ours under the names that they had.
//
// Theory. The recovery directory is a tree with the program's own paths, so that a machine seen through it (recovered-files.ts)
// needs no second table: the closure follows libraries of recovered programs, and packing reads them, as if they had never gone.
import { createHash } from "node:crypto";
import { existsSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import { formatSize } from "../base/units.ts";
import type { ProcessSnapshot } from "../discover/process-snapshot.ts";
import type { RunningProgram } from "../discover/running-program.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import { ioError, makeDirectory, writeFileAtomic } from "../host/files.ts";
import { step } from "../host/steps.ts";
import type { LayerEvent } from "../image/layer-reader.ts";
import { makeTree } from "../image/make-tree.ts";
import type { FileStream, Machine } from "../machine/machine.ts";
import { TreeFiles } from "../machine/tree-files.ts";
import type { Exclusion, RecoveredFile } from "./plan.ts";
import type { ProcessView } from "./process-view.ts";
import { inMemory, isLog } from "./snapshot-evidence.ts";

/** A file that changes while it is read is read again, at most so often. */
const attempts = 3;
const maxRecovered = 10_000;

export interface Recoverable {
  /** As the program sees it. */
  path: ByteString;
  /** In the machine's /proc. */
  link: ByteString;
  why: string;
}

export interface ToRecover {
  files: Recoverable[];
  /** Deleted, and left out: scratch files, logs, what was replaced. */
  left: Exclusion[];
  notes: string[];
}

/** Which files have to be recovered. The program and its libraries always; open files where no other file has their name. */
export async function findRecoverable(program: RunningProgram, view: ProcessView): Promise<ToRecover> {
  const found = new Map<ByteString, Recoverable>();
  const result: ToRecover = { files: [], left: [], notes: [] };
  for (const process of program.processes) {
    if (process.namespaces.mnt !== program.main.namespaces.mnt) continue;
    for (const { held, link, what } of heldFiles(process)) {
      const path = inMemory(held.path) ? undefined : view.inside(held.path);
      if (path === undefined || found.has(path)) continue;
      const replaced = (await view.machine.files.stat(path)) !== undefined;
      const who = `process ${process.pid} (${escapeBytes(process.name)})`;
      const left = what.runs ? undefined : leftBecause(path, what, replaced);
      if (left !== undefined) {
        if (!result.left.some((one) => one.path === path))
          result.left.push({ path, why: `${left}; ${who} holds it` });
        continue;
      }
      if (found.size >= maxRecovered) {
        throw new TranshipError("E_LIMIT", `${who} holds more than ${maxRecovered} deleted files`, {
          hint: "restart the program and capture it then",
        });
      }
      const how = what.runs ? "ran it" : "held it open";
      found.set(path, { path, link, why: `${replaced ? "replaced" : "deleted"} while ${who} ${how}` });
      if (what.runs && replaced)
        result.notes.push(
          `${escapeBytes(path)} was replaced since ${who} started: the package gets the file that runs`,
        );
    }
  }
  result.files = [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return result;
}

interface HeldDeleted {
  held: { path: ByteString };
  link: ByteString;
  what: { runs: boolean; reads: boolean; writes: boolean; append: boolean };
}

function heldFiles(process: ProcessSnapshot): HeldDeleted[] {
  const base = `/proc/${process.pid}`;
  const runs = { runs: true, reads: true, writes: false, append: false };
  return [
    ...(process.executable.deleted ? [{ held: process.executable, link: `${base}/exe`, what: runs }] : []),
    ...process.mapped
      .filter((one) => one.deleted)
      .map((one) => ({
        held: one,
        link: `${base}/map_files/${one.range}`,
        what: { ...runs, runs: one.executable },
      })),
    ...process.descriptors
      .filter((one) => one.deleted && one.kind === "file")
      .map((one) => ({
        held: one,
        link: `${base}/fd/${one.fd}`,
        what: { runs: false, reads: one.reads, writes: one.writes, append: one.append },
      })),
  ];
}

/** Of a file that is open and not run. A library that is mapped without a right to execute comes with its other mappings. */
function leftBecause(path: ByteString, what: HeldDeleted["what"], replaced: boolean): string | undefined {
  if (isLog(path, what)) return "a log that was deleted or rotated";
  if (/^\/(tmp|var\/tmp|run|dev\/shm)\//.test(path) || /\/#\d+$/.test(path))
    return "a scratch file without a name";
  if (replaced) return "an older file of this name; the one that is there now is packed";
  return undefined;
}

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

const zeros = new Uint8Array(1 << 20);

/** sha256 of a file's whole content, holes as zeros: the same wherever the file is copied to. */
class ContentHash {
  readonly #hash = createHash("sha256");
  #at = 0;

  add(offset: number, bytes: Uint8Array): void {
    this.#fill(offset);
    this.#hash.update(bytes);
    this.#at = offset + bytes.length;
  }

  end(size: number): string {
    this.#fill(size);
    return `sha256:${this.#hash.digest("hex")}`;
  }

  #fill(to: number): void {
    for (; this.#at < to; this.#at += Math.min(zeros.length, to - this.#at))
      this.#hash.update(zeros.subarray(0, Math.min(zeros.length, to - this.#at)));
  }
}

/** The recovered files of a plan that was made before are still what they were. E_PLAN_INVALID, E_SOURCE_CHANGED. */
export async function checkRecovered(directory: string, recovered: readonly RecoveredFile[]): Promise<void> {
  if (!existsSync(directory))
    throw new TranshipError("E_PLAN_INVALID", `the plan's recovered files are not there: ${directory}`, {
      hint: "keep the directory beside the plan; or make the plan anew while the process still runs",
    });
  const files = new TreeFiles(directory);
  try {
    for (const { path, digest } of recovered) {
      const stream = await files.stream(path);
      if (stream?.entry.kind !== "file")
        throw new TranshipError(
          "E_PLAN_INVALID",
          `the plan's recovered file ${escapeBytes(path)} is not in ${directory}`,
          {
            hint: "keep the directory beside the plan; or make the plan anew while the process still runs",
          },
        );
      const hash = new ContentHash();
      for await (const { offset, bytes } of stream.data) hash.add(offset, bytes);
      if (digest !== "" && hash.end(stream.entry.size) !== digest)
        throw new TranshipError(
          "E_SOURCE_CHANGED",
          `${escapeBytes(path)} in ${directory} is not what was recovered`,
          {
            hint: "make the plan anew while the process still runs",
          },
        );
    }
  } finally {
    await files.close();
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

/** The directory beside a plan for its recovered files; they lie in `files` below it. */
export function recoveryOf(planFile: string): string {
  return `${planFile}.recovered`;
}

/** Makes the directory anew; an older one is removed where it is ours. E_USAGE where it is not. */
export function makeRecoveryBeside(planFile: string): string {
  const directory = recoveryOf(planFile);
  const marker = join(directory, "tranship-recovered");
  if (existsSync(directory)) {
    if (!existsSync(marker))
      throw new TranshipError("E_USAGE", `${directory} exists and holds no recovered files of a plan`, {
        hint: "choose another --output, or move that directory away",
      });
    removeTree(directory);
  }
  makeDirectory(directory);
  writeFileAtomic(marker, "Files that a plan recovered from a running process.\n", { mode: 0o600 });
  return join(directory, "files");
}

function removeTree(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (cause) {
    throw ioError(`cannot remove ${directory}`, cause);
  }
}
