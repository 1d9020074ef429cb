// One running program as /proc shows it, whole: what `capture process` starts from. Only read; the process is not stopped, not
// traced and not signalled. Values are real ones, secrets too: for planning, not for printing.
import type { ByteString } from "../formats/entry.ts";
import { parseAssignmentList } from "../formats/os-release.ts";
import {
  type DescriptorKind,
  descriptorKind,
  type FileMapping,
  type ProcessRights,
  parseDescriptorInfo,
  parseFileMappings,
  parseLimits,
  parseProcessRights,
  type ResourceLimit,
  splitDeleted,
} from "../formats/proc-process.ts";
import {
  parseCgroup,
  parseNulList,
  parseProcStat,
  parseProcStatus,
  serviceOfCgroup,
} from "../formats/procfs.ts";
import { baseName, Source } from "./source.ts";

const maxDescriptors = 65_536;
const maxMaps = 32 << 20;
const maxWords = 4 << 20;

/** A file of /proc that a process holds open, or that it runs. */
export interface HeldFile {
  /** As /proc prints it: seen from the reader's root where reader and process share their mounts. */
  path: ByteString;
  /** The path no longer leads to this file. */
  deleted: boolean;
}

export interface OpenDescriptor extends HeldFile {
  fd: number;
  kind: DescriptorKind;
  /** Of sockets and pipes: the number in the link. */
  inode: string;
  reads: boolean;
  writes: boolean;
  append: boolean;
  position: string;
}

export interface ProcessSnapshot extends ProcessRights {
  pid: number;
  ppid: number;
  /** Its parent is init, of the host or of the container that it runs in: whoever started it has ended. */
  orphan: boolean;
  /** Process group's session: a daemon that forked twice has another one than its own number. */
  session: number;
  name: ByteString;
  state: string;
  /** Clock ticks since boot: unique together with the pid. */
  startTime: string;
  /** Its number in its own pid namespace. */
  innerPid: number;
  executable: HeldFile;
  arguments: ByteString[];
  /** The command line is one text with no word boundaries left: the program wrote its title over it. */
  retitled: boolean;
  environment: Record<string, ByteString>;
  workingDirectory: HeldFile;
  /** As seen by the reader: "/" where it is the reader's own. */
  root: ByteString;
  uids: number[];
  gids: number[];
  groups: number[];
  limits: ResourceLimit[];
  oomScoreAdjust: number;
  /** "mnt" -> "mnt:[4026531841]". */
  namespaces: Record<string, string>;
  mapped: FileMapping[];
  descriptors: OpenDescriptor[];
  service: ByteString;
  cgroup: ByteString;
  /** What of /proc/PID could not be read. */
  unread: string[];
}

/** Undefined where there is no such process, it is a kernel thread, or it ended meanwhile. */
export async function readProcessSnapshot(from: Source, pid: number): Promise<ProcessSnapshot | undefined> {
  const source = new Source(from.files);
  const base = `/proc/${pid}`;
  const stat = parseProcStat((await source.text(`${base}/stat`)) ?? "");
  if (stat === undefined || stat.kernelThread) return undefined;
  const text = async (name: string, limit = maxWords): Promise<ByteString> =>
    (await source.text(`${base}/${name}`, limit)) ?? "";
  const statusText = await text("status");
  const status = parseProcStatus(statusText);
  const cgroup = parseCgroup(await text("cgroup"));
  const commandLine = await text("cmdline");
  const words = parseNulList(commandLine.replace(/\0+$/, "\0"));
  const snapshot: ProcessSnapshot = {
    pid,
    ppid: stat.ppid,
    orphan: await isInit(source, stat.ppid),
    session: stat.session,
    name: stat.name,
    state: stat.state,
    startTime: stat.startTime,
    innerPid: status.namespacePids.at(-1) ?? pid,
    executable: await heldFile(source, `${base}/exe`),
    arguments: words,
    retitled: false,
    environment: environmentOf(await text("environ")),
    workingDirectory: await heldFile(source, `${base}/cwd`),
    root: (await source.stat(`${base}/root`))?.target ?? "",
    uids: status.uids,
    gids: status.gids,
    groups: status.groups,
    ...parseProcessRights(statusText),
    limits: parseLimits(await text("limits")),
    oomScoreAdjust: Number((await text("oom_score_adj")).trim()) || 0,
    namespaces: await namespaces(source, base),
    mapped: await settled(source, parseFileMappings(await text("maps", maxMaps))),
    descriptors: await readDescriptors(source, base),
    service: serviceOfCgroup(cgroup)?.replace(/\.service$/, "") ?? "",
    cgroup:
      cgroup.find((line) => line.hierarchy === 0 || line.controllers.includes("name=systemd"))?.path ?? "",
    unread: [],
  };
  snapshot.retitled = isRetitled(snapshot);
  snapshot.unread = [...new Set(source.notes.map((note) => note.subject.slice(base.length + 1)))];
  return snapshot;
}

