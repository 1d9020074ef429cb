// The state of an instance: derived from processes and files at each look, never stored.
import { existsSync } from "node:fs";
import { bootId } from "../host/boot-id.ts";
import { readJson, readText } from "../host/files.ts";
import { processAlive } from "../host/lock.ts";
import { readJsonBelow } from "../host/untrusted.ts";
import { launchName } from "./events/note.ts";
import type { InstancePaths } from "./instance-paths.ts";
import type { EndRecord, LaunchRecord } from "./launch-record.ts";
import { engineMain, mainProcess } from "./processes.ts";

export type InstanceState = "created" | "starting" | "running" | "exited";

export interface InstanceStatus {
  state: InstanceState;
  /** PID 1 of the instance, as the host numbers it. */
  pid: number | undefined;
  startTime: string | undefined;
  launch: LaunchRecord | undefined;
  /** Exited only; null where nobody could tell. */
  exitStatus: number | null | undefined;
  endedAt: string | undefined;
  reason: string | undefined;
  /** Something in it was killed for want of memory; known once its end was dealt with. */
  oomKilled: boolean;
  /** Its end was already dealt with. */
  settled: boolean;
  /** It runs, or was about to, without the one it belongs to. */
  orphan: boolean;
}

/** Bytes; what init writes has some hundred. */
const longestExit = 64 << 10;

interface ExitFile {
  status?: unknown;
  reason?: unknown;
  finishedAt?: unknown;
}

export function statusOf(paths: InstancePaths, id: string): InstanceStatus {
  const launch = readJson(paths.launch) as LaunchRecord | undefined;
  const nothing = {
    pid: undefined, startTime: undefined, exitStatus: undefined, endedAt: undefined, reason: undefined, oomKilled: false,
  }; // biome-ignore format: short
  if (launch === undefined) return { ...nothing, state: "created", launch, settled: true, orphan: false };
  const ended = readJson(paths.ended) as EndRecord | undefined;
  if (ended !== undefined) {
    return {
      ...nothing,
      state: "exited",
      launch,
      exitStatus: ended.status,
      endedAt: ended.endedAt,
      reason: ended.reason,
      oomKilled: ended.oomKilled === true,
      settled: true,
      orphan: false,
    };
  }
  const thisBoot = launch.bootId === bootId();
  const starterAlive = thisBoot && processAlive(launch.starter.pid, launch.starter.startTime);
  const bound = launch.mode === "foreground" || !launch.acknowledged;
  const main = thisBoot ? (mainProcess(paths, id) ?? engineMain(paths)) : undefined;
  if (main !== undefined) {
    const orphan = bound && !starterAlive;
    return { ...nothing, ...main, state: "running", launch, settled: false, orphan };
  }
  if (bound && starterAlive) return { ...nothing, state: "starting", launch, settled: false, orphan: false };
  const exit = readExit(paths);
  return { ...nothing, ...exit, state: "exited", launch, settled: false, orphan: bound };
}

/** What init wrote with its last breath. */
export function readExit(paths: InstancePaths): {
  exitStatus: number | null;
  endedAt: string | undefined;
  reason: string | undefined;
} {
  // The instance may have put anything there.
  const file = readJsonBelow(longestExit, paths.run, "exit.json") as ExitFile | null | undefined;
  return {
    exitStatus: typeof file?.status === "number" ? file.status : null,
    endedAt: typeof file?.finishedAt === "string" ? file.finishedAt : undefined,
    reason: typeof file?.reason === "string" ? file.reason : undefined,
  };
}

/** How the chain of this very start ended, as its monitor wrote down; null where it has seen no end. */
export function chainStatus({ chainEnded }: InstancePaths, launch: LaunchRecord): number | null {
  const [name, status = ""] = (readText(chainEnded) ?? "").split(" ");
  return name === launchName(launch) && /^\d+$/.test(status) ? Number(status) : null;
}

/** PID 1 has worked since the last start. */
export function hasRun({ paths }: { paths: InstancePaths }): boolean {
  return existsSync(`${paths.run}/state.json`) || existsSync(`${paths.run}/exit.json`);
}
