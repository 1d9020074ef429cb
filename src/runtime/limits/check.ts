// Whether this host can hold limits, asked before anything is made: one that it cannot hold is refused with the reason, never left out.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { type CgroupMode, cgroupMode, hostHierarchies } from "../../host/cgroup.ts";
import type { CgroupRates } from "../../host/cgroup-limits.ts";
import { onPath } from "../../host/on-path.ts";
import { missingGroup } from "../../host/rootless/given-groups.ts";
import { rootlessUser } from "../../host/rootless-user.ts";
import type { InstanceRecord, NetworkMode } from "../record.ts";
import { type DiskRate, type Limits, parseSet } from "./limits.ts";

/** What a limit needs that some hosts lack. */
interface Need {
  /** As it is asked for. */
  flag: string;
  asked: boolean;
  /** Why this host cannot; undefined where it can. */
  problem: (mode: CgroupMode) => string | undefined;
}

/** E_LIMIT_UNSUPPORTED names the limit and the reason. */
export function checkLimits({ limits, network }: Pick<InstanceRecord, "limits" | "network">): void {
  ratesOf(limits.rates ?? []);
  const needs = [...cgroupNeeds(limits), ...otherNeeds(limits, network.mode)].filter((one) => one.asked);
  if (needs.length === 0) return;
  const mode = cgroupMode();
  for (const { flag, problem } of needs) {
    const reason = problem(mode);
    if (reason !== undefined) throw refused(flag, reason);
  }
}

function refused(flag: string, reason: string): TranshipError {
  return new TranshipError("E_LIMIT_UNSUPPORTED", `this host cannot hold ${flag}: ${reason}`, {
    hint: "leave the limit out, or choose another host; `tranship doctor` shows which controllers of control groups there are",
  });
}

function cgroupNeeds(limits: Limits): Need[] {
  const { memory, memorySwap, memoryReservation, cpus, cpuShares, pids, blkioWeight } = limits;
  return [
    { flag: "--memory", asked: isSet(memory), problem: controller("memory") },
    { flag: "--memory-swap", asked: isSet(memorySwap), problem: swapProblem },
    {
      flag: "--memory-reservation",
      asked: isSet(memoryReservation),
      problem: (mode) => controller("memory")(mode) ?? reservationProblem(memoryReservation ?? 0),
    },
    {
      flag: "--cpus",
      asked: isSet(cpus),
      problem: (mode) => controller("cpu")(mode) ?? cpusProblem(cpus ?? 0),
    },
    { flag: "--cpu-shares", asked: isSet(cpuShares), problem: controller("cpu") },
    {
      flag: "--cpuset-cpus",
      asked: isSet(limits.cpusetCpus),
      problem: setProblem("cpus", limits.cpusetCpus),
    },
    {
      flag: "--cpuset-mems",
      asked: isSet(limits.cpusetMems),
      problem: setProblem("mems", limits.cpusetMems),
    },
    { flag: "--pids-limit", asked: isSet(pids), problem: controller("pids") },
    { flag: "--blkio-weight", asked: isSet(blkioWeight), problem: weightProblem },
    {
      flag: `--device-${limits.rates?.[0]?.kind ?? "read-bps"}`,
      asked: (limits.rates ?? []).length > 0,
      problem: (mode) => diskController(mode),
    },
  ];
}

function otherNeeds({ disk, ingress, egress }: Limits, network: NetworkMode): Need[] {
  const noBridge = (): string | undefined =>
    network === "bridge" ? undefined : `--network ${network} has no device of the instance's own`;
  return [
    { flag: "--storage-opt size", asked: isSet(disk), problem: diskProblem },
    { flag: "--ingress-bandwidth", asked: isSet(ingress), problem: noBridge },
    { flag: "--egress-bandwidth", asked: isSet(egress), problem: noBridge },
  ];
}

function isSet(value: unknown): boolean {
  return value !== null && value !== undefined;
}

function controller(name: string): (mode: CgroupMode) => string | undefined {
  return (mode) => {
    if (mode.controllers.includes(name)) return undefined;
    const user = rootlessUser();
    const missing = user === undefined ? undefined : missingGroup(hostHierarchies(), name, user);
    if (missing === undefined) return `it has no controller ${name} of control groups`;
    return `${missing.why} (${missing.remedy})`;
  };
}

function diskController(mode: CgroupMode): string | undefined {
  if (rootlessUser() !== undefined) return "rates and weights of disks are root's to set";
  const has = mode.controllers.includes("blkio") || mode.controllers.includes("io");
  return has ? undefined : "it has no controller io or blkio of control groups";
}

