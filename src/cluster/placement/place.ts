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
  const members = available.filter(({ subject }) => tests.every((test) => test(subject)));
  if (members.length === 0) return { placed: [], failure: "ATTRIBUTE" };
  const distinct = demand.constraints.some(({ type }) => type === "distinctInstance");
  const counts = new Map(demand.groupCounts);
  const scores = demand.strategy.map((strategy) => scoreOf(strategy, members, demand));
  const placed: Candidate[] = [];
  while (placed.length < count) {
    const best = choose(members, demand, scores, distinct ? counts : undefined);
    if (best === undefined)
      return { placed, failure: whyNot(members, demand, distinct ? counts : undefined) };
    best.cpu -= demand.cpu;
    best.memory -= demand.memory;
    for (const port of demand.ports) best.ports.add(port);
    counts.set(best.id, (counts.get(best.id) ?? 0) + 1);
    for (const score of scores) score.taken(best);
    placed.push(best);
  }
  return { placed };
}

interface Score {
  /** Lower is better. */
  of(candidate: Candidate): number;
  taken(candidate: Candidate): void;
}

function choose(
  members: readonly Candidate[],
  demand: Demand,
  scores: readonly Score[],
  distinct: ReadonlyMap<string, number> | undefined,
): Candidate | undefined {
  let best: Candidate | undefined;
  let bestScores: number[] = [];
  for (const candidate of members) {
    if (!fits(candidate, demand) || (distinct?.get(candidate.id) ?? 0) > 0) continue;
    if (best !== undefined && !better(candidate, scores, bestScores)) continue;
    best = candidate;
    bestScores = scores.map((score) => score.of(candidate));
  }
  return best;
}

function better(candidate: Candidate, scores: readonly Score[], best: readonly number[]): boolean {
  for (let index = 0; index < scores.length; index++) {
    const mine = scores[index]?.of(candidate) ?? 0;
    const others = best[index] ?? 0;
    if (mine !== others) return mine < others;
  }
  return false;
}

function fits(candidate: Candidate, demand: Demand): boolean {
  if (candidate.cpu < demand.cpu || candidate.memory < demand.memory) return false;
  return demand.ports.every((port) => !candidate.ports.has(port));
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
    return { of: (candidate) => (memory ? candidate.memory : candidate.cpu), taken: () => {} };
  }
  if (strategy.type === "spread") {
    const instance = field === "" || field === "instanceId" || field === "host";
    const name = field.replace(/^attribute:/, "");
    const spreadOver = new Map(
      members.map((member) => [member, instance ? member.id : (member.subject.attribute(name) ?? "")]),
    );
    const counts = new Map<string, number>();
    for (const [member, value] of spreadOver)
      counts.set(value, (counts.get(value) ?? 0) + (groupCounts.get(member.id) ?? 0));
    return {
      of: (candidate) => counts.get(spreadOver.get(candidate) ?? "") ?? 0,
      taken: (candidate) => {
        const value = spreadOver.get(candidate) ?? "";
        counts.set(value, (counts.get(value) ?? 0) + 1);
      },
    };
  }
  const drawn = new Map<Candidate, number>();
  return {
    of: (candidate) => {
      const known = drawn.get(candidate);
      if (known !== undefined) return known;
      const fresh = random();
      drawn.set(candidate, fresh);
      return fresh;
    },
    taken: () => drawn.clear(),
  };
}
