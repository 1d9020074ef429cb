// The control groups of this host: v1 (a tree per controller), v2 (one tree), or both at once (hybrid).
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmdirSync, writeSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import { errnoOf, ioError } from "./files.ts";
import { mountsBelow } from "./mountinfo.ts";
import { givenHierarchies } from "./rootless/given-groups.ts";
import { rootlessUser } from "./rootless-user.ts";

const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

export interface CgroupHierarchy {
  version: 1 | 2;
  /** Where its root is mounted; of an ordinary user's, the group that the user was given. */
  path: string;
  /** v1: "cpu", "memory", "name=systemd"; v2: what the tree offers. */
  controllers: readonly string[];
}

export interface CgroupMode {
  kind: "v1" | "v2" | "hybrid" | "none";
  /** Controllers that set limits, wherever they are. */
  controllers: readonly string[];
  hierarchies: readonly CgroupHierarchy[];
}

const knownV1 = [
  "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "net_cls", "net_prio", "perf_event",
  "hugetlb", "rdma", "misc",
]; // biome-ignore format: a table

/** Milliseconds for which they are taken to be the same: a process that ends fifty instances at once asks for them hundreds of times. */
const lasting = 1000;
let last: { at: number; hierarchies: CgroupHierarchy[] } | undefined;

/** All that are mounted, whoever may use them. */
export function hostHierarchies(): CgroupHierarchy[] {
  const now = performance.now();
  if (last === undefined || now - last.at > lasting) last = { at: now, hierarchies: mountedHierarchies() };
  return last.hierarchies;
}

function mountedHierarchies(): CgroupHierarchy[] {
  const hierarchies: CgroupHierarchy[] = [];
  for (const mount of mountsBelow("/")) {
    if (mount.fstype === "cgroup2") {
      const path = mount.target;
      hierarchies.push({ version: 2, path, controllers: words(read(`${path}/cgroup.controllers`)) });
    } else if (mount.fstype === "cgroup") {
      const controllers = mount.superOptions.filter((word) => knownV1.includes(word) || /^name=/.test(word));
      hierarchies.push({ version: 1, path: mount.target, controllers });
    }
  }
  return hierarchies;
}

/** What this host has. "hybrid": a v2 tree beside v1 trees; it may offer controllers of its own or none. */
export function cgroupMode(): CgroupMode {
  const hierarchies = hostHierarchies();
  const v1 = hierarchies.some((one) => one.version === 1);
  const v2 = hierarchies.some((one) => one.version === 2);
  const user = rootlessUser();
  // Of the host's only what was given to it is an ordinary user's.
  const usable = user === undefined ? hierarchies : givenHierarchies(hierarchies, user);
  const limits = usable.flatMap((one) => one.controllers).filter((name) => !name.startsWith("name="));
  return {
    kind: v1 && v2 ? "hybrid" : v1 ? "v1" : v2 ? "v2" : "none",
    controllers: [...new Set(limits)].sort(),
    hierarchies: usable,
  };
}

/** The directories of a group that exist, one per hierarchy. name: "/tranship-ID" or "tranship-ID". */
export function cgroupDirectories(name: string, mode: CgroupMode = cgroupMode()): string[] {
  const parts = name.split("/").filter((part) => part !== "");
  if (parts.length === 0 || parts.some((part) => part === "." || part === ".." || part.includes("\0"))) {
    throw new TranshipError("E_INTERNAL", `not a name of a control group: ${JSON.stringify(name)}`);
  }
  const found = mode.hierarchies
    .map((one) => `${one.path}/${parts.join("/")}`)
    .filter((dir) => existsSync(dir));
  return [...new Set(found)];
}

/** Processes in the group and in all groups below it, in every hierarchy; sorted. */
export function cgroupProcesses(name: string, mode?: CgroupMode): number[] {
  const pids = new Set<number>();
  for (const dir of cgroupDirectories(name, mode).flatMap(groupsBelow)) {
    for (const word of words(read(`${dir}/cgroup.procs`))) pids.add(Number(word));
  }
  pids.delete(0); // a process of another pid namespace
  return [...pids].sort((a, b) => a - b);
}

