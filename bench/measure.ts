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

/** Runs every way once a round, round after round, so that a slow moment of the machine meets all of them alike. */
export function interleaved(
  ways: ReadonlyMap<string, readonly string[]>,
  rounds: number,
  env?: NodeJS.ProcessEnv,
): Map<string, Sample[]> {
  const samples = new Map([...ways.keys()].map((name): [string, Sample[]] => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, command] of ways) {
      const sample = measure(command, env);
      // The round before the first fills caches and is not counted.
      if (sample !== undefined && round >= 0) samples.get(name)?.push(sample);
    }
  }
  return samples;
}

/** A Markdown table of medians, and their ratios to the first way. */
export function table(samples: ReadonlyMap<string, readonly Sample[]>): string {
  const [first] = samples.values();
  const base = {
    wall: median((first ?? []).map((one) => one.wall)),
    cpu: median((first ?? []).map((one) => one.cpu)),
  };
  const rows = [...samples].map(([name, list]) => {
    if (list.length === 0) return `| ${name} | failed | | | | 0 |`;
    const wall = median(list.map((one) => one.wall));
    const cpu = median(list.map((one) => one.cpu));
    return `| ${name} | ${wall.toFixed(1)} | ${(wall / base.wall).toFixed(2)} | ${cpu.toFixed(1)} | ${(cpu / base.cpu).toFixed(2)} | ${list.length} |`;
  });
  return ["| way | wall ms | ratio | CPU ms | ratio | n |", "|---|---|---|---|---|---|", ...rows].join("\n");
}
