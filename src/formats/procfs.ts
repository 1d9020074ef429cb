// Files of /proc as values. All texts are byte strings; what does not parse is undefined or left out, never an error:
// a process can end between two reads.
import type { ByteString } from "./entry.ts";

export interface ProcStat {
  pid: number;
  /** The kernel's name of the task, at most 15 bytes. */
  name: ByteString;
  /** R, S, D, Z, T, X ... */
  state: string;
  ppid: number;
  session: number;
  /** Clock ticks since boot, as text: unique together with the pid. */
  startTime: string;
  kernelThread: boolean;
}

/** /proc/PID/stat. The name may hold spaces and parentheses: the last ")" closes it. */
export function parseProcStat(text: ByteString): ProcStat | undefined {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  if (open < 1 || close < open) return undefined;
  const pid = Number(text.slice(0, open));
  const fields = text
    .slice(close + 1)
    .trim()
    .split(" ");
  const [state = "", ppid = "", , session = ""] = fields;
  if (!Number.isSafeInteger(pid) || pid <= 0 || !/^[A-Za-z]$/.test(state)) return undefined;
  return {
    pid,
    name: text.slice(open + 1, close),
    state,
    ppid: Number(ppid) || 0,
    session: Number(session) || 0,
    startTime: /^\d+$/.test(fields[19] ?? "") ? (fields[19] ?? "") : "",
    kernelThread: (Number(fields[6]) & 0x0020_0000) !== 0,
  };
}

export interface ProcStatus {
  /** Real, effective, saved, file system. */
  uids: number[];
  gids: number[];
  groups: number[];
  /** Outermost first; the last is the number inside the process's own namespace. */
  namespacePids: number[];
  threads: number;
  residentKib: number;
  /** Hex mask. */
  capabilities: string;
  seccomp: number;
}

export function parseProcStatus(text: ByteString): ProcStatus {
  const values: Record<string, string> = Object.create(null);
  for (const line of text.split("\n").slice(0, 500)) {
    const colon = line.indexOf(":");
    if (colon > 0) values[line.slice(0, colon)] = line.slice(colon + 1).trim();
  }
  const numbers = (key: string): number[] =>
    (values[key] ?? "")
      .split(/\s+/)
      .filter((word) => /^\d+$/.test(word))
      .map(Number);
  return {
    uids: numbers("Uid"),
    gids: numbers("Gid"),
    groups: numbers("Groups"),
    namespacePids: numbers("NSpid"),
    threads: numbers("Threads")[0] ?? 1,
    residentKib: numbers("VmRSS")[0] ?? 0,
    capabilities: values.CapEff ?? "",
    seccomp: numbers("Seccomp")[0] ?? 0,
  };
}

/** cmdline and environ: strings closed by NUL; at most `limit`. */
export function parseNulList(text: ByteString, limit = 4096): ByteString[] {
  const items: ByteString[] = [];
  for (let at = 0; at < text.length && items.length < limit; ) {
    const end = text.indexOf("\0", at);
    items.push(end < 0 ? text.slice(at) : text.slice(at, end));
    at = end < 0 ? text.length : end + 1;
  }
  return items;
}

export interface Mapping {
  path: ByteString;
  executable: boolean;
  deleted: boolean;
}

/** Files of /proc/PID/maps, each path once; and the special mapping names such as [vsyscall]. */
export function parseMaps(text: ByteString): { files: Mapping[]; special: string[]; vsyscall: string } {
  const files = new Map<string, Mapping>();
  const special = new Set<string>();
  let vsyscall = "";
  for (const match of text.matchAll(
    /^[0-9a-f]+-[0-9a-f]+ (\S{4}) [0-9a-f]+ [0-9a-f]+:[0-9a-f]+ \d+ +(\S.*)$/gm,
  )) {
    const permissions = match[1] ?? "";
    const name = unescapeOctal(match[2] ?? "");
    if (!name.startsWith("/")) {
      if (special.size < 64) special.add(name);
      if (name === "[vsyscall]") vsyscall = permissions;
      continue;
    }
    const deleted = name.endsWith(" (deleted)");
    const path = deleted ? name.slice(0, -10) : name;
    const known = files.get(path);
    if (known === undefined) files.set(path, { path, executable: permissions.includes("x"), deleted });
    else known.executable ||= permissions.includes("x");
    if (files.size >= 20_000) break;
  }
  return { files: [...files.values()], special: [...special], vsyscall };
}

export interface FstabEntry {
  source: ByteString;
  mountPoint: ByteString;
  type: string;
  options: string[];
}

/** /etc/fstab, and /proc/swaps has the same first column. */
export function parseFstab(text: ByteString): FstabEntry[] {
  const entries: FstabEntry[] = [];
  for (const line of text.split("\n").slice(0, 10_000)) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [source = "", mountPoint = "", type = "", options = "defaults"] = line.trim().split(/\s+/);
    if (type === "") continue;
    entries.push({
      source: unescapeOctal(source),
      mountPoint: unescapeOctal(mountPoint),
      type,
      options: options.split(","),
    });
  }
  return entries;
}

export interface CgroupLine {
  hierarchy: number;
  controllers: string[];
  path: ByteString;
}

export function parseCgroup(text: ByteString): CgroupLine[] {
  return text.split("\n").flatMap((line) => {
    const match = /^(\d+):([^:]*):(\/.*)$/.exec(line);
    if (match === null) return [];
    return [
      {
        hierarchy: Number(match[1]),
        controllers: (match[2] ?? "").split(",").filter(Boolean),
        path: match[3] ?? "",
      },
    ];
  });
}

/** The service of a cgroup path: "apache2.service" of /system.slice/apache2.service; undefined outside one. */
export function serviceOfCgroup(lines: readonly CgroupLine[]): ByteString | undefined {
  for (const line of lines) {
    const unit = line.path.split("/").findLast((part) => part.endsWith(".service"));
    if (unit !== undefined) return unit;
  }
  return undefined;
}

/** Names of /proc/modules. */
export function parseModules(text: ByteString): { name: string; size: number; users: number }[] {
  return [...text.matchAll(/^(\S+) (\d+) (-?\d+)/gm)].map((match) => ({
    name: match[1] ?? "",
    size: Number(match[2]),
    users: Number(match[3]),
  }));
}

export function unescapeOctal(text: ByteString): ByteString {
  return text.replace(/\\([0-3][0-7]{2})/g, (_found, digits) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
