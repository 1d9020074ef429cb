// Limits of processes as this host can give them. Root without CAP_SYS_RESOURCE cannot raise what it was started with: then the
// nearest that it can give is given, and said.
import { hardLimit, mayRaiseLimits, oomScoreAdjustment } from "../../host/rlimits.ts";
import { type Limits, type Ulimit, ulimitNames } from "./limits.ts";

export interface GivenLimits {
  readonly ulimits: readonly Ulimit[];
  readonly oomScoreAdj: number | undefined;
  /** What could not be given as asked for, a sentence each. */
  readonly lowered: readonly string[];
}

/** The soft limit of the systems these applications come from; Node raises its own, which would be inherited. */
const usualFiles = 1024;
const mostFiles = 524_288;

export function givenLimits({ ulimits, oomScoreAdj }: Limits): GivenLimits {
  const lowered: string[] = [];
  const asked = ulimits ?? [];
  const free = asked.length === 0 ? false : mayRaiseLimits();
  const given = asked.map((one) => (free ? one : lower(one, lowered)));
  if (!given.some((one) => one.name === "nofile")) {
    const hard = Math.min(hardLimit("RLIMIT_NOFILE") ?? mostFiles, mostFiles);
    given.push({ name: "nofile", soft: Math.min(usualFiles, hard), hard });
  }
  return { ulimits: given, oomScoreAdj: scoreOf(oomScoreAdj ?? null, lowered), lowered };
}

function lower(one: Ulimit, lowered: string[]): Ulimit {
  const most = hardLimit(ulimitNames[one.name] ?? "");
  if (most === null || (one.hard !== null && one.hard <= most)) return one;
  lowered.push(
    `the ulimit ${one.name} is ${most} and not ${one.hard ?? "unlimited"}: more needs CAP_SYS_RESOURCE`,
  );
  return { name: one.name, soft: Math.min(one.soft ?? most, most), hard: most };
}

function scoreOf(asked: number | null, lowered: string[]): number | undefined {
  if (asked === null) return undefined;
  const own = oomScoreAdjustment();
  if (asked >= own || mayRaiseLimits()) return asked;
  lowered.push(`the OOM score is adjusted by ${own} and not by ${asked}: less needs CAP_SYS_RESOURCE`);
  return own;
}
