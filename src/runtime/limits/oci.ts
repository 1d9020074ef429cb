// Limits in the words of the OCI runtime configuration. Pure.
import type { CgroupRates } from "../../host/cgroup-limits.ts";
import { cpuPeriod } from "../../host/cgroup-limits.ts";
import { type Limits, type Ulimit, ulimitNames } from "./limits.ts";

export function ociResources(limits: Limits, rates: CgroupRates): object {
  const { memory, memorySwap, memoryReservation, cpus, cpuShares, cpusetCpus, cpusetMems, pids } = limits;
  return {
    ...part("memory", { limit: memory, swap: memorySwap, reservation: memoryReservation }),
    ...part("cpu", {
      ...(cpus === null ? {} : { quota: Math.round(cpus * cpuPeriod), period: cpuPeriod }),
      shares: cpuShares,
      cpus: cpusetCpus,
      mems: cpusetMems,
    }),
    ...part("pids", { limit: pids }),
    ...part("blockIO", {
      weight: limits.blkioWeight,
      throttleReadBpsDevice: rates["read-bps"],
      throttleWriteBpsDevice: rates["write-bps"],
      throttleReadIOPSDevice: rates["read-iops"],
      throttleWriteIOPSDevice: rates["write-iops"],
    }),
  };
}

/** Without what is not limited; nothing where nothing is. */
function part(name: string, values: Readonly<Record<string, unknown>>): object {
  const set = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  return set.length === 0 ? {} : { [name]: Object.fromEntries(set) };
}

export function ociRlimits(ulimits: readonly Ulimit[]): object[] {
  return ulimits.map(({ name, soft, hard }) => ({
    type: ulimitNames[name] ?? "",
    soft: orInfinity(soft),
    hard: orInfinity(hard),
  }));
}

const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };

/** RLIM_INFINITY is 2^64-1, which is no number of JavaScript. */
function orInfinity(value: number | null): unknown {
  return value ?? rawJSON("18446744073709551615");
}