function inRoot(mode: CgroupMode, name: string, file: string): string | undefined {
  const path = mode.hierarchies.find((one) => one.controllers.includes(name))?.path;
  try {
    return readFileSync(`${path ?? ""}/${file}`, "latin1").trim();
  } catch {
    return undefined;
  }
}

function swapProblem(mode: CgroupMode): string | undefined {
  const none = controller("memory")(mode);
  if (none !== undefined) return none;
  const v1 = mode.hierarchies.some((one) => one.version === 1 && one.controllers.includes("memory"));
  const counted = v1
    ? inRoot(mode, "memory", "memory.memsw.limit_in_bytes") !== undefined
    : existsSync("/proc/swaps");
  return counted ? undefined : "its kernel does not count swap (swapaccount=1)";
}

function reservationProblem(bytes: number): string | undefined {
  const total = Number(/^MemTotal:\s+(\d+)/m.exec(readFileSync("/proc/meminfo", "latin1"))?.[1]) * 1024;
  return bytes > total ? `it has ${formatSize(total)} of memory` : undefined;
}

function cpusProblem(cpus: number): string | undefined {
  const count = (parseSet(readFileSync("/sys/devices/system/cpu/online", "latin1").trim()) ?? []).length;
  return count > 0 && cpus > count ? `it has ${count} processors` : undefined;
}

function setProblem(
  kind: "cpus" | "mems",
  asked: string | null | undefined,
): (mode: CgroupMode) => string | undefined {
  return (mode) => {
    const none = controller("cpuset")(mode);
    if (none !== undefined) return none;
    const offered =
      inRoot(mode, "cpuset", `cpuset.effective_${kind}`) ??
      inRoot(mode, "cpuset", `cpuset.${kind}.effective`);
    const members = new Set(parseSet(offered ?? "") ?? []);
    const missing = (parseSet(asked ?? "") ?? []).filter((one) => !members.has(one));
    if (missing.length === 0) return undefined;
    return `its ${kind === "cpus" ? "processors" : "memory nodes"} are ${offered}`;
  };
}

/** A weight counts only where the scheduler of the disk keeps to it. */
function weightProblem(mode: CgroupMode): string | undefined {
  const none = diskController(mode);
  if (none !== undefined) return none;
  const scheduled = blockDevices().some((disk) =>
    readIf(`/sys/block/${disk}/queue/scheduler`).includes("[bfq]"),
  );
  const cost = /enable=1/.test(inRoot(mode, "io", "io.cost.qos") ?? "");
  if (scheduled || cost) return undefined;
  return "none of its disks is scheduled by bfq (echo bfq > /sys/block/DISK/queue/scheduler) or has a cost model";
}

function blockDevices(): string[] {
  return existsSync("/sys/block") ? readdirSync("/sys/block") : [];
}

function readIf(path: string): string {
  return existsSync(path) ? readFileSync(path, "latin1") : "";
}

/** See disk.ts: a file system in a file, as no quota of projects can be counted on. */
function diskProblem(): string | undefined {
  if (!existsSync("/dev/loop-control")) return "it has no loop devices (modprobe loop)";
  if (onPath("mkfs.ext4") === undefined) return "mkfs.ext4 is not installed (apt-get install e2fsprogs)";
  return undefined;
}

/** The disks by their numbers. E_USAGE for what is no whole disk. */
export function ratesOf(rates: readonly DiskRate[]): CgroupRates {
  const found: Record<string, { major: number; minor: number; rate: number }[]> = {};
  for (const { kind, path, rate } of rates) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isBlockDevice() !== true) {
      throw new TranshipError("E_USAGE", `--device-${kind}: ${path} is no disk of this host`, {
        hint: "name the node of a whole disk, such as /dev/sda; `lsblk` lists them",
      });
    }
    // As glibc's gnu_dev_major() and gnu_dev_minor() take the number apart.
    const device = BigInt(stat.rdev);
    const major = Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn));
    const minor = Number((device & 0xffn) | ((device >> 12n) & ~0xffn));
    if (existsSync(`/sys/dev/block/${major}:${minor}/partition`)) {
      throw new TranshipError("E_USAGE", `--device-${kind}: ${path} is a part of a disk`, {
        hint: "the kernel limits whole disks only; `lsblk` shows which one it is",
      });
    }
    found[kind] = [...(found[kind] ?? []), { major, minor, rate }];
  }
  return found;
}
