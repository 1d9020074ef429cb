// What init says of an instance's health. The instance may have put anything there.
import { closeSync, readSync } from "node:fs";
import { openBelow, readJsonBelow } from "../../host/untrusted.ts";
import type { ListedInstance } from "../find.ts";

export type HealthStatus = "starting" | "healthy" | "unhealthy";

export interface Health {
  readonly status: HealthStatus;
  readonly failingStreak: number;
  /** The last five, oldest first. */
  readonly log: readonly { start: string; end: string; exitCode: number; output: string }[];
}

/** Five outputs of 4096 bytes, each of them six characters in JSON. */
const longest = 160 << 10;
const words = new Set(["starting", "healthy", "unhealthy"]);

/** Its status alone, for who asks often. undefined: it does not run, nobody looks, or init has said nothing: one of before there were health checks never does. */
export function healthWord({ paths, record, status }: ListedInstance): HealthStatus | undefined {
  if (record.health === undefined || status.state !== "running") return undefined;
  const fd = openBelow(paths.run, "health");
  if (fd === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(16);
    const word = bytes.toString("latin1", 0, readSync(fd, bytes)).trimEnd();
    return words.has(word) ? (word as HealthStatus) : undefined;
  } finally {
    closeSync(fd);
  }
}

/** undefined: it does not run, or nobody looks. */
export function healthOf({ paths, record, status }: ListedInstance): Health | undefined {
  if (record.health === undefined || status.state !== "running") return undefined;
  const file = readJsonBelow(longest, paths.run, "health.json") as Record<string, unknown> | null | undefined;
  const state = file?.status;
  if (typeof state !== "string" || !words.has(state))
    return { status: "starting", failingStreak: 0, log: [] };
  const log = Array.isArray(file?.log) ? (file.log as Record<string, unknown>[]) : [];
  return {
    status: state as HealthStatus,
    failingStreak: typeof file?.failingStreak === "number" ? file.failingStreak : 0,
    log: log.slice(-5).map((one) => ({
      start: String(one?.start ?? ""),
      end: String(one?.end ?? ""),
      exitCode: typeof one?.exitCode === "number" ? one.exitCode : -1,
      output: String(one?.output ?? ""),
    })),
  };
}
