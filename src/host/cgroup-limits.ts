// The limits of a control group that exists, in v1 and v2 alike.
import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { type CgroupMode, cgroupDirectories, cgroupMode } from "./cgroup.ts";
import { errnoOf, ioError } from "./files.ts";

export interface CgroupLimits {
  /** Bytes. null or absent in any of them: no limit. */
  memory: number | null;
  cpus: number | null;
  pids: number | null;
  /** Bytes of memory and swap together. */
  memorySwap?: number | null | undefined;
  memoryReservation?: number | null | undefined;
  cpuShares?: number | null | undefined;
  cpusetCpus?: string | null | undefined;
  cpusetMems?: string | null | undefined;
  blkioWeight?: number | null | undefined;
}

type CgroupLimit = keyof CgroupLimits;

export const cgroupLimits: readonly CgroupLimit[] = [
  "memory", "memorySwap", "memoryReservation", "cpus", "cpuShares", "cpusetCpus", "cpusetMems", "pids", "blkioWeight",
]; // biome-ignore format: a list

/** Of disks, by their device number. */
export type CgroupRates = Readonly<
  Record<string, readonly { major: number; minor: number; rate: number }[] | undefined>
>;

export const cpuPeriod = 100_000;

/** One way to say a limit: a file that must be there, and what is written to it. */
type Way = readonly [file: string, text: string];

/** v1 first, then v2. An empty list: nothing to be said where there is no limit. */
function waysOf(limits: CgroupLimits, weight: (shares: number) => number): Record<CgroupLimit, Way[]> {
  const { memory, memorySwap, memoryReservation, cpus, cpuShares, pids, blkioWeight } = limits;
  const quota = cpus === null ? undefined : Math.round(cpus * cpuPeriod);
  const swap = memorySwap === null || memorySwap === undefined ? "max" : memorySwap - (memory ?? 0);
  return {
    memory: [
      ["memory.limit_in_bytes", String(memory ?? -1)],
      ["memory.max", String(memory ?? "max")],
    ],
    memorySwap: [
      ["memory.memsw.limit_in_bytes", String(memorySwap ?? -1)],
      ["memory.swap.max", String(swap)],
    ],
    memoryReservation: [
      ["memory.soft_limit_in_bytes", String(memoryReservation ?? -1)],
      ["memory.low", String(memoryReservation ?? 0)],
    ],
    cpus: [
      ["cpu.cfs_quota_us", String(quota ?? -1)],
      ["cpu.max", `${quota ?? "max"} ${cpuPeriod}`],
    ],
    cpuShares: [
      ["cpu.shares", String(cpuShares ?? usualShares)],
      ["cpu.weight", String(weight(cpuShares ?? usualShares))],
    ],
    cpusetCpus: [["cpuset.cpus", limits.cpusetCpus ?? ""]],
    cpusetMems: [["cpuset.mems", limits.cpusetMems ?? ""]],
    pids: [["pids.max", String(pids ?? "max")]],
    blkioWeight: ["blkio.weight", "blkio.bfq.weight", "io.bfq.weight", "io.weight"].map(
      (file) => [file, String(blkioWeight ?? 100)] as const,
    ),
  };
}

const usualShares = 1024;

export interface LimitOptions {
  /** Which of them are written. */
  only: readonly CgroupLimit[];
  /** cgroup v2's weight of so many shares. */
  weight: (shares: number) => number;
  mode?: CgroupMode;
}

/** Returns the limits that this host has no controller for. E_IO where the kernel refuses one, as it does a memory limit below what is in use. */
export function setCgroupLimits(
  name: string,
  limits: CgroupLimits,
  { only, weight, mode = cgroupMode() }: LimitOptions,
): CgroupLimit[] {
  const directories = cgroupDirectories(name, mode);
  const missing: CgroupLimit[] = [];
  // v1 holds memory below memory with swap at every moment: the outer one goes out of the way first.
  const memory = only.includes("memory") || only.includes("memorySwap");
  if (memory) writeFirst(directories, [["memory.memsw.limit_in_bytes", "-1"]]);
  const ways = waysOf(limits, weight);
  for (const limit of new Set([...(memory ? (["memory", "memorySwap"] as const) : []), ...only])) {
    const asked = limits[limit] !== null && limits[limit] !== undefined;
    if (!writeFirst(directories, ways[limit]) && asked) missing.push(limit);
  }
  return missing;
}

/** False where none of the files is there. */
function writeFirst(directories: readonly string[], ways: readonly Way[]): boolean {
  for (const [file, text] of ways) {
    const directory = directories.find((one) => existsSync(`${one}/${file}`));
    if (directory === undefined) continue;
    write(`${directory}/${file}`, text === "" ? inherited(directory, file) : text);
    return true;
  }
  return false;
}

/** v1 takes no empty list of processors: all that the group above has. */
function inherited(directory: string, file: string): string {
  return readFileSync(`${directory}/../${file}`, "latin1").trim();
}

function write(path: string, text: string): void {
  try {
    const fd = openSync(path, "w");
    try {
      // An empty one is no write at all to the kernel.
      writeSync(fd, text === "" ? "\n" : text);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw ioError(`cannot write ${text} to ${path} (${errnoOf(cause) ?? "unknown"})`, cause);
  }
}
