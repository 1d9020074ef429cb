// A staged copy: the files of a machine that has no directory on this host, made here with everything they have, so that its programs
// can run on them. What machine-rules leave out is not staged. Content comes through the machine's cache: a staging that was broken off
// goes on, and the next one reads only what changed.
//
// Programs see the copy; whoever plans sees the original's own entries (device, inode, ctime), so that a plan means the machine and not
// the copy. For the same reason what is packed is the fetched content, not the copy.

import { mkdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { Log, Progress } from "../../base/log.ts";
import { mapLimit } from "../../base/map-limit.ts";
import { formatSize } from "../../base/units.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { isBelow } from "../../formats/mountinfo.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { makeWorkDirectory } from "../../host/work.ts";
import type { LayerEvent } from "../../image/layer-reader.ts";
import { machineXattr } from "../../image/layer-writer.ts";
import { makeTree } from "../../image/make-tree.ts";
import { isUnreadable, type Machine } from "../../machine/machine.ts";
import { sameFile } from "../../machine/resuming-files.ts";
import { TreeFiles } from "../../machine/tree-files.ts";
import { changedWhileRead, fetchTold } from "../pack/fetch-planned.ts";
import { leftBehind } from "../plan/machine-rules.ts";
import { closedDirectories, swapFiles } from "../plan/whole-machine.ts";
import { StagedFiles } from "./staged-files.ts";

export interface StageTools {
  root: StateRoot;
  log: Log;
  progress: Progress;
  signal: AbortSignal;
}

export interface StageRequest {
  /** Directories whose content has to be of one moment: data bases. E_SOURCE_CHANGED where something is written there. */
  whole: readonly ByteString[];
  /** Directories that stay empty. */
  empty: readonly ByteString[];
}

/** The machine itself where it has a directory here; else a staged copy of it, removed afterwards. */
export async function withHostRoot<T>(
  machine: Machine,
  request: StageRequest,
  tools: StageTools,
  use: (machine: Machine) => Promise<T>,
): Promise<T> {
  const here = await openHostRoot(machine, request, tools);
  try {
    return await use(here.machine);
  } finally {
    await here.close();
  }
}

export interface HostRoot {
  machine: Machine;
  /** Removes the copy, where there is one; the machine that was given stays open. */
  close(): Promise<void>;
}

/** As withHostRoot, for what outlives a call: the caller closes it. */
export async function openHostRoot(
  machine: Machine,
  request: StageRequest,
  tools: StageTools,
): Promise<HostRoot> {
  if (machine.root !== undefined) return { machine, close: async () => {} };
  const work = makeWorkDirectory(tools.root, "stage");
  try {
    const staged = await stage(machine, request, join(work.path, "fs"), tools);
    const close = async (): Promise<void> => {
      await staged.close();
      work.remove();
    };
    return { machine: staged, close };
  } catch (error) {
    work.remove();
    throw error;
  }
}

async function stage(
  machine: Machine,
  request: StageRequest,
  directory: string,
  tools: StageTools,
): Promise<Machine> {
  const entries = await entriesToStage(machine, request, tools);
  const files = entries.filter((entry) => entry.kind === "file");
  refuseFullDisk(files, tools);
  const unstable = await fetchStable(machine, entries, tools);
  const torn = unstable.filter((path) => request.whole.some((above) => isBelow(path, above)));
  if (torn.length > 0) throw changedWhileRead(machine, torn);
  if (unstable.length > 0) {
    const some = unstable.slice(0, 5).map(escapeBytes).join(", ");
    tools.log.warn(
      `left out of the staged copy, because they change while they are read: ${some}${unstable.length > 5 ? ` and ${unstable.length - 5} more` : ""}`,
    );
  }
  const without = new Set(unstable);
  const staged = entries.filter((entry) => !without.has(entry.path));
  mkdirSync(directory, { mode: 0o755 });
  step("make the staged copy");
  await makeTree(directory, eventsOf(machine, staged), {}, (reason, path) =>
    cannotStage(machine, reason, path),
  );
  const copy = new TreeFiles(directory);
  return {
    ...machine,
    root: directory,
    files: new StagedFiles(copy, staged),
    live: false,
    close: () => copy.close(),
  };
}

function cannotStage(machine: Machine, reason: string, path: ByteString | undefined): TranshipError {
  return new TranshipError("E_IO", `cannot make the staged copy of ${machine.address}: ${reason}`, {
    hint: "free space, or choose another file system with --root; `tranship capture machine` needs no copy",
    details: path === undefined ? {} : { path },
  });
}

async function entriesToStage(machine: Machine, request: StageRequest, tools: StageTools): Promise<Entry[]> {
  const closed = await closedDirectories({ machine, notOurs: [tools.root.path] });
  const swaps = await swapFiles(machine);
  const entries: Entry[] = [];
  let unreadable = 0;
  const task = tools.progress.begin(`listing ${machine.address}`, undefined, "files");
  for await (const one of machine.files.walk("/", { exclude: [...closed.keys()] })) {
    if (tools.signal.aborted) throw new TranshipError("E_INTERRUPTED", "the staging was stopped");
    if (isUnreadable(one)) unreadable++;
    else if (one.path === "/" || wanted(one, swaps, request)) entries.push(one);
    task.advance(1);
  }
  for (const path of closed.keys()) {
    const entry = await machine.files.stat(path);
    if (entry?.kind === "directory" && path !== "/.tranship") entries.push(entry);
  }
  task.end(`${entries.length} to stage`);
  if (unreadable > 0)
    tools.log.warn(`${unreadable} directories of ${machine.address} cannot be read and are not staged`);
  return entries;
}

function wanted(entry: Entry, swaps: ReadonlySet<ByteString>, request: StageRequest): boolean {
  if (swaps.has(entry.path) || leftBehind(entry) !== undefined) return false;
  return !request.empty.some((above) => entry.path !== above && isBelow(entry.path, above));
}

/** Content once in the cache, once in the copy. */
function refuseFullDisk(files: readonly Entry[], tools: StageTools): void {
  const needed = files.reduce((sum, entry) => sum + Math.min(entry.blocks * 512, entry.size), 0);
  const { bavail, bsize } = statfsSync(tools.root.work);
  if (needed <= bavail * bsize) return;
  throw new TranshipError(
    "E_NO_SPACE",
    `a staged copy needs ${formatSize(needed)} below ${tools.root.path}, ${formatSize(bavail * bsize)} are free`,
    { hint: "choose a larger file system with --root, or capture without a run: `tranship capture machine`" },
  );
}

/** How often a file that changed is looked at anew. */
const rounds = 3;

/** Fetches all content; entries of files that changed meanwhile are replaced by newer ones. Returns what never held still. */
async function fetchStable(machine: Machine, entries: Entry[], tools: StageTools): Promise<ByteString[]> {
  if (machine.content === undefined) return [];
  const at = new Map(entries.map((entry, index) => [entry.path, index]));
  let files = entries.filter((entry) => entry.kind === "file");
  const gone: ByteString[] = [];
  for (let round = 0; files.length > 0 && round < rounds; round++) {
    const { unreadable } = await fetchTold(machine, files, tools);
    gone.push(...unreadable.map(({ path }) => path));
    for (const { path, error } of unreadable.slice(0, 10))
      tools.log.warn(`${escapeBytes(path)} cannot be read (${error}) and is not staged`);
    const all = entries.filter((entry) => entry.kind === "file" && !gone.includes(entry.path));
    const now = await mapLimit(all, 512, (entry) => machine.files.stat(entry.path));
    files = [];
    for (const [index, then] of all.entries()) {
      const entry = now[index];
      if (sameFile(entry, then)) continue;
      if (entry?.kind !== "file") gone.push(then.path);
      else {
        entries[at.get(then.path) ?? -1] = entry;
        files.push(entry);
      }
    }
  }
  return [...gone, ...files.map((entry) => entry.path)];
}

/** Parents first; further names of an inode as links. */
async function* eventsOf(machine: Machine, entries: readonly Entry[]): AsyncGenerator<LayerEvent> {
  const inodes = new Map<string, ByteString>();
  for (const entry of entries) {
    const inode = `${entry.dev}:${entry.ino}`;
    const first =
      entry.kind === "file" && entry.nlink > 1 && entry.ino !== 0n ? inodes.get(inode) : undefined;
    const own = { ...entry, xattrs: entry.xattrs.filter(([name]) => !machineXattr.test(name)) };
    yield { type: "entry", entry: own, hardlinkTo: first };
    if (entry.kind !== "file" || first !== undefined) continue;
    inodes.set(inode, entry.path);
    for await (const data of contentOf(machine, entry)) yield { type: "data", ...data };
    yield { type: "end" };
  }
}

async function* contentOf(
  machine: Machine,
  entry: Entry,
): AsyncGenerator<{ offset: number; bytes: Uint8Array }> {
  if (machine.content !== undefined) {
    yield* machine.content.open(entry);
    return;
  }
  const stream = await machine.files.stream(entry.path);
  if (stream === undefined || !sameFile(stream.entry, entry)) throw changedWhileRead(machine, [entry.path]);
  yield* stream.data;
  if (stream.changed()) throw changedWhileRead(machine, [entry.path]);
}
