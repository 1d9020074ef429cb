// Limits in docker's words, for `inspect`.
import type { Limits, RateKind } from "../../runtime/limits/limits.ts";

export function limitsView(limits: Limits): object {
  const { disk, ingress, egress, rates } = limits;
  const ofKind = (kind: RateKind): object[] =>
    (rates ?? []).filter((one) => one.kind === kind).map((one) => ({ Path: one.path, Rate: one.rate }));
  const unlimited = (value: number | null): number => value ?? -1;
  return {
    Memory: limits.memory ?? 0,
    MemorySwap: limits.memorySwap ?? 0,
    MemoryReservation: limits.memoryReservation ?? 0,
    NanoCpus: Math.round((limits.cpus ?? 0) * 1e9),
    CpuShares: limits.cpuShares ?? 0,
    CpusetCpus: limits.cpusetCpus ?? "",
    CpusetMems: limits.cpusetMems ?? "",
    PidsLimit: limits.pids,
    BlkioWeight: limits.blkioWeight ?? 0,
    BlkioDeviceReadBps: ofKind("read-bps"),
    BlkioDeviceWriteBps: ofKind("write-bps"),
    BlkioDeviceReadIOps: ofKind("read-iops"),
    BlkioDeviceWriteIOps: ofKind("write-iops"),
    Ulimits: (limits.ulimits ?? []).map(({ name, soft, hard }) => ({
      Name: name,
      Soft: unlimited(soft),
      Hard: unlimited(hard),
    })),
    ShmSize: limits.shmSize ?? 64 << 20,
    OomScoreAdj: limits.oomScoreAdj ?? 0,
    StorageOpt: disk === null || disk === undefined ? {} : { size: String(disk) },
    // Ours: bytes a second, 0 without a limit.
    IngressBandwidth: ingress ?? 0,
    EgressBandwidth: egress ?? 0,
  };
}
