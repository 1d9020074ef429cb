// What happens to the tasks and nodes of a simulated cluster that nobody asked for, and how a cluster is brought to rest after it.
import fc from "fast-check";
import { plainNode } from "../../src/cluster/drivers/null-driver.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";

/** `which`: any number for tasks, 0 to 2 for nodes. */
export type Trouble =
  | { do: "kill" | "stop"; which: number }
  | { do: "node"; which: number; connected: boolean }
  | { do: "drain"; which: number; status: "ACTIVE" | "DRAINING" }
  | { do: "wait"; seconds: number }
  | { do: "linger" | "release" | "crash" };

/** Of that many tasks at most, with pauses of that many seconds at most. */
export function trouble(tasks: number, seconds: number): fc.Arbitrary<Trouble> {
  return fc.oneof(
    fc.record({ do: fc.constantFrom("kill" as const, "stop" as const), which: fc.nat(tasks) }),
    fc.record({ do: fc.constant("node" as const), which: fc.nat(2), connected: fc.boolean() }),
    fc.record({
      do: fc.constant("drain" as const),
      which: fc.nat(2),
      status: fc.constantFrom("ACTIVE" as const, "DRAINING" as const),
    }),
    fc.record({ do: fc.constant("wait" as const), seconds: fc.nat(seconds) }),
    fc.record({ do: fc.constantFrom("linger" as const, "release" as const, "crash" as const) }),
  );
}

export class TroubledCluster {
  readonly #cluster: SimulatedCluster;
  /** Since when nodes are away, in simulated milliseconds. */
  readonly #away = new Map<string, number>();

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
  }

  async take(step: Trouble): Promise<void> {
    const cluster = this.#cluster;
    const ids = [...cluster.driver.tasks.keys()];
    switch (step.do) {
      case "kill":
        if (ids.length > 0) cluster.driver.end(ids[step.which % ids.length] ?? "", 1);
        cluster.settle();
        break;
      case "stop":
        if (ids.length > 0) cluster.call("StopTask", { task: ids[step.which % ids.length] ?? "" });
        break;
      case "node":
        this.#setNode(`n${step.which}`, step.connected);
        break;
      case "drain":
        this.#setStatus(step.which, step.status);
        break;
      case "wait":
        cluster.advance(step.seconds * 1000);
        break;
      case "linger":
        cluster.driver.lingering = true;
        break;
      case "release":
        cluster.driver.lingering = false;
        cluster.driver.release();
        cluster.settle();
        break;
      case "crash":
        await cluster.open();
        break;
    }
  }

  #setNode(name: string, connected: boolean): void {
    const { driver, now } = this.#cluster;
    if (connected) {
      if (this.#isCutOff(name)) driver.fence(name);
      this.#away.delete(name);
    } else if (!this.#away.has(name)) this.#away.set(name, now);
    driver.setNode({ ...plainNode(name, 1024, 1024), connected });
    this.#cluster.settle();
  }

  /** So long that its agent has ended what must not be there twice. */
  #isCutOff(name: string): boolean {
    const since = this.#away.get(name);
    return since !== undefined && this.#cluster.now - since >= this.#cluster.control.nodeGrace / 2;
  }

  #setStatus(which: number, status: string): void {
    const { containerInstanceArns = [] } = this.#cluster.call("ListContainerInstances", {}) as {
      containerInstanceArns?: string[];
    };
    const arn = containerInstanceArns[which];
    if (arn !== undefined)
      this.#cluster.call("UpdateContainerInstancesState", { containerInstances: [arn], status });
  }

  /** The node of each task that may be running, as far as anybody can know. */
  live(): string[] {
    return [...this.#cluster.driver.tasks.values()]
      .filter(({ seen, spec }) => seen.lastStatus !== "STOPPED" && !this.#isCutOff(spec.node))
      .map(({ spec }) => spec.node);
  }
}

/** After these all nodes are well. */
export const well: readonly Trouble[] = [
  { do: "release" },
  ...[0, 1, 2].flatMap((which): Trouble[] => [
    { do: "node", which, connected: true },
    { do: "drain", which, status: "ACTIVE" },
  ]),
];
