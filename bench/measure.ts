// Timing whole commands: wall time, and the CPU time of a command with all children that it waited for. Milliseconds.
import { spawnSync } from "node:child_process";

export interface Sample {
  wall: number;
  cpu: number;
}

/** bash times it: its own start is not counted. undefined where the command fails. */
export function measure(
  command: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Sample | undefined {
  const script = `exec 3>&2; TIMEFORMAT='%R %U %S'; time "$@" >/dev/null 2>/dev/null </dev/null`;
  const result = spawnSync("bash", ["-c", script, "bash", ...command], { encoding: "utf8", env });
  const [real, user, system] = result.stderr.trim().split(/\s+/).map(Number);
  if (result.status !== 0 || real === undefined || user === undefined || system === undefined)
    return undefined;
  return { wall: real * 1000, cpu: (user + system) * 1000 };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/**
 * Runs every way once a round, round after round, so that a slow moment of the machine meets all of them alike. `warm`: with a round before
 * the first that fills caches and is not counted.
 */
export function interleaved(
  ways: ReadonlyMap<string, readonly string[]>,
  rounds: number,
  { env, warm = true }: { env?: NodeJS.ProcessEnv; warm?: boolean } = {},
): Map<string, Sample[]> {
  const samples = new Map([...ways.keys()].map((name): [string, Sample[]] => [name, []]));
  for (let round = warm ? -1 : 0; round < rounds; round++) {
    for (const [name, command] of ways) {
      const sample = measure(command, env);
      if (sample !== undefined && round >= 0) samples.get(name)?.push(sample);
    }
  }
  return samples;
}

/** A ratio that is held against a goal: what is told of it, computed from the medians of wall time. */
export interface Goal {
  way: string;
  /** "podman, --network none": what it is measured against. */
  against: string;
  value: (wall: (way: string) => number) => number;
  most: number;
}

/** One Markdown table: medians, the ratio of wall times to the first way, and for ways with a goal the ratio that counts. */
export function table(samples: ReadonlyMap<string, readonly Sample[]>, goals: readonly Goal[] = []): string {
  const of = (way: string, key: keyof Sample): number =>
    median((samples.get(way) ?? []).map((one) => one[key]));
  const [first = ""] = samples.keys();
  const rows = [...samples].map(([name, list]) => {
    if (list.length === 0) return `| ${name} | failed | | | | 0 |`;
    const own = goals.filter((goal) => goal.way === name);
    const told = own.map((goal) => {
      const value = goal.value((way) => of(way, "wall"));
      const verdict = Number.isNaN(value) ? "not measured" : value <= goal.most ? "met" : "missed";
      return `${value.toFixed(2)} of ${goal.against} (goal: at most ${goal.most.toFixed(2)}, ${verdict})`;
    });
    const ratio = of(name, "wall") / of(first, "wall");
    return `| ${name} | ${of(name, "wall").toFixed(1)} | ${of(name, "cpu").toFixed(1)} | ${ratio.toFixed(2)} | ${told.join("; ")} | ${list.length} |`;
  });
  return [`| way | wall ms | CPU ms | x ${first} | goals | n |`, "|---|---|---|---|---|---|", ...rows].join(
    "\n",
  );
}
