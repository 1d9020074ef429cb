// Which container instance takes a task: what fits, what the constraints leave, and what the strategies like best, in this order.
import type { PlacementConstraint, PlacementStrategy } from "../api/shapes.ts";
import { parseExpression, type Subject } from "./expression.ts";

/** A container instance as placement sees it. */
export interface Candidate {
  readonly id: string;
  readonly subject: Subject;
  /** CPU units and MiB that are left. */
  readonly cpu: number;
  readonly memory: number;
  /** Host ports that are taken. */
  readonly ports: { has(port: string): boolean };
  /** ACTIVE and its agent connected. */
  readonly available: boolean;
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

/** One for each task that was placed, in order, then why the next one could not be. */
export interface Placement {
  placed: Candidate[];
  failure?: string;
}

export function place(candidates: readonly Candidate[], count: number, demand: Demand): Placement {
  const isAvailable = ({ available }: Candidate): boolean => available;
  const available = candidates.every(isAvailable) ? candidates : candidates.filter(isAvailable);
  if (available.length === 0)
    return { placed: [], failure: candidates.length === 0 ? "NO_INSTANCES" : "AGENT" };
  const tests = demand.constraints.flatMap(({ type, expression }) =>
    type === "memberOf" ? [parseExpression(expression ?? "")] : [],
  );
  const members =
    tests.length === 0 ? available : available.filter(({ subject }) => tests.every((test) => test(subject)));
  if (members.length === 0) return { placed: [], failure: "ATTRIBUTE" };
  const distinct = demand.constraints.some(({ type }) => type === "distinctInstance");
  const room = new Room(members, demand, distinct);
  const scores = demand.strategy.map((strategy) => scoreOf(strategy, room, demand));
  const placed: Candidate[] = [];
  const anyWill = demand.strategy[0]?.type === "random";
  while (placed.length < count) {
    const index = (anyWill ? draw(room, demand) : undefined) ?? choose(room, scores);
    const best = index === undefined ? undefined : members[index];
    if (index === undefined || best === undefined) return { placed, failure: room.whyNot() };
    placed.push(best);
    if (placed.length === count) break;
    room.take(index);
    for (const score of scores) score.taken(index);
  }
  return { placed };
}

/** Where any that fits is as good as the others, one is drawn, and another one where it does not fit: mostly none has to be looked at but that. */
function draw(room: Room, { random }: Demand): number | undefined {
  for (let turn = 0; turn < 10; turn++) {
    const index = Math.floor(random() * room.members.length);
    if (room.fits(index)) return index;
  }
  return undefined;
}

/** What is left of the members while tasks are placed. They go by their index: it is asked for each of them for each task. */
class Room {
  readonly members: readonly Candidate[];
  readonly #demand: Demand;
  /** Once something was taken. */
  #left: { cpu: Float64Array; memory: Float64Array } | undefined;
  /** Those that have a task of the group, where one is all that they may have. */
  readonly #full: Set<number> | undefined;
  /** Those that have been given a task whose ports nobody else may have there. */
  readonly #taken = new Set<number>();

  constructor(members: readonly Candidate[], demand: Demand, distinct: boolean) {
    this.members = members;
    this.#demand = demand;
    if (!distinct) return;
    this.#full = new Set();
    for (const [index, { id }] of members.entries())
      if ((demand.groupCounts.get(id) ?? 0) > 0) this.#full.add(index);
  }

  cpu(index: number): number {
    return (this.#left === undefined ? this.members[index]?.cpu : this.#left.cpu[index]) ?? 0;
  }

  memory(index: number): number {
    return (this.#left === undefined ? this.members[index]?.memory : this.#left.memory[index]) ?? 0;
  }

  fits(index: number): boolean {
    const { cpu, memory, ports } = this.#demand;
    if (this.cpu(index) < cpu || this.memory(index) < memory) return false;
    if (this.#full?.has(index)) return false;
    if (ports.length === 0) return true;
    return !this.#taken.has(index) && ports.every((port) => !this.members[index]?.ports.has(port));
  }

  take(index: number): void {
    const { cpu, memory, ports } = this.#demand;
    this.#left ??= this.#countLeft();
    this.#left.cpu[index] = (this.#left.cpu[index] ?? 0) - cpu;
    this.#left.memory[index] = (this.#left.memory[index] ?? 0) - memory;
    this.#full?.add(index);
    if (ports.length > 0) this.#taken.add(index);
  }

  /** Why none fits, in the order in which the real service names it. */
  whyNot(): string {
    const { cpu, memory } = this.#demand;
    const free = [...this.members.keys()].filter((index) => !this.#full?.has(index));
    if (free.length === 0) return "DISTINCT_INSTANCE";
    if (free.every((index) => this.memory(index) < memory)) return "RESOURCE:MEMORY";
    const roomy = free.some((index) => this.cpu(index) >= cpu && this.memory(index) >= memory);
    return roomy ? "RESOURCE:PORTS" : "RESOURCE:CPU";
  }

  #countLeft(): { cpu: Float64Array; memory: Float64Array } {
    const { members } = this;
    const left = { cpu: new Float64Array(members.length), memory: new Float64Array(members.length) };
    for (let index = 0; index < members.length; index++) {
      left.cpu[index] = members[index]?.cpu ?? 0;
      left.memory[index] = members[index]?.memory ?? 0;
    }
    return left;
  }
}

interface Score {
  /** Lower is better. */
  of(index: number): number;
  taken(index: number): void;
}

/** The index of the best. */
function choose(room: Room, scores: readonly Score[]): number | undefined {
  let best: number | undefined;
  const bestScores: number[] = [];
  for (let index = 0; index < room.members.length; index++) {
    if (!room.fits(index)) continue;
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

function scoreOf(strategy: PlacementStrategy, room: Room, { groupCounts, random }: Demand): Score {
  const { members } = room;
  const field = strategy.field ?? "";
  if (strategy.type === "binpack") {
    const memory = field.toLowerCase() === "memory";
    return { of: (index) => (memory ? room.memory(index) : room.cpu(index)), taken: () => {} };
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
