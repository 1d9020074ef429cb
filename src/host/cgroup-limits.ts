// The limits of a control group that exists, in v1 and v2 alike.
import { closeSync, existsSync, openSync, writeSync } from "node:fs";
import { type CgroupMode, cgroupDirectories, cgroupMode } from "./cgroup.ts";
import { ioError } from "./files.ts";

export interface CgroupLimits {
  /** Bytes. null in any of them: no limit. */
  memory: number | null;
  cpus: number | null;
  pids: number | null;
}

export const cpuPeriod = 100_000;

/** Returns the limits that this host has no controller for. E_IO where the kernel refuses one, as it does a memory limit below what is in use. */
export function setCgroupLimits(
  name: string,
  { memory, cpus, pids }: CgroupLimits,
  mode: CgroupMode = cgroupMode(),
): (keyof CgroupLimits)[] {
  const directories = cgroupDirectories(name, mode);
  const put = (file: string, text: string): boolean => writeFirst(directories, file, text);
  const quota = cpus === null ? undefined : Math.round(cpus * cpuPeriod);
  const missing: (keyof CgroupLimits)[] = [];
  if (
    !put("memory.limit_in_bytes", String(memory ?? -1)) &&
    !put("memory.max", String(memory ?? "max")) &&
    memory !== null
  )
    missing.push("memory");
  if (
    !put("cpu.cfs_quota_us", String(quota ?? -1)) &&
    !put("cpu.max", `${quota ?? "max"} ${cpuPeriod}`) &&
    cpus !== null
  )
    missing.push("cpus");
  if (!put("pids.max", String(pids ?? "max")) && pids !== null) missing.push("pids");
  return missing;
}

function writeFirst(directories: readonly string[], file: string, text: string): boolean {
  const path = directories
    .map((directory) => `${directory}/${file}`)
    .find((candidate) => existsSync(candidate));
  if (path === undefined) return false;
  try {
    const fd = openSync(path, "w");
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw ioError(`cannot write ${text} to ${path}`, cause);
  }
  return true;
}
