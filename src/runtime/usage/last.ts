// What an instance has used when it is killed: init, which would tell it at its end, is killed with it.
import { readFileSync } from "node:fs";
import { cgroupProcesses } from "../../host/cgroup.ts";
import { cgroupUsage } from "../../host/cgroup-usage.ts";
import { readJson, writeIfRoom } from "../../host/files.ts";
import { launchName } from "../events/note.ts";
import type { Instance } from "../find.ts";
import type { LaunchRecord } from "../launch-record.ts";
import { instanceGroup } from "../limits/groups.ts";

export interface LastUsage {
  cpuSeconds: number | null;
  /** Of its largest process, as init counts. */
  peakBytes: number | null;
}

/** Call directly before it is killed. Nothing is told where it is not started. */
export function noteLastUsage({ paths, record }: Instance): void {
  const launch = readJson(paths.launch) as LaunchRecord | undefined;
  if (launch === undefined) return;
  const { cpu } = cgroupUsage(instanceGroup(record.id));
  const peaks = cgroupProcesses(instanceGroup(record.id)).map(peakOf);
  const usage: LastUsage = {
    cpuSeconds: cpu === undefined ? null : cpu / 1e9,
    peakBytes: peaks.length === 0 ? null : Math.max(...peaks),
  };
  writeIfRoom(paths.lastUsage, JSON.stringify({ launch: launchName(launch), ...usage }), {
    volatile: true,
  });
}

/** Of this launch. */
export function lastUsage({ paths }: Instance, launch: LaunchRecord | undefined): LastUsage | undefined {
  if (launch === undefined) return undefined;
  const noted = readJson(paths.lastUsage) as ({ launch: string } & LastUsage) | undefined;
  return noted?.launch === launchName(launch) ? noted : undefined;
}

function peakOf(pid: number): number {
  try {
    return (
      Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) * 1024
    );
  } catch {
    return 0; // gone
  }
}