/** Removes the group and all below it, deepest first, in every hierarchy. E_STATE_BUSY while processes are in it. */
export async function removeCgroup(name: string, mode?: CgroupMode): Promise<void> {
  for (const dir of cgroupDirectories(name, mode).flatMap(groupsBelow)) await removeDirectory(dir);
}

/** SIGKILL to all of the group, until none is left. Processes that cannot be killed (state D): E_STATE_BUSY after 10 s. */
export async function killCgroup(name: string, mode: CgroupMode = cgroupMode()): Promise<void> {
  for (let round = 0; round < 500; round++) {
    const pids = cgroupProcesses(name, mode);
    if (pids.length === 0) return;
    // Frozen first, a group that forks faster than it is read has no chance; v2 has a file for the purpose.
    if (!writeAll(cgroupDirectories(name, mode), "cgroup.kill", "1")) freezeCgroup(name, true, mode);
    for (const pid of cgroupProcesses(name, mode)) kill(pid);
    // Always: what is frozen, by us or before, does not die (v1).
    freezeCgroup(name, false, mode);
    await sleep(20);
  }
  const left = cgroupProcesses(name, mode);
  if (left.length > 0) {
    throw new TranshipError("E_STATE_BUSY", `processes of ${name} cannot be killed: ${left.join(", ")}`);
  }
}

/** Stops or continues all of the group; continuing includes the groups below that were stopped on their own. False where the host has no freezer. */
export function freezeCgroup(name: string, frozen: boolean, mode: CgroupMode = cgroupMode()): boolean {
  const dirs = cgroupDirectories(name, mode);
  const groups = frozen ? dirs : dirs.flatMap(groupsBelow).reverse();
  const v2 = writeAll(groups, "cgroup.freeze", frozen ? "1" : "0");
  const v1 = writeAll(groups, "freezer.state", frozen ? "FROZEN" : "THAWED");
  return v1 || v2;
}

/** Whether all of the group is stopped; false too where there is no such group or no freezer. */
export function cgroupFrozen(name: string, mode: CgroupMode = cgroupMode()): boolean {
  return cgroupDirectories(name, mode).some(
    (dir) =>
      read(`${dir}/freezer.state`).trim() === "FROZEN" || /^frozen 1$/m.test(read(`${dir}/cgroup.events`)),
  );
}

function writeAll(dirs: readonly string[], file: string, text: string): boolean {
  let written = false;
  for (const path of dirs.map((dir) => `${dir}/${file}`).filter((candidate) => existsSync(candidate))) {
    try {
      const fd = openSync(path, "w");
      try {
        writeSync(fd, text);
      } finally {
        closeSync(fd);
      }
      written = true;
    } catch (cause) {
      if (errnoOf(cause) !== "ENOENT" && errnoOf(cause) !== "ENODEV") {
        throw ioError(`cannot write ${path}`, cause);
      }
    }
  }
  return written;
}

function kill(pid: number): void {
  // The kernel shows a process of another pid namespace as 0, which to kill() means our own group.
  if (!(pid > 1)) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch (cause) {
    if (errnoOf(cause) !== "ESRCH") throw ioError(`cannot kill process ${pid}`, cause);
  }
}

/** Deepest first, the group itself last. */
function groupsBelow(dir: string): string[] {
  try {
    const children = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...children.flatMap((child) => groupsBelow(`${dir}/${child.name}`)), dir];
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw ioError(`cannot list ${dir}`, cause);
  }
}

async function removeDirectory(dir: string): Promise<void> {
  // A killed process stays in its group for a moment.
  for (let round = 0; ; round++) {
    try {
      rmdirSync(dir);
      return;
    } catch (cause) {
      const errno = errnoOf(cause);
      if (errno === "ENOENT") return;
      if (errno !== "EBUSY") throw ioError(`cannot remove the control group ${dir}`, cause);
      if (round === 50 || words(read(`${dir}/cgroup.procs`)).length > 0) {
        throw new TranshipError("E_STATE_BUSY", `the control group ${dir} is in use`, { cause });
      }
      await sleep(20);
    }
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === "ENOENT" || errno === "ENODEV") return "";
    throw ioError(`cannot read ${path}`, cause);
  }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
