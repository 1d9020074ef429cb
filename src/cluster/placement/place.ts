// Which container instance takes a task: what fits, what the constraints leave, and what the strategies like best, in this order.
import type { PlacementConstraint, PlacementStrategy } from "../api/shapes.ts";
import { parseExpression, type Subject } from "./expression.ts";

/** A container instance as placement sees it. `place` changes what is left. */
export interface Candidate {
  id: string;
  subject: Subject;
  /** CPU units and MiB that are left. */
  cpu: number;
  memory: number;
  ports: Set<string>;
  /** ACTIVE and its agent connected. */
  available: boolean;
}

export interface Demand {
  cpu: number;
  memory: number;
  /** "8080/tcp": host ports that must be free. */
  ports: readonly string[];
  constraints: readonly PlacementConstraint[];
  strategy: readonly PlacementStrategy[];
  /** How many tasks of the same service or group each instance has. */
  groupCounts: ReadonlyMap<string, number>;
  random: () => number;
}

/** One for each task that was placed, in order, then why the next one could not be. The candidates' resources are taken. */
export interface Placement {
  placed: Candidate[];
  failure?: string;
}

export function place(candidates: readonly Candidate[], count: number, demand: Demand): Placement {
  const available = candidates.filter((candidate) => candidate.available);
  if (available.length === 0)
    return { placed: [], failure: candidates.length === 0 ? "NO_INSTANCES" : "AGENT" };
  const tests = demand.constraints.flatMap(({ type, expression }) =>
    type === "memberOf" ? [parseExpression(expression ?? "")] : [],
  );
  const members =
    tests.length === 0 ? available : available.filter(({ subject }) => tests.every((test) => test(subject)));
  if (members.length === 0) return { placed: [], failure: "ATTRIBUTE" };
  const distinct = demand.constraints.some(({ type }) => type === "distinctInstance");
  const counts = distinct ? new Map(demand.groupCounts) : undefined;
  const scores = demand.strategy.map((strategy) => scoreOf(strategy, members, demand));
  const placed: Candidate[] = [];
  while (placed.length < count) {
    const index = choose(members, demand, scores, counts);
    const best = index === undefined ? undefined : members[index];
    if (index === undefined || best === undefined)
      return { placed, failure: whyNot(members, demand, counts) };
    best.cpu -= demand.cpu;
    best.memory -= demand.memory;
    for (const port of demand.ports) best.ports.add(port);
    counts?.set(best.id, (counts.get(best.id) ?? 0) + 1);
    for (const score of scores) score.taken(index);
    placed.push(best);
  }
  return { placed };
}

/** Candidates go by their index among the members: this is asked for each of them for each task. */
interface Score {
  /** Lower is better. */
  of(index: number): number;
  taken(index: number): void;
}

/** The index of the best. */
function choose(
  members: readonly Candidate[],
  demand: Demand,
  scores: readonly Score[],
  distinct: ReadonlyMap<string, number> | undefined,
): number | undefined {
  let best: number | undefined;
  const bestScores: number[] = [];
  for (let index = 0; index < members.length; index++) {
    const candidate = members[index];
    if (candidate === undefined || !fits(candidate, demand)) continue;
    if (distinct !== undefined && (distinct.get(candidate.id) ?? 0) > 0) continue;
    if (best !== undefined && !better(index, scores, bestScores)) continue;
    best = index;
    for (const [which, score] of scores.entries()) bestScores[which] = score.of(index);
  }
  return best;
}

function better(index: number, scores: readonly Score[], best: readonly number[]): boolean {
  for (let which = 0; which < scores.length; which++) {
    const mine = scores[which]?.of(index) ?? 0;
    const others = best[which] ?? 0;
    if (mine !== others) return mine < others;
  }
  return false;
}

function fits(candidate: Candidate, demand: Demand): boolean {
  if (candidate.cpu < demand.cpu || candidate.memory < demand.memory) return false;
  return demand.ports.length === 0 || demand.ports.every((port) => !candidate.ports.has(port));
}

/** In the order in which the real service names them. */
function whyNot(
  members: readonly Candidate[],
  demand: Demand,
  distinct: ReadonlyMap<string, number> | undefined,
): string {
  const free = members.filter(({ id }) => (distinct?.get(id) ?? 0) === 0);
  if (free.length === 0) return "DISTINCT_INSTANCE";
  if (free.every(({ memory }) => memory < demand.memory)) return "RESOURCE:MEMORY";
  if (free.every(({ cpu }) => cpu < demand.cpu)) return "RESOURCE:CPU";
  const roomy = free.filter(({ cpu, memory }) => cpu >= demand.cpu && memory >= demand.memory);
  if (roomy.length === 0) return "RESOURCE:CPU";
  return "RESOURCE:PORTS";
}

function scoreOf(
  strategy: PlacementStrategy,
  members: readonly Candidate[],
  { groupCounts, random }: Demand,
): Score {
  const field = strategy.field ?? "";
  if (strategy.type === "binpack") {
    const memory = field.toLowerCase() === "memory";
    const left = (index: number): number => members[index]?.[memory ? "memory" : "cpu"] ?? 0;
    return { of: left, taken: () => {} };
  }
  if (strategy.type === "spread") {
    const instance = field === "" || field === "instanceId" || field === "host";
    const name = field.replace(/^attribute:/, "");
    const values = members.map((member) => (instance ? member.id : (member.subject.attribute(name) ?? "")));
    const { numbers, counts } = numbered(values, (index) => groupCounts.get(members[index]?.id ?? "") ?? 0);
    return {
      of: (index) => counts[numbers[index] ?? 0] ?? 0,
      taken: (index) => {
        const number = numbers[index] ?? 0;
        counts[number] = (counts[number] ?? 0) + 1;
      },
    };
  }
  const drawn: number[] = [];
  return {
    of: (index) => {
      drawn[index] ??= random();
      return drawn[index];
    },
    taken: () => {
      drawn.length = 0;
    },
  };
}

/** A number for each different value, and what is counted for it. */
function numbered(
  values: readonly string[],
  count: (index: number) => number,
): { numbers: number[]; counts: number[] } {
  const known = new Map<string, number>();
  const counts: number[] = [];
  const numbers = values.map((value, index) => {
    const number = known.get(value) ?? known.size;
    known.set(value, number);
    counts[number] = (counts[number] ?? 0) + count(index);
    return number;
  });
  return { numbers, counts };
}
