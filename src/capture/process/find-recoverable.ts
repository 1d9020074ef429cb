// Which files a running program still holds that have no name any more, or whose name leads to another file by now.
import { TranshipError } from "../../base/errors.ts";
import type { ProcessSnapshot } from "../../discover/process-snapshot.ts";
import type { RunningProgram } from "../../discover/running-program.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Exclusion } from "../plan/plan.ts";
import type { ProcessView } from "./process-view.ts";
import { inMemory, isLog } from "./snapshot-evidence.ts";

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
