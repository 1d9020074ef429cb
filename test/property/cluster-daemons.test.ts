// A service with a task on each node, over nodes that go away and are drained, bad versions and control planes that crash: never two on a node, and in the end one on each.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { plainNode } from "../../src/cluster/drivers/null-driver.ts";
import { SimulatedCluster } from "../support/simulated-cluster.ts";

const runs = process.env.TRANSHIP_SOAK === "1" ? 10_000 : 200;

type Step =
  | { do: "update"; good: boolean; breaker: boolean; least: number }
  | { do: "kill" | "stop"; which: number }
  | { do: "node"; which: number; connected: boolean }
  | { do: "drain"; which: number; status: "ACTIVE" | "DRAINING" }
  | { do: "wait"; seconds: number }
  | { do: "linger" | "release" | "crash" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("update" as const),
    good: fc.boolean(),
    breaker: fc.boolean(),
    least: fc.constantFrom(0, 30, 60),
  }),
  fc.record({ do: fc.constantFrom("kill" as const, "stop" as const), which: fc.nat(5) }),
  fc.record({ do: fc.constant("node" as const), which: fc.nat(2), connected: fc.boolean() }),
  fc.record({
    do: fc.constant("drain" as const),
    which: fc.nat(2),
    status: fc.constantFrom("ACTIVE" as const, "DRAINING" as const),
  }),
  fc.record({ do: fc.constant("wait" as const), seconds: fc.nat(120) }),
  fc.record({ do: fc.constantFrom("linger" as const, "release" as const, "crash" as const) }),
);

test("daemons come to one on each node", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1 }), fc.array(step, { maxLength: 25 }), async (seed, steps) => {
      const world = new World(seed);
      try {
        await world.begin();
        for (const each of steps) await world.take(each);
        await world.rest();
      } finally {
        world.cluster.close();
      }
    }),
    { numRuns: runs },
  );
});

class World {
  readonly cluster: SimulatedCluster;
  /** Since when nodes are away, in simulated milliseconds. */
  readonly #away = new Map<string, number>();

  constructor(seed: number) {
    this.cluster = new SimulatedCluster(seed, 3, ({ family }) => (family === "bad" ? "fails" : "runs"));
  }

  async begin(): Promise<void> {
    const { cluster } = this;
    await cluster.open();
    cluster.call("CreateCluster", {});
    for (const family of ["good", "bad"])
      cluster.call("RegisterTaskDefinition", {
        family,
        containerDefinitions: [
          { name: "main", image: "box:1", memory: 600, portMappings: [{ containerPort: 80, hostPort: 80 }] },
        ],
      });
    cluster.call("CreateService", {
      serviceName: "d",
      taskDefinition: "good",
      schedulingStrategy: "DAEMON",
      deploymentConfiguration: bounds(true, 0),
    });
    this.#check();
  }

  async take(step: Step): Promise<void> {
    const { cluster } = this;
    const ids = [...cluster.driver.tasks.keys()];
    switch (step.do) {
      case "update":
        cluster.call("UpdateService", {
          service: "d",
          taskDefinition: step.good ? "good" : "bad",
          forceNewDeployment: true,
          deploymentConfiguration: bounds(step.breaker, step.least),
        });
        break;
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
    this.#check();
  }

  #setNode(name: string, connected: boolean): void {
    if (connected) {
      if (this.#isCutOff(name)) this.cluster.driver.fence(name);
      this.#away.delete(name);
    } else if (!this.#away.has(name)) this.#away.set(name, this.cluster.now);
    this.cluster.driver.setNode({ ...plainNode(name, 1024, 1024), connected });
    this.cluster.settle();
  }

  /** So long that its agent has ended what must not be there twice. */
  #isCutOff(name: string): boolean {
    const since = this.#away.get(name);
    return since !== undefined && this.cluster.now - since >= this.cluster.control.nodeGrace / 2;
  }

  #setStatus(which: number, status: string): void {
    const { containerInstanceArns = [] } = this.cluster.call("ListContainerInstances", {}) as {
      containerInstanceArns?: string[];
    };
    const arn = containerInstanceArns[which];
    if (arn !== undefined)
      this.cluster.call("UpdateContainerInstancesState", { containerInstances: [arn], status });
  }

  #live(): string[] {
    return [...this.cluster.driver.tasks.values()]
      .filter(({ seen, spec }) => seen.lastStatus !== "STOPPED" && !this.#isCutOff(spec.node))
      .map(({ spec }) => spec.node);
  }

  /** What must hold at any time. */
  #check(): void {
    const live = this.#live();
    assert.equal(new Set(live).size, live.length, `two on a node: ${live.join(", ")}`);
  }

  /** All nodes are well, a good version is asked for, and time passes. */
  async rest(): Promise<void> {
    const { cluster } = this;
    await this.take({ do: "release" });
    for (const which of [0, 1, 2]) {
      await this.take({ do: "node", which, connected: true });
      await this.take({ do: "drain", which, status: "ACTIVE" });
    }
    await this.take({ do: "update", good: true, breaker: true, least: 0 });
    cluster.advance(3_600_000);
    this.#check();
    assert.equal(cluster.driver.running().length, 3);
    const { services = [] } = cluster.call("DescribeServices", { services: ["d"] }) as {
      services?: { desiredCount: number; runningCount: number; deployments: { rolloutState: string }[] }[];
    };
    assert.equal(services[0]?.desiredCount, 3);
    assert.equal(services[0]?.runningCount, 3);
    assert.deepEqual(
      services[0]?.deployments.map(({ rolloutState }) => rolloutState),
      ["COMPLETED"],
    );
    // Whoever is away for a moment keeps what it has.
    const before = cluster.driver.running().sort();
    for (const connected of [false, true])
      for (const which of [0, 1, 2]) await this.take({ do: "node", which, connected });
    await this.take({ do: "crash" });
    cluster.advance(60_000);
    assert.deepEqual(cluster.driver.running().sort(), before);
  }
}

function bounds(enable: boolean, minimumHealthyPercent: number): object {
  return {
    minimumHealthyPercent,
    maximumPercent: 100,
    deploymentCircuitBreaker: { enable, rollback: enable },
  };
}
