// What /proc tells of one process beyond procfs.ts: mappings with their ranges, open files, limits, rights. Pure; what does not
// parse is left out: a process can end between two reads.
import type { ByteString } from "./entry.ts";
import { unescapeOctal } from "./procfs.ts";

const maxMappings = 65_536;
const deletedMark = " (deleted)";

export interface FileMapping {
  /** As the kernel prints it, without " (deleted)". */
  path: ByteString;
  executable: boolean;
  /** The name no longer leads to this file. A file whose real name ends in " (deleted)" looks the same. */
  deleted: boolean;
  /** Name of the link in /proc/PID/map_files. */
  range: string;
  inode: string;
}

/** Mapped files of /proc/PID/maps: one line for each path and inode, with its first range. */
export function parseFileMappings(text: ByteString): FileMapping[] {
  const found = new Map<string, FileMapping>();
  let lines = 0;
  for (const match of text.matchAll(
    /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) [0-9a-f]+ [0-9a-f]+:[0-9a-f]+ (\d+) +(\/.*)$/gm,
  )) {
    if (++lines > maxMappings) break;
    const [, from = "", to = "", permissions = "", inode = "", name = ""] = match;
    const { path, deleted } = splitDeleted(unescapeOctal(name));
    const key = `${path}\0${inode}`;
    const known = found.get(key);
    if (known !== undefined) known.executable ||= permissions.includes("x");
    else {
      const range = `${bare(from)}-${bare(to)}`;
      found.set(key, { path, executable: permissions.includes("x"), deleted, range, inode });
    }
  }
  return [...found.values()];
}

/** maps pads addresses to eight digits, map_files does not. */
function bare(address: string): string {
  return address.replace(/^0+(?=.)/, "");
}

/** The kernel appends " (deleted)" to the name of a file that the name no longer leads to. */
export function splitDeleted(target: ByteString): { path: ByteString; deleted: boolean } {
  const deleted = target.startsWith("/") && target.endsWith(deletedMark);
  return { path: deleted ? target.slice(0, -deletedMark.length) : target, deleted };
}

export type DescriptorKind =
  | "file"
  | "socket"
  | "pipe"
  | "event"
  | "timer"
  | "signal"
  | "poll"
  | "inotify"
  | "other";

/** What a descriptor's link text names. */
export function descriptorKind(target: ByteString): DescriptorKind {
  if (target.startsWith("/")) return "file";
  if (target.startsWith("socket:[")) return "socket";
  if (target.startsWith("pipe:[")) return "pipe";
  const anonymous = /^anon_inode:\[?([a-z0-9_-]+)\]?$/i.exec(target)?.[1] ?? "";
  const kinds: readonly (readonly [RegExp, DescriptorKind])[] = [
    [/^eventpoll$/, "poll"],
    [/^eventfd$/, "event"],
    [/^timerfd$/, "timer"],
    [/^signalfd$/, "signal"],
    [/^inotify$/, "inotify"],
  ];
  return kinds.find(([pattern]) => pattern.test(anonymous))?.[1] ?? "other";
}

export interface DescriptorInfo {
  /** Byte position, as text: it may be above what a number holds. */
  position: string;
  reads: boolean;
  writes: boolean;
  append: boolean;
  closeOnExec: boolean;
}

/** /proc/PID/fdinfo/N: position, and the flags of open(2) in octal (as of x86 and arm). */
export function parseDescriptorInfo(text: ByteString): DescriptorInfo | undefined {
  const position = /^pos:\s*(\d+)/m.exec(text)?.[1];
  const flags = Number.parseInt(/^flags:\s*([0-7]+)/m.exec(text)?.[1] ?? "", 8);
  if (position === undefined || Number.isNaN(flags)) return undefined;
  const access = flags & 3;
  return {
    position,
    reads: access === 0 || access === 2,
    writes: access === 1 || access === 2,
    append: (flags & 0o2000) !== 0,
    closeOnExec: (flags & 0o2000000) !== 0,
  };
}

export interface ProcessRights {
  /** Undefined before kernel 4.7, which does not tell it. */
  umask: number | undefined;
  /** A process that traces this one; 0 for none. */
  tracer: number;
  noNewPrivileges: boolean;
  /** Hex masks. */
  capabilities: {
    inheritable: string;
    permitted: string;
    effective: string;
    bounding: string;
    ambient: string;
  };
}

/** From /proc/PID/status. */
export function parseProcessRights(text: ByteString): ProcessRights {
  const value = (key: string): string => new RegExp(`^${key}:[ \\t]*(\\S+)`, "m").exec(text)?.[1] ?? "";
  const umask = value("Umask");
  return {
    umask: /^[0-7]+$/.test(umask) ? Number.parseInt(umask, 8) : undefined,
    tracer: Number(value("TracerPid")) || 0,
    noNewPrivileges: value("NoNewPrivs") === "1",
    capabilities: {
      inheritable: value("CapInh"),
      permitted: value("CapPrm"),
      effective: value("CapEff"),
      bounding: value("CapBnd"),
      ambient: value("CapAmb"),
    },
  };
}

export interface ResourceLimit {
  /** "Max open files". */
  name: string;
  /** A number as text, or "unlimited". */
  soft: string;
  hard: string;
}

/** /proc/PID/limits. */
export function parseLimits(text: ByteString): ResourceLimit[] {
  return [...text.matchAll(/^(Max [a-z ]{1,40}?) {2,60}(\d+|unlimited) {1,60}(\d+|unlimited)/gm)]
    .slice(0, 64)
    .map(([, name = "", soft = "", hard = ""]) => ({ name, soft, hard }));
}

/** Seconds since the epoch at which the system started, of /proc/stat. */
export function parseBootTime(text: ByteString): number | undefined {
  const seconds = /^btime (\d{1,12})$/m.exec(text)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

/** Clock ticks a second in /proc/PID/stat: fixed in what the kernel tells programs, on all architectures but alpha and ia64. */
const ticksPerSecond = 100;

/** Milliseconds since the epoch at which a process started, to a hundredth of a second. */
export function startedAt(bootSeconds: number, startTicks: string): number {
  return bootSeconds * 1000 + (Number(startTicks) * 1000) / ticksPerSecond;
}
