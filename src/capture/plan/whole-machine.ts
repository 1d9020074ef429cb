// A whole machine as an expansion: everything above the kernel that a walk of its root finds, less what the shipped rules leave
// behind, and, with a trim, less what the evidence of another capture does not name.
import { formatSize } from "../../base/units.ts";
import type { Expansion } from "../../closure/expand.ts";
import type { InstalledPackages } from "../../closure/installed.ts";
import type { Reason } from "../../closure/reason.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { EntryTable } from "../../formats/entry-table.ts";
import { encodeText } from "../../formats/escape.ts";
import { isBelow, type MountInfo, parseMountInfo, visibleMounts } from "../../formats/mountinfo.ts";
import { parseFstab } from "../../formats/procfs.ts";
import { mountsBelow } from "../../host/mountinfo.ts";
import { isUnreadable, type Machine } from "../../machine/machine.ts";
import { emptyDirectories, leftBehind } from "./machine-rules.ts";
import type { Exclusion } from "./plan.ts";

export interface WholeMachine extends Expansion {
  /** What stays behind, topmost directories only, each with its reason. */
  left: LeftBehind[];
}

/** A path with all below it that stays behind for the same reason. */
export interface LeftBehind extends Exclusion {
  /** Content of files. */
  bytes: number;
  trimmed: boolean;
}

export interface WholeOptions {
  machine: Machine;
  installed: InstalledPackages;
  /** What every package of the machine holds: never left behind, so that their layer stays the same. */
  system: Expansion;
  trim?: Trim | undefined;
  /** Directories of this host that are no part of the machine: the tool's own state. */
  notOurs: readonly string[];
}

export interface Trim {
  reference: string;
  /** What the evidence of that package names. */
  paths: ReadonlySet<ByteString>;
}

export async function wholeMachine(options: WholeOptions): Promise<WholeMachine> {
  const { machine, system } = options;
  const closed = await closedDirectories(options);
  const swaps = await swapFiles(machine);
  const kept = new EntryTable();
  const left = new Left();
  const missing: Expansion["missing"] = [];
  for await (const one of machine.files.walk("/", { exclude: [...closed.keys()] })) {
    if (isUnreadable(one)) {
      missing.push({ path: one.path, reason: { kind: "rule", detail: `the whole machine (${one.error})` } });
      continue;
    }
    const because = system.paths.has(one.path)
      ? undefined
      : swaps.has(one.path)
        ? "swap file"
        : leftBehind(one);
    if (because === undefined) kept.set(one.path, one);
    else left.add(one, because);
  }
  for (const [path, because] of closed) {
    const entry = await machine.files.stat(path);
    const emptied = entry?.kind === "directory" && emptyDirectories.includes(path) && path !== "/.tranship";
    if (emptied) kept.set(path, entry);
    const below = emptied && !/^\/(proc|sys)$/.test(path) ? ((await machine.files.list(path)) ?? []) : [];
    for (const one of emptied ? below : entry === undefined ? [] : [entry]) left.add(one, because);
  }
  keepParents(kept, left);
  const trimmed = options.trim === undefined ? kept : cut(kept, options.trim, system, left);
  return { ...asExpansion(trimmed, missing, options), left: left.list() };
}

/** What a walk does not enter: kept empty, or no part of the machine, or a file system of somebody else. */
export async function closedDirectories(
  options: Pick<WholeOptions, "machine" | "notOurs">,
): Promise<Map<ByteString, string>> {
  const { machine } = options;
  const closed = new Map(
    emptyDirectories.map((path) => [path, "lives only while a system runs"] as [ByteString, string]),
  );
  const root = encodeText(machine.root === "/" ? "" : (machine.root ?? ""));
  for (const path of machine.root === undefined ? [] : options.notOurs.map(encodeText)) {
    if (isBelow(path, root === "" ? "/" : root)) closed.set(path.slice(root.length), "the tool's own state");
  }
  for (const mount of await machineMounts(machine)) {
    const path = mount.target.slice(root.length);
    if (path === "" || path === "/" || !foreign.test(mount.fstype)) continue;
    if (![...closed.keys()].some((above) => isBelow(path, above)))
      closed.set(path, `a file system of type ${mount.fstype}: not on the machine's own disks`);
  }
  return closed;
}

/** The mounts that a walk of the machine would meet, by their place on this host or, of a far machine, there. */
async function machineMounts(machine: Machine): Promise<MountInfo[]> {
  if (machine.root !== undefined) return mountsBelow(encodeText(machine.root));
  if (!machine.live) return [];
  const bytes = await machine.files.readRange("/proc/self/mountinfo", 0, 32 << 20);
  return visibleMounts(parseMountInfo(Buffer.from(bytes ?? []).toString("latin1")));
}

const foreign =
  /^(proc|sysfs|devtmpfs|devpts|cgroup2?|securityfs|debugfs|tracefs|pstore|bpf|mqueue|hugetlbfs|configfs|fusectl|binfmt_misc|efivarfs|rpc_pipefs|nsfs|ramfs|tmpfs|overlay|aufs|squashfs|autofs|fuse.*|nfs\d?|cifs|smb\d?|9p|virtiofs|ceph|glusterfs|iso9660)$/;

