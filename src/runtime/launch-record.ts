// What is known of one start of an instance, and of its end.
import type { PortRequest } from "./network/ports.ts";

/** Written by whoever starts an instance, before anything of it exists; removed by nobody but `rm`. */
export interface LaunchRecord {
  bootId: string;
  startedAt: string;
  starter: { pid: number; startTime: string };
  /** foreground: belongs to its starter. detached: acknowledged once its id was given to the caller. */
  mode: "foreground" | "detached";
  acknowledged: boolean;
  /** What an end before the acknowledgement does: `run` removes, `start` leaves. */
  created: boolean;
  /** The OCI runtime that was chosen. */
  runtime: string;
  ports: PortRequest[];
  /** Nothing is taken on of another machine: start --new-identity. */
  newIdentity?: boolean;
  /** Starts by the restart rule since the last one by a person. */
  restarts: number;
  /** By the restart rule or after a reboot: one that dies before it was acknowledged is tried again. */
  byRule?: boolean;
  /** When it began by a clock that nobody sets: see monotonicNow(). Absent in records of before 2026-12. */
  startedClock?: number;
  /** How much of its breaches had been written down by then: bytes, all of them ASCII. */
  breachesAt?: number;
  /** Milliseconds that the restart rule waited before it. */
  delay?: number;
}

export interface EndRecord {
  status: number | null;
  endedAt: string;
  reason: string;
  /** Something in it was killed for want of memory. */
  oomKilled?: boolean;
}