async function isInit(source: Source, pid: number): Promise<boolean> {
  if (pid <= 1) return pid === 1;
  const status = parseProcStatus((await new Source(source.files).text(`/proc/${pid}/status`)) ?? "");
  return status.namespacePids.at(-1) === 1;
}

/** Whether it still is the process of the snapshot: numbers are used again. */
export async function stillRuns(
  source: Source,
  process: Pick<ProcessSnapshot, "pid" | "startTime">,
): Promise<boolean> {
  const stat = parseProcStat((await new Source(source.files).text(`/proc/${process.pid}/stat`)) ?? "");
  return (
    stat !== undefined && stat.startTime === process.startTime && stat.state !== "Z" && stat.state !== "X"
  );
}

function environmentOf(text: ByteString): Record<string, ByteString> {
  const all = parseAssignmentList(parseNulList(text, 16_384));
  // A title that is longer than the arguments runs on over the variables: what is left of them has odd names.
  return Object.fromEntries(Object.entries(all).filter(([name]) => /^[A-Za-z_][A-Za-z0-9_.]*$/.test(name)));
}

async function heldFile(source: Source, path: ByteString): Promise<HeldFile> {
  const target = (await source.stat(path))?.target ?? "";
  return await settledFile(source, splitDeleted(target));
}

/** A file may really be called "x (deleted)": then that name is there. */
async function settledFile<T extends HeldFile>(source: Source, held: T): Promise<T> {
  if (!held.deleted) return held;
  const whole = `${held.path} (deleted)`;
  const there = await new Source(source.files).stat(whole);
  return there === undefined ? held : { ...held, path: whole, deleted: false };
}

async function settled<T extends HeldFile>(source: Source, list: readonly T[]): Promise<T[]> {
  return await Promise.all(list.map((one) => settledFile(source, one)));
}

async function namespaces(source: Source, base: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await source.list(`${base}/ns`)) found[baseName(entry.path)] = entry.target;
  return found;
}

async function readDescriptors(source: Source, base: string): Promise<OpenDescriptor[]> {
  const entries = (await source.list(`${base}/fd`)).filter((entry) => /\/\d+$/.test(entry.path));
  if (entries.length > maxDescriptors)
    source.note(`${base}/fd`, `more than ${maxDescriptors} descriptors, the rest is not read`);
  const read = await Promise.all(
    entries.slice(0, maxDescriptors).map(async (entry): Promise<OpenDescriptor> => {
      const fd = Number(baseName(entry.path));
      const quiet = new Source(source.files); // it may be closed by now
      const info = parseDescriptorInfo((await quiet.text(`${base}/fdinfo/${fd}`)) ?? "");
      return {
        fd,
        kind: descriptorKind(entry.target),
        ...splitDeleted(entry.target),
        inode: /^(?:socket|pipe):\[(\d+)\]$/.exec(entry.target)?.[1] ?? "",
        reads: info?.reads ?? false,
        writes: info?.writes ?? false,
        append: info?.append ?? false,
        position: info?.position ?? "0",
      };
    }),
  );
  return (await settled(source, read)).sort((a, b) => a.fd - b.fd);
}

/** `nginx: master process ...`, `redis-server *:6379`: one word that holds spaces, and that no program could be started by. */
function isRetitled(process: ProcessSnapshot): boolean {
  const [first = "", ...rest] = process.arguments.filter((word) => word !== "");
  if (rest.length > 0 || !first.includes(" ")) return false;
  return first !== process.executable.path && !process.executable.path.endsWith(`/${first}`);
}