export async function swapFiles(machine: Machine): Promise<Set<ByteString>> {
  const found = new Set<ByteString>();
  for (const path of ["/etc/fstab", ...(machine.live ? ["/proc/swaps"] : [])]) {
    const bytes = await machine.files.read(path);
    for (const line of parseFstab(new TextDecoder("latin1").decode(bytes ?? new Uint8Array()))) {
      const isSwap = path === "/proc/swaps" || line.type === "swap";
      if (isSwap && line.source.startsWith("/") && !line.source.startsWith("/dev/")) found.add(line.source);
    }
  }
  return found;
}

/** Of what stays behind, the topmost of one reason speak for all below. A walk tells parents first. */
class Left {
  readonly #found = new Map<ByteString, { because: string; files: number; bytes: number }>();
  readonly #directories = new Map<ByteString, Entry>();

  add(entry: Entry, because: string): void {
    const above = this.#top(entry.path, because);
    const line = above ?? { because, files: 0, bytes: 0 };
    if (above === undefined) this.#found.set(entry.path, line);
    if (entry.kind === "directory") this.#directories.set(entry.path, entry);
    else line.files++;
    if (entry.kind === "file") line.bytes += entry.size;
  }

  /** A directory is kept after all, for the sake of what is kept below it. */
  takeBack(path: ByteString): Entry | undefined {
    this.#found.delete(path);
    return this.#directories.get(path);
  }

  #top(path: ByteString, because: string): { because: string; files: number; bytes: number } | undefined {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      const above = this.#found.get(path.slice(0, at));
      if (above?.because === because) return above;
    }
    return undefined;
  }

  list(): LeftBehind[] {
    return [...this.#found].map(([path, { because, files, bytes }]) => ({
      path,
      why: files > 1 ? `${because} (${files} files, ${formatSize(bytes)})` : because,
      bytes,
      trimmed: because.startsWith(notNamed),
    }));
  }
}

/** Directories above what is kept are kept: a file cannot be packed without them. */
function keepParents(kept: EntryTable, left: Left): void {
  for (const path of [...kept.keys()]) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      const parent = path.slice(0, at);
      if (kept.has(parent)) break;
      const entry = left.takeBack(parent);
      if (entry !== undefined) kept.set(parent, entry);
    }
  }
}

/** Only what the evidence names, with the directories above it; the system files stay whole. */
function cut(kept: ReadonlyMap<ByteString, Entry>, trim: Trim, system: Expansion, left: Left): EntryTable {
  const wanted = new Set<ByteString>();
  for (const path of kept.keys()) {
    if (!trim.paths.has(path) && !system.paths.has(path)) continue;
    for (let at = path; !wanted.has(at); at = at.slice(0, at.lastIndexOf("/")) || "/") wanted.add(at);
  }
  const trimmed = new EntryTable();
  for (const [path, entry] of kept) {
    if (wanted.has(path)) trimmed.set(path, entry);
    else left.add(entry, `${notNamed} ${trim.reference}`);
  }
  return trimmed;
}

const notNamed = "trimmed: not named by the evidence of";

function asExpansion(
  kept: ReadonlyMap<ByteString, Entry>,
  missing: Expansion["missing"],
  options: WholeOptions,
): Expansion {
  const { installed, trim, system } = options;
  const paths = new Map<ByteString, Reason[]>();
  const packages = new Set<string>();
  // One list of reasons for all files of an installed package.
  const shared = new Map<string | undefined, Reason[]>();
  const reasonsOf = (owner: string | undefined): Reason[] => {
    let reasons = shared.get(owner);
    if (reasons === undefined) {
      reasons = [
        owner === undefined ? { kind: "rule", detail: whole } : { kind: "installed", detail: owner },
      ];
      shared.set(owner, reasons);
    }
    return reasons;
  };
  const whole = trim === undefined ? "the whole machine" : `the evidence of ${trim.reference}`;
  for (const path of [...kept.keys()].sort()) {
    const owner = installed.owner(path)[0];
    if (owner !== undefined) packages.add(owner);
    paths.set(path, system.paths.get(path) ?? reasonsOf(owner));
  }
  return {
    paths,
    entries: kept,
    missing: [...missing, ...absent(kept, trim)],
    languages: [],
    candidates: [],
    packages: [...packages].sort(),
    problems: [...installed.problems],
  };
}

function absent(kept: ReadonlyMap<ByteString, Entry>, trim: Trim | undefined): Expansion["missing"] {
  if (trim === undefined) return [];
  return [...trim.paths]
    .filter((path) => path !== "/" && !kept.has(path) && leftBehind(bareFile(path)) === undefined)
    .sort()
    .map((path) => ({ path, reason: { kind: "rule", detail: `the evidence of ${trim.reference}` } }));
}

/** Enough of an entry to ask the rules about a path that is not there. */
function bareFile(path: ByteString): Entry {
  return {
    path, kind: "directory", mode: 0, uid: 0, gid: 0, nlink: 1, dev: 0n, ino: 0n, size: 0, blocks: 0, mtime: 0n, ctime: 0n, rdevMajor: 0,
    rdevMinor: 0, target: "", xattrs: [], extents: undefined,
  }; // biome-ignore format: a table
}
