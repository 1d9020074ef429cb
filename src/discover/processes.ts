// Running programs from /proc. A process can end between two reads: what is gone is left out, a zombie has little to tell.
import type { ByteString, Entry } from "../formats/entry.ts";
import { parseAssignmentList } from "../formats/os-release.ts";
import {
  type ProcStat,
  parseCgroup,
  parseMaps,
  parseNulList,
  parseProcStat,
  parseProcStatus,
  serviceOfCgroup,
} from "../formats/procfs.ts";
import type { ProcessFact } from "./inventory.ts";
import { maskArguments, maskEnvironment } from "./mask.ts";
import { baseName, Source } from "./source.ts";

const maxProcesses = 65_536;
const maxOpenFiles = 1024;
const maxMaps = 8 << 20;

export interface FoundProcesses {
  processes: ProcessFact[];
  /** Socket inode -> processes that hold it. */
  socketOwners: Map<string, number[]>;
  kernelThreads: number;
}

export async function readProcesses(source: Source): Promise<FoundProcesses> {
  const found: FoundProcesses = { processes: [], socketOwners: new Map(), kernelThreads: 0 };
  const own = await namespacesOf(source, "self");
  const entries = (await source.list("/proc")).filter((entry) => /^\/proc\/\d+$/.test(entry.path));
  if (entries.length > maxProcesses)
    source.note("/proc", `more than ${maxProcesses} processes, the rest is not read`);
  for (const entry of entries.slice(0, maxProcesses)) {
    const quiet = new Source(source.files);
    const stat = parseProcStat((await quiet.text(`${entry.path}/stat`)) ?? "");
    if (stat === undefined) continue; // ended meanwhile
    if (stat.kernelThread) {
      found.kernelThreads++;
      continue;
    }
    found.processes.push(await readProcess(quiet, stat, own, found.socketOwners));
  }
  const hidden = found.processes.filter((process) => process.unread.includes("fd")).length;
  if (hidden > 0)
    source.note(
      "/proc",
      `${hidden} processes keep their files and sockets from this user; run as root to see them`,
    );
  return found;
}

async function readProcess(
  source: Source,
  stat: ProcStat,
  ownNamespaces: string,
  socketOwners: Map<string, number[]>,
): Promise<ProcessFact> {
  const base = `/proc/${stat.pid}`;
  const status = parseProcStatus((await source.text(`${base}/status`)) ?? "");
  const executable = await linkOf(source, `${base}/exe`);
  const maps = parseMaps((await source.text(`${base}/maps`, maxMaps)) ?? "");
  const descriptors = await source.list(`${base}/fd`);
  const cgroup = parseCgroup((await source.text(`${base}/cgroup`)) ?? "");
  const namespaces = await namespacesOf(source, String(stat.pid));
  for (const entry of descriptors) noteSocket(entry, stat.pid, socketOwners);
  return {
    pid: stat.pid,
    ppid: stat.ppid,
    name: stat.name,
    state: stat.state,
    startTime: stat.startTime,
    executable: executable.replace(/ \(deleted\)$/, ""),
    executableDeleted: executable.endsWith(" (deleted)"),
    arguments: maskArguments(parseNulList((await source.text(`${base}/cmdline`)) ?? "")),
    workingDirectory: await linkOf(source, `${base}/cwd`),
    root: await linkOf(source, `${base}/root`),
    environment: maskEnvironment(
      parseAssignmentList(parseNulList((await source.text(`${base}/environ`)) ?? "")),
    ),
    uids: status.uids,
    gids: status.gids,
    groups: status.groups,
    threads: status.threads,
    residentKib: status.residentKib,
    files: maps.files.filter((file) => !file.deleted).map((file) => file.path),
    deletedFiles: maps.files.filter((file) => file.deleted && file.executable).map((file) => file.path),
    ...summarize(descriptors),
    service: serviceOfCgroup(cgroup)?.replace(/\.service$/, "") ?? "",
    cgroup: cgroup.find((line) => line.hierarchy === 0)?.path ?? cgroup[0]?.path ?? "",
    sameNamespaces: namespaces === "" || ownNamespaces === "" || namespaces === ownNamespaces,
    unread: [...new Set(source.notes.map((note) => note.subject.slice(base.length + 1)))],
  };
}

async function linkOf(source: Source, path: ByteString): Promise<ByteString> {
  return (await source.stat(path))?.target ?? "";
}

/** Mount and pid namespace; "" where they cannot be read. */
async function namespacesOf(source: Source, pid: string): Promise<string> {
  const quiet = new Source(source.files);
  const mount = await linkOf(quiet, `/proc/${pid}/ns/mnt`);
  const pids = await linkOf(quiet, `/proc/${pid}/ns/pid`);
  return mount === "" || pids === "" ? "" : `${mount} ${pids}`;
}

function noteSocket(entry: Entry, pid: number, owners: Map<string, number[]>): void {
  const inode = /^socket:\[(\d+)\]$/.exec(entry.target)?.[1];
  if (inode === undefined) return;
  const known = owners.get(inode);
  if (known === undefined) owners.set(inode, [pid]);
  else if (!known.includes(pid)) known.push(pid);
}

function summarize(descriptors: readonly Entry[]): Pick<ProcessFact, "descriptors" | "openFiles"> {
  const counts = { sockets: 0, pipes: 0, files: 0, other: 0 };
  const files = new Set<ByteString>();
  for (const { target } of descriptors) {
    if (target.startsWith("socket:")) counts.sockets++;
    else if (target.startsWith("pipe:")) counts.pipes++;
    else if (target.startsWith("/")) {
      counts.files++;
      if (files.size < maxOpenFiles) files.add(target);
    } else counts.other++;
  }
  return { descriptors: counts, openFiles: [...files] };
}

/** The name that a person would look for: the program's base name, else the kernel's. */
export function processName(process: ProcessFact): ByteString {
  return baseName(process.executable) || process.name;
}
