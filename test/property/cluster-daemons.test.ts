// A service with a task on each node, over nodes that go away and are drained, bad versions and control planes that crash: never two on a node, and in the end one on each.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SimulatedCluster } from "../support/simulated-cluster.ts";
import { type Trouble, TroubledCluster, trouble, well } from "../support/simulated-trouble.ts";

const runs = process.env.TRANSHIP_SOAK === "1" ? 10_000 : 200;

type Step = { do: "update"; good: boolean; breaker: boolean; least: number } | Trouble;

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("update" as const),
    good: fc.boolean(),
    breaker: fc.boolean(),
    least: fc.constantFrom(0, 30, 60),
  }),
  { weight: 5, arbitrary: trouble(5, 120) },
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
  readonly #trouble: TroubledCluster;

  constructor(seed: number) {
    this.cluster = new SimulatedCluster(seed, 3, ({ family }) => (family === "bad" ? "fails" : "runs"));
    this.#trouble = new TroubledCluster(this.cluster);
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
    switch (step.do) {
      case "update":
        cluster.call("UpdateService", {
          service: "d",
          taskDefinition: step.good ? "good" : "bad",
          forceNewDeployment: true,
          deploymentConfiguration: bounds(step.breaker, step.least),
        });
        break;
      default:
        await this.#trouble.take(step);
    }
    this.#check();
  }

  /** What must hold at any time. */
  #check(): void {
    const live = this.#trouble.live();
    assert.equal(new Set(live).size, live.length, `two on a node: ${live.join(", ")}`);
  }

  /** All nodes are well, a good version is asked for, and time passes. */
  async rest(): Promise<void> {
    const { cluster } = this;
    for (const each of well) await this.take(each);
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
